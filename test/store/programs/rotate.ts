import { logLockPath, outPath } from '../../../lib/protocol/layout.ts';
import { DEFAULT_LOG_LIMITS } from '../../../lib/protocol/log-parts.ts';
import { rotateIfDue, settleIfCutOff } from '../../../lib/store/rotate.ts';

/** Rotates the stdout of a workstream once: `rotate.ts ROOT ID MAX_BYTES KEEP`; says what it did. */
const [root = '', id = '', maxBytes = '', keep = ''] = process.argv.slice(2);
const limits = { ...DEFAULT_LOG_LIMITS, maxBytes: Number(maxBytes), keep: Number(keep) };
await settleIfCutOff(outPath(root, id), logLockPath(root, id));
const rotated = await rotateIfDue(outPath(root, id), logLockPath(root, id), limits);
process.stdout.write(`${rotated === null ? 'nothing' : 'rotated'}\n`);
