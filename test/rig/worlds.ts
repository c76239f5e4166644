import fc from 'fast-check';
import type { Liveness, Permissions, View, World } from '../../lib/orchestrate/world.ts';
import type { Kin } from '../../lib/process/kin.ts';
import { DEFAULT_OPTIONS, type FrozenPlan, type PlannedWorkstream } from '../../lib/protocol/plan.ts';
import { STATES, type State, type StatusRecord } from '../../lib/protocol/status.ts';
import type { RecordRead } from '../../lib/store/records.ts';
import { plainRecord } from '../protocol/arbitraries.ts';

/** Generated worlds: all that `observe` may find, and some that only a hostile or broken machine shows. */

const HASH = 'a'.repeat(40);
const WHY = { code: 'lost', message: 'gone', hint: null };
/** Why a worker may not begin in this environment. */
const LACK = { code: 'environment', message: 'it needs KEY, which is not set', hint: null };
const NOBODY = ['pending', 'blocked'] as const satisfies readonly State[];

export const identityOf = (token: string) => {
  return { host: 'here', boot_id: 'boot', pid_namespace: 'pid', start_time: 1, session: null, token };
};

export function kinOf(id: string, pid: number): Kin {
  const proof = 'marker' as const;
  return { pid, startTime: 1, command: 'tool', workstream: id, token: 'old', proof, ofLiveWorker: false };
}

function recordIn(id: string, state: State, more: Partial<StatusRecord>): StatusRecord {
  const hasWorker = !(NOBODY as readonly State[]).includes(state);
  const isDone = state === 'completed' || state === 'merged' || state === 'conflict';
  const hasReason = !['pending', 'starting', 'running', 'completed', 'merged'].includes(state);
  return plainRecord({
    workstream: id,
    status: state,
    pid: hasWorker ? 100 : null,
    identity: hasWorker ? identityOf('t') : null,
    head: isDone ? HASH : null,
    exit_code: state === 'completed' ? 0 : null,
    reason: hasReason ? WHY : null,
    started_at: hasWorker ? 1 : null,
    ...more,
  });
}

const state = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<State>('pending', 'running', 'completed', 'crashed') },
  { weight: 4, arbitrary: fc.constantFrom<State>(...STATES) },
);

/** Of the plan in force, or of one before. */
const run = fc.oneof(
  { weight: 3, arbitrary: fc.constant('run-1') },
  { weight: 1, arbitrary: fc.constant('run-0') },
);
const SEEN = plainRecord().last_update;
/** Of a launch that begins a workstream anew: it saw the record that is there, another one, or none. */
const anew = fc.option(
  fc.record({ seen: fc.constantFrom(SEEN, SEEN, SEEN, SEEN, -1, null), fresh: fc.boolean() }),
  { nil: undefined, freq: 2 },
);

function readOf(id: string, others: readonly string[]): fc.Arbitrary<RecordRead> {
  const record = fc
    .record({ state, run, restarts: fc.nat(3), attempt: fc.nat(3), blocked_by: fc.subarray([...others]) })
    .map(({ state: status, ...more }) => ({
      kind: 'record' as const,
      record: recordIn(id, status, more),
      mtimeMs: 1,
    }));
  const foreign = {
    status: 'running',
    current_task: null,
    progress: null,
    last_update: null,
    exit_code: null,
    fields: {},
  };
  return fc.oneof(
    { weight: 14, arbitrary: record },
    { weight: 1, arbitrary: fc.constant<RecordRead>({ kind: 'missing', mtimeMs: null }) },
    {
      weight: 1,
      arbitrary: fc.constant<RecordRead>({
        kind: 'unreadable',
        message: 'x',
        line: 1,
        column: 1,
        mtimeMs: 1,
      }),
    },
    { weight: 1, arbitrary: fc.constant<RecordRead>({ kind: 'foreign', record: foreign, mtimeMs: 1 }) },
  );
}

/** Null in nine cases of ten. */
const seldom = <T>(...values: T[]): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...values) });

function viewOf(
  id: string,
  planned: PlannedWorkstream | null,
  others: readonly string[],
): fc.Arbitrary<View> {
  const parts = fc.record({
    read: readOf(id, others),
    judged: fc.constantFrom<Liveness>('alive', 'alive', 'alive', 'dead', 'dead', 'unknown'),
    ghost: seldom({ pid: 200, token: 'ghost' }),
    leftovers: seldom([kinOf(id, 300)]),
    stopAskedMs: seldom(0, 14_000, 60_000),
    awakeMs: fc.constantFrom(0, 10_000, 29 * 3_600_000),
    sinceMs: fc.constantFrom(0, 900, 1_000, 5_000, 61_000),
    rebooted: fc.boolean(),
    gone: fc.boolean(),
    end: fc.boolean(),
    stale: seldom([{ path: `/r/.pids/${id}.pid`, why: 'stale' }]),
  });
  return parts.map(({ read, judged, ghost, leftovers, stale, end, gone, stopAskedMs, ...times }) => {
    const record = read.kind === 'record' ? read.record : null;
    const isAlive = record?.status === 'starting' || record?.status === 'running';
    const liveness = isAlive ? judged : null;
    return {
      id,
      planned,
      read,
      liveness,
      liveWorker: liveness === 'alive' ? { pid: 100, token: 't' } : ghost,
      leftovers: leftovers ?? [],
      launcherGone: gone && record?.status === 'starting',
      // As `observe` has it: only a record can be asked to stop.
      stopAskedMs: record === null ? null : stopAskedMs,
      heartbeatAgeSeconds: null,
      foreignEnd: read.kind === 'foreign' && end ? { status: 'crashed' as const, reason: WHY } : null,
      stale: stale ?? [],
      ...times,
    };
  });
}

