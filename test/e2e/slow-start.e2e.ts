import { join } from 'node:path';
import { expect, it } from 'vitest';
import { killHard, orchestratorOf, release, stepsOf, untilRuns } from '../rig/ledger.ts';
import { wholeLines } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

it('an orchestrator that is slow to take its role is the only one that a watcher starts', {
  timeout: 240_000,
}, async () => {
  const rig = rigOf([stepsOf('A', ['one:go'])]);
  expect((await rig.orch(['launch'])).code).toBe(0);
  await untilRuns(rig, 'A', 'one');
  await killHard(await orchestratorOf(rig));
  await killHard(rig.pid('A'));
  release(rig, 'go');
  const trace = join(rig.aside, 'trace');
  const env = {
    ORCH_FAILPOINT: '_orchestrate/store.orchestrator-lock.take:delay:8000',
    ORCH_FAILPOINT_TRACE: trace,
  };
  expect((await rig.orch(['reattach', '--quiet'], { env })).code).toBe(0);
  const takers = wholeLines(trace).flatMap((line) => {
    const [role, place, pid] = line.split(' ');
    return role === '_orchestrate' && place === 'store.orchestrator-lock.take' ? [pid] : [];
  });
  expect(new Set(takers).size).toBe(1);
  expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2 });
});
