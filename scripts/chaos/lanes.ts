import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RoundReport } from '../../lib/proof/chaos/round.ts';
import { newTally } from '../../lib/proof/chaos/tally.ts';
import type { Order } from './one-round.ts';
import { type World, type WorldName, worldOf } from './worlds.ts';

/** Rounds as processes of their own, so that what is done to one machine is not done to the other rounds. */

const ROUND = fileURLToPath(new URL('one-round.ts', import.meta.url));
/** Far beyond all bounds inside. */
const HANGS_MS = 1_800_000;
/** init of the namespace: takes in orphans, and ends when the round does, with all that is left. */
const INIT = '"$@" & wait $!';

const SPACES: Record<World['space'], readonly string[]> = {
  none: [],
  mounts: ['unshare', '--mount', '--propagation', 'private', '--'],
  processes: [
    ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', '--kill-child'],
    ...['--', 'sh', '-c', INIT, 'init'],
  ],
};

export type Finished = RoundReport & { world: WorldName };

const atWork = new Set<ChildProcess>();
let isStopped = false;

/** Asks the rounds at work to end; they clean up. */
export function stopRounds(): void {
  isStopped = true;
  for (const child of atWork) child.kill('SIGTERM');
}

/** Runs one round; what it left beside its report is a fault. */
export async function runInSpace(order: Omit<Order, 'report'>): Promise<Finished> {
  const temp = realpathSync(mkdtempSync(join(tmpdir(), `orch-chaos-${order.seed}-${order.round}-`)));
  const report = join(temp, 'report.json');
  const log = openSync(join(temp, 'round.err'), 'a');
  const [file = '', ...args] = [
    ...SPACES[worldOf(order.world).space],
    ...[process.execPath, '--import', 'tsx', ROUND, JSON.stringify({ ...order, report } satisfies Order)],
  ];
  const begun = performance.now();
  const child = spawn(file, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, TMPDIR: temp },
    detached: true,
    timeout: HANGS_MS,
  });
  atWork.add(child);
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(String(code ?? signal)));
  });
  atWork.delete(child);
  const seconds = (performance.now() - begun) / 1_000;
  if (!existsSync(report)) {
    // With its namespace all processes and mounts of the round went.
    if (isStopped) rmSync(temp, { recursive: true, force: true, maxRetries: 5 });
    const err = isStopped ? '' : readFileSync(join(temp, 'round.err'), 'utf8').trim().slice(-600);
    const what = `the round ended (${how}) without a report: ${err}`;
    return {
      ...NOTHING,
      world: order.world,
      round: order.round,
      seconds,
      faults: [{ guarantee: null, what }],
      kept: temp,
    };
  }
  const found = JSON.parse(readFileSync(report, 'utf8')) as RoundReport;
  if (found.kept === null) rmSync(temp, { recursive: true, force: true, maxRetries: 5 });
  return { ...found, world: order.world };
}

const NOTHING = { tally: newTally(), workstreams: 0, attempts: 0, reads: 0, checks: {} };
