import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ORCH, type Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** What is large on disk is not held in memory: peak memory of a command, beside that of the same one without it. */

const LARGE_BYTES = 100 * 1024 * 1024;
const ROOM_KIB = 40 * 1024;
const BOUND_MS = 180_000;

/** Peak resident memory in KiB, measured by the process itself at its end. */
function peakKib(rig: Rig, args: readonly string[]): number {
  const tell = `process.on('exit', () => require('node:fs').writeSync(2, '\\npeak ' + process.resourceUsage().maxRSS + '\\n'))`;
  const preload = `data:text/javascript,${encodeURIComponent(`import {createRequire} from 'node:module'; const require = createRequire('/'); ${tell}`)}`;
  const done = spawnSync(process.execPath, ['--import', preload, ORCH, ...args, '--root', rig.root], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: BOUND_MS,
  });
  const peak = /\npeak (\d+)\n/.exec(done.stderr)?.[1];
  if (peak === undefined) throw new Error(`no peak: ${done.stderr.slice(-2_000)}`);
  return Number(peak);
}

function large(path: string, begin: string): void {
  const descriptor = openSync(path, 'w');
  const block = Buffer.alloc(1024 * 1024, 'x');
  writeSync(descriptor, begin);
  for (let bytes = 0; bytes < LARGE_BYTES; bytes += block.length) writeSync(descriptor, block);
  closeSync(descriptor);
}

test(
  'records, PID files, events, histories, logs and plans of 100 MB cost no memory',
  () => {
    const rig = rigOf();
    for (const folder of ['.status', '.pids', '.logs']) mkdirSync(join(rig.root, folder), { mode: 0o700 });
    rig.write('.status/A.json', '{"status": "completed"}');
    rig.write('.logs/A.log', 'x\n');
    rig.write('orch.plan.json', '[{"id": "A", "tasks": [{"run": "true"}]}]');
    const commands = [
      ['status'],
      ['status', '--json'],
      ['reap', '--dry-run'],
      ['logs', 'A', '--json'],
      ['logs', 'A', '--attempt', '1'],
      ['plan', '--json'],
    ];
    const before = commands.map((args) => peakKib(rig, args));
    const at = (path: string): string => join(rig.root, path);
    large(at('.status/B.json'), '{"status": "running", "x": "');
    large(at('.pids/B.pid'), '1');
    large(at('.status/_orchestrator.json'), '{"pid": 1, "x": "');
    large(at('.status/A.history.ndjson'), '{"entry": "attempt", "x": "');
    large(at('.logs/_events.ndjson'), '{"x": "');
    large(at('.logs/A.log'), '');
    large(at('orch.plan.json'), '[{"id": "');
    for (const [index, args] of commands.entries()) {
      const grown = peakKib(rig, args) - (before[index] ?? 0);
      expect([args, grown > ROOM_KIB ? grown : 'little']).toEqual([args, 'little']);
    }
  },
  BOUND_MS * 3,
);
