import { expect, it } from 'vitest';
import { killHard, orchestratorOf, release, stepsOf, untilRuns } from '../rig/ledger.ts';
import { rigOf } from '../rig/rigs.ts';

/** The orchestrator has died, and a worker that ends starts the next one. */
it.each([
  ['the worker that starts it is slow', 'worker/worker.word.after:delay:5000'],
  ['it is slow to begin', '_orchestrate/store.orchestrator-lock.take:delay:5000'],
])(
  'wait stays while another orchestrator is about to come: %s',
  { timeout: 240_000 },
  async (_what, failpoint) => {
    const rig = rigOf([stepsOf('A', ['one:go']), stepsOf('B', ['one'], { depends_on: ['A'] })]);
    expect((await rig.orch(['launch'], { env: { ORCH_FAILPOINT: failpoint } })).code).toBe(0);
    await untilRuns(rig, 'A', 'one');
    await killHard(await orchestratorOf(rig));
    release(rig, 'go');
    expect(await rig.orch(['wait', '--quiet'])).toMatchObject({ code: 0, stderr: '' });
  },
);
