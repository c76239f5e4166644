import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Action, backoffMs, decide, isOpen } from '../../lib/orchestrate/decide.ts';
import { recordOf, type View, type World } from '../../lib/orchestrate/world.ts';
import type { FrozenPlan } from '../../lib/protocol/plan.ts';
import type { StatusRecord } from '../../lib/protocol/status.ts';
import { ALL, anyWorld, freshWorld, permissions, worldOf } from '../rig/worlds.ts';
import { apply, live, modelOf } from './model.ts';

const RUNS = { numRuns: 1000 };
const FAILED = ['failed', 'timed_out', 'stopped', 'conflict', 'blocked'];

function viewOf(world: World, id: string | null): View {
  const view = id === null ? undefined : world.byId.get(id);
  if (view === undefined) throw new Error(`an action for ${id}, which is not there`);
  return view;
}

function statusOf(world: World, id: string): StatusRecord['status'] | null {
  const view = world.byId.get(id);
  return (view === undefined ? null : recordOf(view))?.status ?? null;
}

/** Its launch was cut off before it began it anew: what its record says is of an earlier plan. */
function isLeft(world: World, id: string): boolean {
  const view = world.byId.get(id);
  const record = view === undefined ? null : recordOf(view);
  if (record === null || record.status === 'starting' || record.status === 'running') return false;
  return record.run !== world.plan?.run && view?.planned?.anew?.seen === record.last_update;
}

/** Said again, in other words than those of `decide`: no way on without a person. */
function failedForGood(world: World, id: string): boolean {
  const view = world.byId.get(id);
  const record = view === undefined ? null : recordOf(view);
  if (record === null || isLeft(world, id)) return false;
  if (record.status === 'crashed')
    return record.restarts >= (world.plan?.options.restart ?? 0) + Math.min(record.cut_offs, 10);
  return FAILED.includes(record.status);
}

/** Of a crashed one: no restarts are left. */
const ranOut = (world: World, view: View): boolean => {
  const { restarts = 0, cut_offs = 0 } = recordOf(view) ?? {};
  return restarts >= (world.plan?.options.restart ?? 0) + Math.min(cut_offs, 10);
};

const isDone = (world: World, id: string): boolean =>
  !isLeft(world, id) && ['completed', 'merged'].includes(statusOf(world, id) ?? '');

/** As it is once its worker could not be started, for a reason that lasts. */
function unstartable(view: View): View {
  const record = recordOf(view);
  if (record?.status !== 'pending') return view;
  const reason = { code: 'spawn_failed', message: 'its log is a folder', hint: null };
  return { ...view, read: { kind: 'record', record: { ...record, reason }, mtimeMs: 1 } };
}

const withSlots = (plan: FrozenPlan, maxParallel: number): FrozenPlan => ({
  ...plan,
  options: { ...plan.options, maxParallel },
});

function each<T extends Action['type']>(actions: Action[], type: T): Extract<Action, { type: T }>[] {
  return actions.filter((action): action is Extract<Action, { type: T }> => action.type === type);
}

