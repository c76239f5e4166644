import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { BOUND_MS, expectAllDone, orchestratorOf, runsOf, stepsOf } from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

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

async function reattach(rig: Rig): Promise<void> {
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, IDS);
}

it.each([1,2,3,4,5,6,7,8,9,10])('never has two %i', async (gateSeed) => {
  const rig = rigOf(PLAN);
  const launcher = rig.start(['launch', ...OPTIONS]);
  const dice = makeDice(gateSeed);
  for (let round = 0; round < 10 && !isOver(rig); round += 1) {
    const watcher = round === 0 ? launcher : rig.start(['reattach', '--quiet']);
    const orchestrator = await orchestratorOf(rig);
    await sleep(dice(400));
    for (const pid of [orchestrator, watcher.pid]) signal(pid, 'SIGKILL');
    await until(() => !isAlive(orchestrator), { what: 'the orchestrator to end' });
    await watcher.finished;
  }
  await reattach(rig);
  // No worker was killed: each task ran once, in all attempts together.
  expect(runsOf(rig)).toHaveLength(12);
});

it.each([21,22,23,24,25,26,27,28,29,30])('finishes everything after kills of anything at any moment (seed %i)', async (seed) => {
  const rig = rigOf(PLAN);
  const dice = makeDice(seed);
  const launched = rig.start(['launch', ...OPTIONS]);
  await until(() => rig.status('A') !== null, { what: 'a record', boundMs: BOUND_MS });
  for (let round = 0; round < 12 && !isOver(rig); round += 1) {
    const watcher = rig.start(['reattach', '--quiet']);
    await sleep(300 + dice(900));
    const victims = [watcher, ...rig.processes()].filter(() => dice(3) > 0);
    for (const { pid } of victims) signal(pid, 'SIGKILL');
    signal(watcher.pid, 'SIGKILL');
    await watcher.finished;
  }
  signal(launched.pid, 'SIGKILL');
  await launched.finished;
  await reattach(rig);
});
