import { expect, it } from 'vitest';
import { rigOf } from '../rig/rigs.ts';

it('gives the slot of one that has just completed to what waited for it, not to what is less urgent', {
  timeout: 120_000,
}, async () => {
  // Looks come every 2 s here, and are held up in the middle: that is when these end.
  const tasks = [{ run: 'sleep 2.1' }];
  const rig = rigOf([
    { id: 'first', priority: 'high', tasks },
    { id: 'second', priority: 'high', depends_on: ['first'], tasks },
    { id: 'third', priority: 'high', depends_on: ['second'], tasks: [{ run: 'true' }] },
    { id: 'low', priority: 'low', tasks: [{ run: 'true' }] },
  ]);
  // Between the look at a record and the look at its process.
  const env = { ORCH_FAILPOINT: '_orchestrate/orchestrate.records.read:delay:700' };
  expect((await rig.orch(['launch', '--max-parallel', '1'], { env })).code).toBe(0);
  expect((await rig.orch(['wait'])).code).toBe(0);
  const begun = rig.events().filter(({ event, to }) => event === 'state' && to === 'starting');
  expect(begun.map(({ workstream }) => workstream)).toEqual(['first', 'second', 'third', 'low']);
});

it('says that all began where all is over before the launch has looked for it', async () => {
  const rig = rigOf([{ id: 'quick', tasks: [{ run: 'true' }] }]);
  // Between the look at who orchestrates and the look at the records.
  const env = { ORCH_FAILPOINT: 'launch/cli.first-reports.look:delay:8000' };
  expect(await rig.orch(['launch'], { env })).toMatchObject({ code: 0, stderr: '' });
});