function workstream(id: string, depends_on: string[], priority: number): PlannedWorkstream {
  return {
    id,
    title: id,
    tasks: [],
    checks: [],
    files_scope: [],
    files_create: [],
    depends_on,
    tool: null,
    priority,
    timeoutMs: null,
    taskTimeoutMs: null,
    setup: [],
    copy: [],
    env: {},
    definition: id,
    source: 'plan.yaml:1',
  } as unknown as PlannedWorkstream;
}

export function worldOf(
  plan: FrozenPlan | null,
  held: boolean,
  views: View[],
  strays: Kin[],
  lacking: World['lacking'] = new Map(),
): World {
  const byId = new Map(views.map((view) => [view.id, view]));
  return { root: '/r', plan, held, views, byId, lacking, strays };
}

/** Workstreams W0, W1, …: each may depend on earlier ones and on those of an earlier plan (E0, and E1: no record). */
const plan: fc.Arbitrary<FrozenPlan> = fc
  .record({
    nodes: fc.array(
      fc.record({
        links: fc.array(fc.nat(30), { maxLength: 3 }),
        outside: fc.nat(20),
        priority: fc.nat(3),
        anew,
      }),
      { minLength: 1, maxLength: 8 },
    ),
    order: fc.infiniteStream(fc.nat(1000)),
    maxParallel: fc.integer({ min: 1, max: 6 }),
    restart: fc.nat(3),
  })
  .map(({ nodes, order, maxParallel, restart }) => {
    const workstreams = nodes.map(({ links, outside, priority, anew: word }, at) => {
      const inside = links.filter(() => at > 0).map((link) => `W${link % at}`);
      const earlier = outside < 2 ? [`E${outside}`] : [];
      const one = workstream(`W${at}`, [...new Set([...inside, ...earlier])], priority);
      return word === undefined ? one : { ...one, anew: word };
    });
    const ranks = new Map(workstreams.map(({ id }) => [id, order.next().value as number]));
    workstreams.sort((a, b) => (ranks.get(a.id) ?? 0) - (ranks.get(b.id) ?? 0));
    const options = { ...DEFAULT_OPTIONS, maxParallel, restart };
    return {
      schema: 'orch.plan-frozen/1',
      run: 'run-1',
      created_at: 1,
      base: HASH,
      mode: 'detached',
      options,
      workstreams,
    };
  });

/** Whatever may be found. */
export const anyWorld: fc.Arbitrary<World> = plan.chain((frozen) => {
  const ids = frozen.workstreams.map(({ id }) => id);
  const views = frozen.workstreams.map((one) => viewOf(one.id, one, ids));
  return fc
    .record({
      views: fc.tuple(...views),
      earlier: fc.option(viewOf('E0', null, []), { nil: null, freq: 3 }),
      held: fc.constantFrom(false, false, false, true),
      strays: seldom([kinOf('gone', 400)]),
      lacking: fc.oneof(
        { weight: 3, arbitrary: fc.constant<string[]>([]) },
        { weight: 1, arbitrary: fc.subarray(ids) },
      ),
    })
    .map(({ views: inside, earlier, held, strays, lacking }) => {
      const all = earlier === null ? inside : [...inside, earlier];
      return worldOf(frozen, held, all, strays ?? [], new Map(lacking.map((id) => [id, LACK])));
    });
});

/** A fresh run: everything is pending, nothing is unknown. */
export const freshWorld: fc.Arbitrary<World> = plan.map((frozen) => {
  const inside = frozen.workstreams.map((one) => ({
    ...one,
    depends_on: one.depends_on.filter((id) => id.startsWith('W')),
  }));
  const views = inside.map((one): View => {
    const read = { kind: 'record' as const, record: recordIn(one.id, 'pending', {}), mtimeMs: 1 };
    const nothing = {
      liveness: null,
      rebooted: false,
      launcherGone: false,
      liveWorker: null,
      stopAskedMs: null,
      heartbeatAgeSeconds: null,
      foreignEnd: null,
    };
    return { id: one.id, planned: one, read, ...nothing, leftovers: [], awakeMs: 0, sinceMs: 0, stale: [] };
  });
  return worldOf({ ...frozen, workstreams: inside }, false, views, []);
});

export const permissions: fc.Arbitrary<Permissions> = fc.record({
  launch: fc.boolean(),
  restart: fc.boolean(),
});
export const ALL: Permissions = { launch: true, restart: true };