describe('decide, in any world', () => {
  it('launches only what is pending, ready and has nobody alive', () => {
    let launches = 0;
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        for (const { id } of each(decide(world, allowed), 'launch')) {
          launches += 1;
          const view = viewOf(world, id);
          expect(recordOf(view)?.status).toBe('pending');
          expect(view.liveWorker).toBeNull();
          expect(view.liveness).toBeNull();
          expect(view.leftovers).toEqual([]);
          expect(view.stopAskedMs).toBeNull();
          expect(view.planned).not.toBeNull();
          expect(world.lacking.has(id)).toBe(false);
          for (const dependency of view.planned?.depends_on ?? [])
            expect(isDone(world, dependency)).toBe(true);
        }
      }),
      RUNS,
    );
    expect(launches).toBeGreaterThan(30);
  });

  it('never takes more slots than there are, nor launches one twice', () => {
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        const ids = each(decide(world, allowed), 'launch').map(({ id }) => id);
        const taken = world.views.filter(
          ({ liveness, liveWorker }) => liveWorker !== null || liveness === 'alive' || liveness === 'unknown',
        );
        const slots = world.plan?.options.maxParallel ?? 0;
        expect(ids.length).toBeLessThanOrEqual(Math.max(0, slots - taken.length));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      RUNS,
    );
  });

  it('fills all free slots with what is ready, by priority and then by plan order', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const ids = each(decide(world, ALL), 'launch').map(({ id }) => id);
        const ready = world.held
          ? []
          : world.views.filter((view) => {
              if (recordOf(view)?.status !== 'pending' || view.planned === null || view.stopAskedMs !== null)
                return false;
              if (view.liveWorker !== null || view.leftovers.length > 0) return false;
              if (world.lacking.has(view.id) || isLeft(world, view.id)) return false;
              return view.planned.depends_on.every((dependency) => isDone(world, dependency));
            });
        const taken = world.views.filter(
          (view) => view.liveWorker !== null || view.liveness === 'unknown',
        ).length;
        const free = Math.max(0, (world.plan?.options.maxParallel ?? 0) - taken);
        const places = new Map(world.views.map(({ id }, at) => [id, at]));
        const key = (view: View): number =>
          -(view.planned?.priority ?? 0) * 1000 + (places.get(view.id) ?? 0);
        const expected = [...ready].sort((a, b) => key(a) - key(b)).map(({ id }) => id);
        expect(ids).toEqual(expected.slice(0, free));
      }),
      RUNS,
    );
  });

  it('does nothing to what is unknown but clean up beside it', () => {
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        for (const action of decide(world, allowed)) {
          if (action.id === null || viewOf(world, action.id).liveness !== 'unknown') continue;
          expect(['kill', 'remove']).toContain(action.type);
        }
      }),
      RUNS,
    );
  });

  it('settles the dead alone, and what waits or crashed under a person’s stop', () => {
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        for (const { id, status } of each(decide(world, allowed), 'settle')) {
          const view = viewOf(world, id);
          const state = recordOf(view)?.status ?? '';
          if (view.read.kind === 'foreign') {
            expect(view.foreignEnd?.status).toBe(status);
            continue;
          }
          if (view.liveness === 'dead') expect(['starting', 'running']).toContain(state);
          else {
            expect(view.stopAskedMs).not.toBeNull();
            expect(['pending', 'crashed']).toContain(state);
          }
          expect(status).toBe(view.stopAskedMs === null ? 'crashed' : 'stopped');
        }
        for (const view of world.views.filter(({ liveness }) => liveness === 'dead')) {
          expect(each(decide(world, allowed), 'settle').map(({ id }) => id)).toContain(view.id);
        }
      }),
      RUNS,
    );
  });

  it('ends only what lives and is past a bound', () => {
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        for (const { id, status } of each(decide(world, allowed), 'end')) {
          const view = viewOf(world, id);
          expect(view.liveness).toBe('alive');
          if (status === 'stopped') expect(view.stopAskedMs).toBeGreaterThan(10_000);
          if (status === 'timed_out') expect(view.awakeMs).toBeGreaterThan(8 * 3_600_000);
          if (status === 'crashed')
            expect([recordOf(view)?.status, view.sinceMs]).toEqual(['starting', 61_000]);
        }
      }),
      RUNS,
    );
  });

  it('launches and requeues nothing while it is held', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const actions = decide({ ...world, held: true }, ALL);
        expect(each(actions, 'launch')).toEqual([]);
        expect(each(actions, 'requeue')).toEqual([]);
        expect(each(actions, 'rejoin')).toEqual([]);
      }),
      RUNS,
    );
  });

  it('keeps to its permissions', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const repair = decide(world, { launch: false, restart: false });
        for (const type of ['launch', 'requeue', 'create', 'rejoin'] as const)
          expect(each(repair, type)).toEqual([]);
        const once = decide(world, { launch: false, restart: true });
        expect([...each(once, 'create'), ...each(once, 'rejoin')]).toEqual([]);
        for (const { id } of each(once, 'launch'))
          expect(recordOf(viewOf(world, id))?.restarts).toBeGreaterThan(0);
        expect(each(decide(world, { launch: true, restart: false }), 'requeue')).toEqual([]);
        // What is no launch and no restart does not depend on them.
        const rest = (actions: Action[]): Action[] =>
          actions.filter(({ type }) => !['launch', 'requeue', 'create', 'rejoin', 'hold'].includes(type));
        expect(rest(repair)).toEqual(rest(decide(world, ALL)));
      }),
      RUNS,
    );
  });

  it('blocks exactly those with a dependency that failed for good, and releases the others', () => {
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        const actions = decide(world, allowed);
        const blocks = new Map(each(actions, 'block').map((action) => [action.id, action]));
        const released = each(actions, 'release').map(({ id }) => id);
        for (const view of world.views) {
          const record = recordOf(view);
          const failed = (view.planned?.depends_on ?? []).filter((dependency) =>
            failedForGood(world, dependency),
          );
          const block = blocks.get(view.id);
          if (block !== undefined) {
            expect(block.blockedBy).toEqual(failed);
            expect(failed).not.toEqual([]);
          }
          const isWaiting = record?.status === 'pending' || record?.status === 'blocked';
          if (view.planned === null || !isWaiting || isLeft(world, view.id)) {
            expect(block).toBeUndefined();
            expect(released).not.toContain(view.id);
          } else if (record.status === 'pending') {
            expect(block !== undefined).toBe(failed.length > 0 && view.stopAskedMs === null);
          } else {
            const same = [...record.blocked_by].sort().join() === [...failed].sort().join();
            expect(block !== undefined).toBe(failed.length > 0 && !same);
            expect(released.includes(view.id)).toBe(failed.length === 0);
          }
        }
      }),
      RUNS,
    );
  });

  it('says why what could begin does not, once, and takes it back when that is over', () => {
    let holds = 0;
    fc.assert(
      fc.property(anyWorld, (world) => {
        const model = modelOf(world, []);
        const said = each(decide(world, ALL), 'hold');
        for (const action of said) {
          holds += 1;
          expect(action.reason).toEqual(world.lacking.get(action.id) ?? null);
          apply(model, action);
          expect(recordOf(viewOf(model.world, action.id))?.reason).toEqual(action.reason);
        }
        expect(each(decide(model.world, ALL), 'hold')).toEqual([]);
        const mended = modelOf({ ...model.world, lacking: new Map() }, []);
        for (const action of decide(mended.world, ALL)) apply(mended, action);
        for (const { id } of said) expect(recordOf(viewOf(mended.world, id))?.reason).toBeNull();
      }),
      // In a thousand there are 18, give or take: five or fewer once in some thousand times.
      { numRuns: 3000 },
    );
    expect(holds).toBeGreaterThan(5);
  });

  it('does what a cut-off launch had left to do, and concludes nothing from a record until then', () => {
    let joined = 0;
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        const actions = decide(world, allowed);
        for (const view of world.views.filter(({ id }) => isLeft(world, id))) {
          const { id, planned, stopAskedMs, liveWorker, leftovers } = view;
          const status = recordOf(view)?.status;
          const isOver = status === 'crashed' ? ranOut(world, view) : status !== 'pending';
          const isDue = allowed.launch && !world.held && liveWorker === null && leftovers.length === 0;
          const said = actions.filter((action) => action.id === id);
          const writes = said.filter(({ type }) => type !== 'kill' && type !== 'remove');
          // A person stopped it after that launch.
          if (stopAskedMs !== null && !isOver) expect(writes).toMatchObject([{ type: 'settle' }]);
          else if (isDue) expect(writes).toMatchObject([{ type: 'rejoin', fresh: planned?.anew?.fresh }]);
          else expect(writes).toEqual([]);
          joined += isDue ? 1 : 0;
        }
        for (const { id } of each(actions, 'rejoin')) expect(isLeft(world, id)).toBe(true);
      }),
      RUNS,
    );
    expect(joined).toBeGreaterThan(20);
  });

  it('restarts after a crash only while restarts are left, the backoff is over and nothing is left behind', () => {
    let restarted = 0;
    fc.assert(
      fc.property(anyWorld, (world) => {
        for (const { id, restarts } of each(decide(world, ALL), 'requeue')) {
          restarted += 1;
          const view = viewOf(world, id);
          const record = recordOf(view);
          expect(record?.status).toBe('crashed');
          expect(restarts).toBe((record?.restarts ?? 0) + 1);
          expect(restarts).toBeLessThanOrEqual(
            (world.plan?.options.restart ?? 0) + Math.min(10, record?.cut_offs ?? 0),
          );
          expect(view.sinceMs).toBeGreaterThanOrEqual(backoffMs(restarts - 1));
          expect([view.leftovers, view.liveWorker, view.stopAskedMs]).toEqual([[], null, null]);
        }
      }),
      RUNS,
    );
    expect(restarted).toBeGreaterThan(20);
  });

  it('counts no restart for a launch that was cut off, ten times at most', () => {
    const [sample] = fc.sample(freshWorld, { numRuns: 1, seed: 1 });
    const [view] = sample?.views ?? [];
    if (sample === undefined || view === undefined) throw new Error('no sample');
    const plan =
      sample.plan === null ? null : { ...sample.plan, options: { ...sample.plan.options, restart: 0 } };
    const alone = { ...view, planned: view.planned === null ? null : { ...view.planned, depends_on: [] } };
    const model = modelOf(worldOf(plan, false, [alone], []), []);
    for (let launches = 0; ; launches += 1) {
      // Each launcher dies before it opens the gate.
      let acted = false;
      for (const action of decide(model.world, ALL)) acted = apply(model, action) || acted;
      if (!acted && !isOpen(model.world)) break;
      const views = model.world.views.map((one) => {
        const isCut = one.liveness === 'alive';
        const dead = { liveness: 'dead', liveWorker: null, launcherGone: true } as const;
        return { ...one, sinceMs: 60_000, ...(isCut ? dead : {}) };
      });
      model.world = worldOf(plan, false, views, []);
      expect(launches).toBeLessThan(100);
    }
    expect(model.launches).toBe(11);
    expect(recordOf(viewOf(model.world, alone.id))).toMatchObject({
      status: 'crashed',
      restarts: 10,
      cut_offs: 11,
    });
  });

  it('says the same of the same world, and changes nothing in it', () => {
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        const before = structuredClone(world);
        expect(decide(world, allowed)).toEqual(decide(structuredClone(world), allowed));
        expect(world).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });

  it('kills only what is left of workers that are gone', () => {
    let kills = 0;
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        for (const { id } of each(decide(world, allowed), 'kill')) {
          kills += 1;
          const left = id === null ? world.strays : viewOf(world, id).leftovers;
          expect(left.length).toBeGreaterThan(0);
          expect(left.every(({ ofLiveWorker }) => !ofLiveWorker)).toBe(true);
        }
      }),
      RUNS,
    );
    expect(kills).toBeGreaterThan(30);
  });

  it('takes away only files that were seen to be stale', () => {
    let removals = 0;
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        for (const { id, file } of each(decide(world, allowed), 'remove')) {
          removals += 1;
          expect(viewOf(world, id).stale).toContain(file);
        }
      }),
      RUNS,
    );
    expect(removals).toBeGreaterThan(30);
  });

  it('leaves what has ended for good as it is', () => {
    let ended = 0;
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        const actions = decide(world, allowed);
        for (const view of world.views) {
          const status = recordOf(view)?.status;
          if (!isDone(world, view.id) && (status === 'blocked' || !failedForGood(world, view.id))) continue;
          ended += 1;
          const said = actions.filter(({ id }) => id === view.id).map(({ type }) => type);
          expect(said.filter((type) => type !== 'kill' && type !== 'remove')).toEqual([]);
        }
      }),
      RUNS,
    );
    expect(ended).toBeGreaterThan(100);
  });

  it('has nothing to add once all that it asked for was done, before any time goes by', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const model = modelOf(world, []);
        let before: Action[] = [];
        // A block goes from one to the next: no chain is longer than there are workstreams.
        for (let round = 0; round <= world.views.length + 3; round += 1) {
          const actions = decide(model.world, ALL);
          for (const action of actions) {
            expect(before).not.toContainEqual(action);
            apply(model, action);
          }
          before = actions;
        }
        expect(decide(model.world, ALL)).toEqual([]);
      }),
      RUNS,
    );
  });

  it('never says two things of one record', () => {
    const writes = ['create', 'end', 'settle', 'requeue', 'rejoin', 'block', 'release', 'launch', 'hold'];
    fc.assert(
      fc.property(anyWorld, permissions, (world, allowed) => {
        const written = decide(world, allowed).filter(({ type }) => writes.includes(type));
        const ids = written.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      RUNS,
    );
  });
});

