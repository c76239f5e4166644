import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { personEnvironment } from '../../lib/proof/chaos/command.ts';
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

/** The names of all failpoints that the whole life of a small plan passes, sorted. */
export function traceFailpoints(orch: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'orch-chaos-trace-'));
  try {
    const { root } = makeWorkshop(PLAN, folder);
    const trace = join(folder, 'trace');
    const env = { ...personEnvironment(), ORCH_FAILPOINT_TRACE: trace };
    for (const args of LIFE) {
      spawnSync(process.execPath, [orch, ...args, '--root', root], {
        env,
        stdio: 'ignore',
        timeout: BOUND_MS,
      });
    }
    const text = existsSync(trace) ? readFileSync(trace, 'utf8') : '';
    return [...new Set(text.split('\n').flatMap((line) => line.split(' ')[1] ?? []))].sort();
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
