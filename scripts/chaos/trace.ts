import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { personEnvironment } from '../../lib/proof/chaos/command.ts';
import { endOurs, ROUND_MARK } from '../../lib/proof/chaos/processes.ts';
import type { Wish } from '../../lib/proof/material.ts';
import { makeWorkshop } from '../../lib/proof/workshop.ts';

const PLAN: Wish[] = [
  {
    id: 'W-1',
    tasks: [['write:outside/one.txt', 'commit'], ['child']],
    fields: { files_scope: ['src/W-1/'] },
  },
  { id: 'W-2', tasks: [['fail-once']], dependsOn: ['W-1'] },
];
const LIFE = [['launch'], ['reattach'], ['retry', '--failed'], ['reattach'], ['reap'], ['stop', '--all']];
const BOUND_MS = 120_000;

const run = promisify(execFile);

/**
 * The names of all failpoints that the whole life of a small plan passes, sorted; fewer where `signal` cuts it off.
 * Whatever comes of a command, its trace counts.
 */
export async function traceFailpoints(orch: string, signal: AbortSignal): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'orch-chaos-trace-'));
  try {
    const { root } = makeWorkshop(PLAN, folder);
    const trace = join(folder, 'trace');
    const env = { ...personEnvironment(), ORCH_FAILPOINT_TRACE: trace, [ROUND_MARK]: folder };
    for (const args of LIFE) {
      const ended = run(process.execPath, [orch, ...args, '--root', root], {
        env,
        signal,
        timeout: BOUND_MS,
      });
      await ended.catch((error: { code?: unknown; message: string }) => {
        // A number is the exit code of the command.
        if (typeof error.code !== 'number' && error.code !== 'ABORT_ERR') throw error;
      });
      if (signal.aborted) break;
    }
    const text = existsSync(trace) ? readFileSync(trace, 'utf8') : '';
    return [...new Set(text.split('\n').flatMap((line) => line.split(' ')[1] ?? []))].sort();
  } finally {
    await endOurs(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
