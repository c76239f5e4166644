import { RECORD_MAX_BYTES } from '../../protocol/encode.ts';
import { isAliveState } from '../../protocol/status.ts';
import type { Evidence, Violation } from '../evidence.ts';
import { recordOf } from './facts.ts';

/** Guarantee 6: a reader never sees a torn record; nothing half-done is left after `orch reap`. */
export function judgeRecords(evidence: Evidence): Violation[] {
  const torn = evidence.tornReads.map(({ workstream, why, text }) =>
    broken(workstream, `a reader saw a record that cannot be parsed (${why}): ${text.slice(0, 60)}`),
  );
  const records = evidence.records.flatMap(({ workstream, text, fault, bytes, parsed }) => {
    if (fault !== null) return [broken(workstream, `its record cannot be read: ${fault}`)];
    if (text === null || parsed === null) return [];
    if (parsed.kind === 'unreadable')
      return [broken(workstream, `its record cannot be parsed: ${parsed.message}`)];
    if (parsed.kind === 'foreign') return [broken(workstream, 'its record is not of orch')];
    if (parsed.record.workstream !== workstream)
      return [broken(workstream, `its record names ${parsed.record.workstream}`)];
    return bytes > RECORD_MAX_BYTES ? [broken(workstream, `its record has ${bytes} bytes`)] : [];
  });
  return [...torn, ...records, ...(evidence.reaped ? leftFiles(evidence) : [])];
}

const broken = (workstream: string | null, what: string): Violation => ({ guarantee: 6, workstream, what });

const TEMPORARY = /\.(?:json|stop|pid)\.\d{1,10}$/;
/** Written without a lock by a person's command: only age tells that nobody writes it any more. */
const HOLD = /\/_hold\.json\.\d{1,10}$/;
const LOCK = /\.lock(?:\.[0-9a-f]{32})?$/;
const ASIDE = /\.lock\.[0-9a-f]{32}$/;
const SIGN = /^\.(?:pids|status)\/([^/]+)\.(?:pid|heartbeat|stop)$/;

function leftFiles(evidence: Evidence): Violation[] {
  const { stateFiles, heldLocks } = evidence;
  return stateFiles.flatMap((path) => {
    if (TEMPORARY.test(path) && !HOLD.test(path)) return [broken(null, `${path} is left of a write`)];
    if (LOCK.test(path) && !heldLocks.includes(path)) {
      // An empty one that was being made aside stays for ten minutes: its maker may be at it.
      const isEmpty = !stateFiles.some((other) => other.startsWith(`${path}/`));
      return ASIDE.test(path) && isEmpty ? [] : [broken(null, `${path} is left, and nobody holds it`)];
    }
    const id = SIGN.exec(path)?.[1];
    if (id === undefined || id.startsWith('_')) return [];
    const record = recordOf(evidence, id);
    if (record === null || isAliveState(record)) return [];
    return [broken(id, `${path} is left of a worker that is gone`)];
  });
}
