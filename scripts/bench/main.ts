import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchIdle } from './idle.ts';
import { benchParallel } from './parallel.ts';
import { env, makeRepository, ORCH, orch } from './repository.ts';

/**
 * Measures start-up and memory as ratios against a floor in the same run: `npm run bench`.
 *
 * - `orch status` over 3 and over 1,000 records against bare `node -e 0`, runs taken in turns;
 * - memory (PSS) of idle workers against an idle node that does nothing;
 * - three workstreams at once against one after the other, attached and detached.
 *
 * `npm run bench -- parallel 5` measures the last alone, with workstreams of 5 s in place of 20. `npm run bench -- idle`
 * measures, and nothing else does, what idle programs and hung agents use: over 300 s, or as many as it is told;
 * `npm run bench -- idle 600 opencode codex` only these.
 */

const ROUNDS = 21;

function milliseconds(args: readonly string[]): number {
  const begun = performance.now();
  execFileSync(process.execPath, args, { env, stdio: 'ignore' });
  return performance.now() - begun;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Proportional set size in MB: what a process adds, shared pages counted by share. */
function pssMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1]) / 1024;
}

/** Copies of one finished record, as `orch` writes them. */
function fillRecords(root: string, count: number): void {
  const model = readFileSync(join(root, '.status/WS-1.json'), 'utf8');
  for (let index = 2; index <= count; index += 1) {
    writeFileSync(join(root, `.status/WS-${index}.json`), model.replaceAll('WS-1', `WS-${index}`), {
      mode: 0o600,
    });
  }
}

function benchStartUp(): void {
  const root = makeRepository(1, 'true');
  orch(root, 'launch');
  orch(root, 'wait');
  for (const count of [3, 1_000]) {
    fillRecords(root, count);
    const floor: number[] = [];
    const human: number[] = [];
    const json: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      floor.push(milliseconds(['-e', '0']));
      human.push(milliseconds([ORCH, 'status', '--root', root]));
      json.push(milliseconds([ORCH, 'status', '--json', '--root', root]));
    }
    const base = median(floor);
    const show = (values: readonly number[]): string =>
      `${median(values).toFixed(0)} ms (${(median(values) / base).toFixed(2)} x)`;
    console.log(
      `${count} records: node -e 0 ${base.toFixed(0)} ms, orch status ${show(human)}, orch status --json ${show(json)}`,
    );
  }
  rmSync(root, { recursive: true, force: true });
}

async function benchMemory(): Promise<void> {
  const workers = 10;
  const root = makeRepository(workers, 'sleep 60');
  mkdirSync(root, { recursive: true });
  orch(root, 'launch', '--max-parallel', String(workers));
  await new Promise((resolve) => setTimeout(resolve, 8_000));
  const { spawn } = await import('node:child_process');
  const bare = Array.from({ length: workers }, () =>
    spawn(process.execPath, ['-e', 'setInterval(()=>{},1e6)'], { stdio: 'ignore', env }),
  );
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const floor = median(bare.map(({ pid }) => pssMb(pid ?? 0)));
  const sizes = Array.from({ length: workers }, (_, index) =>
    pssMb(Number(readFileSync(join(root, `.pids/WS-${index + 1}.pid`), 'utf8'))),
  );
  const orchestrator = pssMb(Number(readFileSync(join(root, '.pids/_orchestrator.pid'), 'utf8')));
  const worker = median(sizes);
  console.log(
    `PSS with ${workers} of each: bare node ${floor.toFixed(1)} MB, worker ${worker.toFixed(1)} MB (${(worker / floor).toFixed(2)} x), orchestrator ${orchestrator.toFixed(1)} MB`,
  );
  for (const child of bare) child.kill('SIGKILL');
  orch(root, 'stop', '--all');
  rmSync(root, { recursive: true, force: true });
}

const [what = 'all', seconds, ...only] = process.argv.slice(2);
if (what === 'all') {
  console.log(`node ${process.version}, ${ROUNDS} rounds, medians`);
  benchStartUp();
  await benchMemory();
}
if (what === 'idle') await benchIdle(Number(seconds ?? 300), only);
else if (!benchParallel(Number(seconds ?? 20))) process.exitCode = 1;
