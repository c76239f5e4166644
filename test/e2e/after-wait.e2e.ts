import { join } from 'node:path';
import { expect, it } from 'vitest';
import { killHard, orchestratorOf, release, stepsOf } from '../rig/ledger.ts';
import { signal, until, wholeLines } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** `orch wait && orch …`: what was waited for is done, and its orchestrator is about to end. */

it('a launch waits for an orchestrator that has nothing left to do', { timeout: 180_000 }, async () => {
  const rig = rigOf([stepsOf('A', ['one:go'])]);
  rig.write('next.json', JSON.stringify({ id: 'B', tasks: [{ run: 'true' }] }));
  expect((await rig.orch(['launch'])).code).toBe(0);
  // As one that is not scheduled for long.
  const orchestrator = await orchestratorOf(rig);
  signal(orchestrator, 'SIGSTOP');
  release(rig, 'go');
  expect((await rig.orch(['wait'])).code).toBe(0);
  const trace = join(rig.aside, 'trace');
  const next = rig.start(['launch', 'next.json'], { ORCH_FAILPOINT_TRACE: trace });
  let isOver = false;
  void next.finished.then(() => {
    isOver = true;
  });
  const tries = (): number =>
    wholeLines(trace).filter((line) => line.includes('store.orchestrator-lock.take ')).length;
  // Where work is left, a launch gives up after fewer.
  await until(() => isOver || tries() > 50, { what: 'the launch to wait', boundMs: 60_000 });
  signal(orchestrator, 'SIGCONT');
  expect(await next.finished).toMatchObject({ code: 0, stderr: '' });
  expect((await rig.orch(['wait'])).code).toBe(0);
  expect([rig.status('A'), rig.status('B')]).toEqual(['completed', 'completed']);
});

/** A worker that is not scheduled for a while once its last word is on disk. */
const LEAVES_LATE = { ORCH_FAILPOINT: 'worker/worker.word.after:delay:5000' };

it('a retry waits for a worker that has had its last word', { timeout: 180_000 }, async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'test "$ORCH_ATTEMPT" != 1' }] }]);
  expect((await rig.orch(['launch', '--restart', '0'], { env: LEAVES_LATE })).code).toBe(0);
  expect((await rig.orch(['wait'])).code).toBe(1);
  expect(await rig.orch(['retry', '--failed'])).toMatchObject({ code: 0, stdout: 'A  pending' });
  expect((await rig.orch(['wait'])).code).toBe(0);
  expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2 });
});

it('a launch adopts no worker that has had its last word where nobody orchestrates', {
  timeout: 180_000,
}, async () => {
  const rig = rigOf([stepsOf('A', ['one:go'])]);
  expect((await rig.orch(['launch'], { env: LEAVES_LATE })).code).toBe(0);
  await killHard(await orchestratorOf(rig));
  release(rig, 'go');
  await until(() => rig.status('A') === 'completed', { what: 'the last word of A' });
  expect(await rig.orch(['launch', '--fresh'])).toMatchObject({ code: 0 });
  expect((await rig.orch(['wait'])).code).toBe(0);
  expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2 });
});
