import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { BOUND_MS, expectAllDone, liveOrchestrator, runsOf, sessionOf, stepsOf } from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

const IDS = ['A', 'B', 'C', 'D', 'E', 'F'];
const PLAN = {
  workstreams: [
    ...['A', 'B', 'C'].map((id) => stepsOf(id, ['one', 'two'])),
    ...['D', 'E', 'F'].map((id, at) => stepsOf(id, ['one', 'two'], { depends_on: [['A', 'B', 'C'][at]] })),
  ],
};
/** So many that what is shown here does not depend on how often a kill hits the same workstream. */
const OPTIONS = ['--max-parallel', '2', '--restart', '50'];

const isOver = (rig: Rig): boolean => IDS.every((id) => rig.status(id) === 'completed');

/** The same numbers below `limit` in each run of the tests. */
function makeDice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * limit);
  };
}

type Marked = { pid: number; isWorker: boolean; session: number; workstream: string };

/** What tells a worker from its tools, which are in sessions of their own; null once it is gone. */
function lookAt({ pid, command }: { pid: number; command: string }): Marked | null {
  try {
    const session = sessionOf(pid);
    const environ = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    const workstream = environ.find((entry) => entry.startsWith('ORCH_WORKSTREAM=')) ?? '';
    return { pid, isWorker: session === pid && command.includes('worker.js'), session, workstream };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** A tool dies with its worker or not at all: one that somebody ends alone has failed, and that is final. */
function killSome(rig: Rig, dice: (limit: number) => number): void {
  const seen = rig.processes().map((one) => ({ ...one, isStruck: dice(3) > 0 }));
  const marked = seen.flatMap((one) => {
    const found = lookAt(one);
    return found === null ? [] : [{ ...found, isStruck: one.isStruck }];
  });
  const spared = marked.filter(({ isWorker, isStruck }) => isWorker && !isStruck);
  const isToolOfSpared = ({ workstream, session }: Marked): boolean =>
    spared.some((worker) => worker.workstream === workstream && worker.pid !== session);
  const victims = marked.filter((one) => one.isStruck && !isToolOfSpared(one));
  // Workers first: none may see its tool end.
  victims.sort((a, b) => Number(b.isWorker) - Number(a.isWorker));
  for (const { pid } of victims) signal(pid, 'SIGKILL');
}

async function reattach(rig: Rig): Promise<void> {
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, IDS);
}

it.concurrent('never has two workers for one, wherever a launch is cut off', async (context) => {
  const rig = rigFor(context, PLAN);
  const launcher = rig.start(['launch', ...OPTIONS]);
  const dice = makeDice(1);
  for (let round = 0; round < 10 && !isOver(rig); round += 1) {
    const watcher = round === 0 ? launcher : rig.start(['reattach', '--quiet']);
    // It may do the last of the work and be gone before it is seen here.
    await until(() => liveOrchestrator(rig) > 0 || isOver(rig), {
      what: 'an orchestrator',
      boundMs: BOUND_MS,
    });
    const orchestrator = liveOrchestrator(rig);
    await sleep(dice(400));
    for (const pid of [orchestrator, watcher.pid]) if (pid > 0) signal(pid, 'SIGKILL');
    await until(() => !isAlive(orchestrator), { what: 'the orchestrator to end' });
    await watcher.finished;
  }
  await reattach(rig);
  // No worker was killed: each task ran once, in all attempts together.
  expect(runsOf(rig)).toHaveLength(12);
});

it.concurrent('finishes everything after kills of anything at any moment', async (context) => {
  const rig = rigFor(context, PLAN);
  const dice = makeDice(7);
  const launched = rig.start(['launch', ...OPTIONS]);
  await until(() => rig.status('A') !== null, { what: 'a record', boundMs: BOUND_MS });
  for (let round = 0; round < 8 && !isOver(rig); round += 1) {
    // Several at once, who all want to repair the same.
    const commands = [
      ['reattach', '--quiet'],
      ['reattach', '--once', '--quiet'],
      ['reap', '--quiet'],
    ];
    const started = commands.map((args) => rig.start(args));
    await sleep(300 + dice(900));
    killSome(rig, dice);
    for (const { pid } of started) signal(pid, 'SIGKILL');
    for (const { finished } of started) await finished;
  }
  signal(launched.pid, 'SIGKILL');
  await launched.finished;
  await reattach(rig);
});
