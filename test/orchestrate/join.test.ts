import { expect, it } from 'vitest';
import { join, withJoinings } from '../../lib/orchestrate/join.ts';
import type { View, World } from '../../lib/orchestrate/world.ts';
import { leftToBegin } from '../../lib/protocol/anew.ts';
import type { Anew, FrozenPlan, PlannedWorkstream } from '../../lib/protocol/plan.ts';
import type { StatusRecord } from '../../lib/protocol/status.ts';
import { plainRecord } from '../protocol/arbitraries.ts';
import { worldOf } from '../rig/worlds.ts';

const ID = 'WS-001';
const SEEN = plainRecord().last_update;
const planned = (anew?: Anew): PlannedWorkstream =>
  ({
    id: ID,
    definition: 'd',
    depends_on: [],
    ...(anew === undefined ? {} : { anew }),
  }) as unknown as PlannedWorkstream;
const planOf = (one: PlannedWorkstream): FrozenPlan =>
  ({ run: 'run-1', workstreams: [one] }) as unknown as FrozenPlan;
const done = (changes: Partial<StatusRecord> = {}): StatusRecord =>
  plainRecord({ status: 'completed', exit_code: 0, head: 'a'.repeat(40), run: 'run-0', ...changes });

/** What the launch before left: `anew` is its word of the record, which may be cut off before it is done. */
function after(record: StatusRecord | null, anew?: Anew): World {
  const read = record === null ? { kind: 'missing', mtimeMs: null } : { kind: 'record', record, mtimeMs: 1 };
  const one = planned(anew);
  const view = { id: ID, read, planned: one, liveWorker: null, liveness: null } as unknown as View;
  return worldOf(planOf(one), false, [view], []);
}

it.each([
  ['keeps what is completed', after(done()), false, { how: 'keep' }],
  ['starts it over when told', after(done()), true, { how: 'requeue', anew: { seen: SEEN, fresh: true } }],
  ['makes what is missing', after(null), true, { how: 'create', anew: { seen: null, fresh: true } }],
  [
    'goes on with what an earlier launch was to start over and did not come to',
    after(done(), { seen: SEEN, fresh: true }),
    false,
    { how: 'requeue', anew: { seen: SEEN, fresh: true } },
  ],
  [
    'keeps what that launch did, as any other work',
    after(done({ run: 'run-1', last_update: SEEN + 1 }), { seen: SEEN, fresh: true }),
    false,
    { how: 'keep' },
  ],
] as const)('a launch %s', (_, world, fresh, expected) => {
  expect(join(world, [planned()], fresh)).toMatchObject([{ id: ID, ...expected }]);
});

it('a plan says of what begins anew that it does, and of nothing else', () => {
  const plan = planOf(planned());
  const of = (world: World, fresh: boolean) =>
    withJoinings(plan, join(world, [planned()], fresh)).workstreams[0];
  expect(of(after(done()), false)).toEqual(planned());
  expect(of(after(done()), true)).toEqual(planned({ seen: SEEN, fresh: true }));
});

it.each<[string, Partial<StatusRecord>, Anew | undefined, boolean]>([
  ['the record is the one that the launch saw', {}, { seen: SEEN, fresh: false }, true],
  ['somebody has written it since', { last_update: SEEN + 1 }, { seen: SEEN, fresh: false }, false],
  ['it is of this run already', { run: 'run-1' }, { seen: SEEN, fresh: false }, false],
  ['the launch kept it', {}, undefined, false],
  ['the launch saw none', {}, { seen: null, fresh: true }, false],
])(
  'a launch has left something to do only where nobody has done anything since: %s',
  (_, changes, anew, isLeft) => {
    expect(leftToBegin('run-1', planned(anew), done(changes)) !== null).toBe(isLeft);
  },
);