const choices = fc.array(fc.nat(9), { maxLength: 400 });
const STEPS_MAX = 1500;

/** Runs the loop as `orchestrate` does, until it would resign. */
function orchestrateModel(world: World, picks: readonly number[]): { world: World; launches: number } {
  const model = modelOf(world, picks);
  for (let step = 0; step < STEPS_MAX; step += 1) {
    let acted = false;
    for (const action of decide(model.world, ALL)) {
      if (action.type === 'launch') expectFreeSlot(model.world);
      acted = apply(model, action) || acted;
    }
    if (!acted && !isOpen(model.world)) return model;
    live(model);
  }
  throw new Error(`it never resigned: ${JSON.stringify(model.world.views.map(shown))}`);
}

function expectFreeSlot(world: World): void {
  const alive = world.views.filter(
    ({ liveness, liveWorker }) => liveness === 'alive' || liveWorker !== null,
  ).length;
  expect(alive).toBeLessThan(world.plan?.options.maxParallel ?? 0);
}

const shown = (view: View): unknown => [
  view.id,
  recordOf(view)?.status ?? view.read.kind,
  view.liveness,
  view.planned?.depends_on,
];

describe('the loop', () => {
  it('brings every workstream of a fresh run to a final state, whatever its workers do', () => {
    let crashed = 0;
    fc.assert(
      fc.property(freshWorld, choices, (world, picks) => {
        const end = orchestrateModel(world, picks);
        for (const view of end.world.views) {
          const record = recordOf(view);
          const isFinal = isDone(end.world, view.id) || failedForGood(end.world, view.id);
          expect(isFinal, JSON.stringify(shown(view))).toBe(true);
          if (record?.status === 'crashed') crashed += 1;
          const failed = (view.planned?.depends_on ?? []).filter((one) => failedForGood(end.world, one));
          if (record?.status === 'blocked') expect([...record.blocked_by].sort()).toEqual(failed.sort());
          else expect(failed).toEqual([]);
        }
        const restarts = (world.plan?.options.restart ?? 0) + 1;
        expect(end.launches).toBeLessThanOrEqual(world.views.length * restarts);
      }),
      { numRuns: 500 },
    );
    expect(crashed).toBeGreaterThan(0);
  });

  it('begins nothing that was not at work in a world that a person stopped', () => {
    fc.assert(
      fc.property(freshWorld, choices, (world, picks) => {
        const end = orchestrateModel({ ...world, held: true }, picks);
        expect(end.launches).toBe(0);
        expect(decide(end.world, ALL)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('comes to rest from any world, and leaves nothing undone that could be done', () => {
    fc.assert(
      fc.property(anyWorld, choices, (world, picks) => {
        const end = orchestrateModel(world, picks).world;
        expect(end.strays).toEqual([]);
        const stuck = end.views.filter((view) => view.planned !== null && !isFinalHere(end, view));
        for (const view of stuck) expect(isExcused(end, view), JSON.stringify(shown(view))).toBe(true);
      }),
      { numRuns: 700 },
    );
  });

  it('has nothing more to say once it said a block, however many dependencies failed', () => {
    const world = manyFailed(120);
    const model = modelOf(world, []);
    for (const action of decide(model.world, ALL)) apply(model, action);
    const blocked = model.world.byId.get('last');
    expect(blocked === undefined ? null : recordOf(blocked)).toMatchObject({
      status: 'blocked',
      blocked_by_total: 120,
    });
    expect(decide(model.world, ALL)).toEqual([]);
    expect(isOpen(model.world)).toBe(false);
  });

  it('gives no slot to what could not be started while another may have it, and rests where nothing else is left', () => {
    let last = 0;
    const marks = fc.array(fc.boolean(), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(anyWorld, marks, (world, marked) => {
        const views = world.views.map((view, at) => (marked[at] === true ? unstartable(view) : view));
        const wide = worldOf(world.plan && withSlots(world.plan, 1000), world.held, views, [], world.lacking);
        const narrow = worldOf(world.plan, world.held, views, [], world.lacking);
        const isMarked = (id: string): boolean =>
          recordOf(viewOf(narrow, id))?.reason?.code === 'spawn_failed';
        const launched = (one: World): string[] => each(decide(one, ALL), 'launch').map(({ id }) => id);
        const ids = launched(narrow);
        if (ids.some(isMarked)) {
          last += 1;
          expect(launched(wide).filter((id) => !isMarked(id) && !ids.includes(id))).toEqual([]);
          expect(ids.map(isMarked)).toEqual(ids.map(isMarked).sort());
        }
        // Its reason stays until it begins, or something else keeps it.
        for (const { id, reason } of each(decide(narrow, ALL), 'hold'))
          if (isMarked(id)) expect(reason).toEqual(world.lacking.get(id));
      }),
      RUNS,
    );
    expect(last).toBeGreaterThan(5);
    fc.assert(
      fc.property(freshWorld, ({ plan, views }) => {
        expect(isOpen(worldOf(plan, false, views, []))).toBe(true);
        expect(isOpen(worldOf(plan, false, views.map(unstartable), []))).toBe(false);
      }),
    );
  });
});

function isFinalHere(world: World, view: View): boolean {
  return isDone(world, view.id) || failedForGood(world, view.id);
}

/** What only a person can move: held, not to be judged, or waiting for such a one. */
function isExcused(world: World, view: View): boolean {
  if (view.liveness === 'unknown' || view.read.kind === 'foreign') return true;
  const status = recordOf(view)?.status;
  if (world.held && (status === 'pending' || status === 'crashed' || isLeft(world, view.id))) return true;
  const slots = world.plan?.options.maxParallel ?? 0;
  const isFull = world.views.filter(({ liveness }) => liveness === 'unknown').length >= slots;
  if (status !== 'pending') return false;
  if (world.lacking.has(view.id)) return true;
  const waits = (view.planned?.depends_on ?? []).some((id) => {
    const dependency = world.byId.get(id);
    if (dependency === undefined) return true;
    if (isFinalHere(world, dependency)) return false;
    return dependency.planned === null || isExcused(world, dependency);
  });
  return waits || isFull;
}

function manyFailed(count: number): World {
  const [sample] = fc.sample(freshWorld, { numRuns: 1, seed: 1 });
  const view = sample?.views[0];
  if (sample === undefined || view?.planned == null || view.read.kind !== 'record')
    throw new Error('no sample');
  const { planned } = view;
  const { record } = view.read;
  const ids = Array.from({ length: count }, (_, at) => `WS-dependency-${at}`);
  const reason = { code: 'error', message: 'it failed', hint: null };
  const failed = ids.map((id): View => {
    const read = {
      kind: 'record' as const,
      record: { ...record, workstream: id, status: 'failed', reason } as StatusRecord,
      mtimeMs: 1,
    };
    return { ...view, id, read, planned: { ...planned, id, depends_on: [] } };
  });
  const own = { ...record, workstream: 'last', depends_on: ids } as StatusRecord;
  const last: View = {
    ...view,
    id: 'last',
    read: { kind: 'record', record: own, mtimeMs: 1 },
    planned: { ...planned, id: 'last', depends_on: ids },
  };
  const views = [...failed, last];
  return { ...sample, views, byId: new Map(views.map((one) => [one.id, one])) };
}
