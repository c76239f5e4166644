import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { ORCH, personEnvironment, type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/**
 * A tool that prints 10 MB a second: logs stay within their bound, memory stays flat, and who looks is answered.
 * `ORCH_FLOOD_SECONDS=60` makes it the minute of the issue; 10 seconds are enough for a dozen rotations.
 */

const SECONDS = Number(process.env['ORCH_FLOOD_SECONDS'] ?? 10);
const MB = 1024 * 1024;
const MAX_SIZE = 32 * MB;
const KEEP = 2;
/** What a heap may grow before it is swept; a leak of what is printed would be 100 MB and more. */
const FLAT_BYTES = 64 * MB;
const FLOODS = join(import.meta.dirname, '../fixtures/programs/floods.mjs');

/** Bytes of memory that belong to a process, shared pages by their share; null once it is gone. */
function memoryOf(pid: number): number | null {
  try {
    const kb = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return kb === undefined ? null : Number(kb) * 1024;
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

function logBytes(rig: Rig): { total: number; largest: number } {
  let total = 0;
  let largest = 0;
  for (const name of readdirSync(join(rig.root, '.logs'))) {
    const size = statSync(join(rig.root, '.logs', name), { throwIfNoEntry: false })?.size ?? 0;
    if (!name.startsWith('loud.log')) continue;
    total += size;
    largest = Math.max(largest, size);
  }
  return { total, largest };
}

type Followed = {
  lines: number;
  gone: number;
  disorder: number;
  mostLateMs: number;
  last: string;
};

/** Counts what `orch logs -f` shows. */
function follow(rig: Rig): { pid: number; seen: Followed; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [ORCH, 'logs', 'loud', '-f'], {
    cwd: rig.root,
    env: personEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen: Followed = { lines: 0, gone: 0, disorder: 0, mostLateMs: 0, last: '' };
  let next = 0;
  // It may be too slow for what is kept, and says so.
  createInterface({ input: child.stderr }).on('line', (line) => {
    seen.gone += Number(/^orch: (\d+) bytes/.exec(line)?.[1] ?? 0);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    // Not the pieces of a line of which a part is gone.
    const [, number, at] = /^(\d{9}) (\d{13}) x{75}$/.exec(line) ?? [];
    if (number === undefined) {
      if (line.startsWith('last ')) seen.last = line;
      return;
    }
    const found = Number(number);
    if (found < next) seen.disorder += 1;
    next = Math.max(next, found + 1);
    seen.lines += 1;
    seen.mostLateMs = Math.max(seen.mostLateMs, Date.now() - Number(at));
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { pid: child.pid ?? 0, seen, ended };
}

test('10 MB/s of output: logs within their bound, memory flat, answers at once', {
  timeout: 400_000,
}, async () => {
  const rig = rigOf([{ id: 'loud', tasks: [{ run: `'${process.execPath}' '${FLOODS}' 10 ${SECONDS}` }] }], {
    'README.md': 'hello\n',
    'orch.config.json': JSON.stringify({ logs: { max_size: MAX_SIZE, keep: KEEP } }),
  });
  expect((await rig.orch(['launch'])).code).toBe(0);
  const pids = { worker: rig.pid('loud'), orchestrator: rig.pid('_orchestrator') };
  const follower = follow(rig);
  const memory: Record<string, number[]> = { worker: [], orchestrator: [], follower: [] };
  let most = { total: 0, largest: 0 };
  let slowest = 0;
  let rotations = 0;
  let parts = new Set<string>();
  await until(
    async () => {
      for (const [who, pid] of Object.entries({ ...pids, follower: follower.pid })) {
        const bytes = memoryOf(pid);
        if (bytes !== null) memory[who]?.push(bytes);
      }
      const { total, largest } = logBytes(rig);
      most = { total: Math.max(most.total, total), largest: Math.max(most.largest, largest) };
      const now = new Set(
        readdirSync(join(rig.root, '.logs')).filter((name) => /^loud\.log\.\d+-\d+$/.test(name)),
      );
      for (const name of now) if (!parts.has(name)) rotations += 1;
      parts = now;
      if (memory['worker']?.length !== 0 && (memory['worker']?.length ?? 0) % 40 === 0) {
        const begun = performance.now();
        expect((await rig.orch(['status', '--json'])).code).toBe(0);
        slowest = Math.max(slowest, performance.now() - begun);
      }
      return existsSync(join(rig.root, '.status/loud.json')) && rig.status('loud') === 'completed';
    },
    { what: 'the flood to be over', boundMs: SECONDS * 1000 + 240_000 },
  );
  expect(await follower.ended).toBe(0);
  const { seen } = follower;
  const written = Number(seen.last.split(' ')[1]);
  const gone = Math.round(seen.gone / 100);
  const lost = written - seen.lines - gone;
  const growth = Object.fromEntries(
    Object.entries(memory).map(([who, samples]) => {
      // What it takes to begin is no growth.
      const settled = samples.slice(Math.floor(samples.length / 4));
      return [who, { from: settled[0] ?? 0, most: Math.max(0, ...settled) }];
    }),
  );
  const mb = (bytes: number): string => `${(bytes / MB).toFixed(1)} MB`;
  process.stdout.write(
    `${[
      `${SECONDS} s, ${written} lines (${mb(written * 100)}), ${rotations} rotations`,
      `logs: at most ${mb(most.total)} in all, ${mb(most.largest)} in one file (bound ${mb(MAX_SIZE * (KEEP + 1))}, ${mb(MAX_SIZE)})`,
      ...Object.entries(growth).map(
        ([who, { from, most: top }]) => `${who}: ${mb(from)}, at most ${mb(top)}`,
      ),
      `logs -f: ${seen.lines} lines, ${gone} told as gone, ${lost} lost untold, ${seen.disorder} told twice, at most ${seen.mostLateMs} ms late`,
      `status: at most ${Math.round(slowest)} ms`,
    ].join('\n')}\n`,
  );
  expect(rotations).toBeGreaterThan(SECONDS / 4);
  expect(most.total).toBeLessThanOrEqual(MAX_SIZE * (KEEP + 1));
  for (const [who, { from, most: top }] of Object.entries(growth))
    expect([who, top - from < FLAT_BYTES]).toEqual([who, true]);
  expect(seen.disorder).toBe(0);
  // A few writes may fall between the last look and the cut.
  expect(lost).toBeLessThan(written / 200);
  expect(slowest).toBeLessThan(20_000);
});
