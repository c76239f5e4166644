import { leftToBegin } from '../protocol/anew.ts';
import { SHORT_TEXT_BYTES, TEXT_MAX_BYTES } from '../protocol/encode.ts';
import { type Anew, DEFAULT_OPTIONS, type PlanOptions } from '../protocol/plan.ts';
import {
  allowedRestarts,
  hintOfCrash,
  isFinal,
  isSuccess,
  type Reason,
  type StatusRecord,
} from '../protocol/status.ts';
import { cutText } from '../protocol/text.ts';
import { type Permissions, recordOf, type StaleFile, type View, type World } from './world.ts';

/** What should happen next. Each is checked again under the lock before it is done. */
export type Action =
  | { type: 'create'; id: string; rebuild: boolean; why: string }
  | { type: 'kill'; id: string | null; why: string }
  | { type: 'end'; id: string; status: 'timed_out' | 'stopped' | 'crashed'; reason: Reason }
  | { type: 'settle'; id: string; status: 'crashed' | 'stopped'; reason: Reason; cutOff?: boolean }
  | { type: 'requeue'; id: string; restarts: number; why: string }
  /** Does for a record what the launch of the plan was to do, and did not come to. */
  | { type: 'rejoin'; id: string; fresh: boolean; why: string }
  | { type: 'block'; id: string; blockedBy: string[]; reason: Reason }
  | { type: 'release'; id: string; why: string }
  | { type: 'launch'; id: string; why: string }
  /** Writes down why a workstream that could begin does not, or with null that nothing keeps it. */
  | { type: 'hold'; id: string; reason: Reason | null }
  | { type: 'remove'; id: string; file: StaleFile };

const START_BOUND_MS = 60_000;
/** A worker keeps its own time; the orchestrator steps in when that clearly fails. */
const OVERDUE_SLACK_MS = 30_000;
const KILL_SLACK_MS = 5_000;

/** How long a crash waits for its restart: 1 s, 2 s, 4 s, … at most a minute. */
export function backoffMs(restarts: number): number {
  return Math.min(1_000 * 2 ** restarts, 60_000);
}

/**
 * The heart: what one look at the world calls for. Pure. Nothing is ever done to what lives, nor to what cannot be
 * judged; only a live worker past its bounds is ended.
 */
export function decide(world: World, permissions: Permissions): Action[] {
  const options = world.plan?.options ?? DEFAULT_OPTIONS;
  const actions: Action[] = [];
  if (world.strays.length > 0)
    actions.push({ type: 'kill', id: null, why: 'their workstream does not exist any more' });
  for (const view of world.views) actions.push(...tend(view, options, world, permissions));
  if (permissions.launch || permissions.restart) actions.push(...launches(world, options, permissions));
  return actions;
}

function tend(view: View, options: PlanOptions, world: World, permissions: Permissions): Action[] {
  const { id } = view;
  const actions: Action[] = [];
  if (view.leftovers.length > 0) actions.push({ type: 'kill', id, why: 'their worker is gone' });
  const record = recordOf(view);
  if (view.foreignEnd !== null) actions.push({ type: 'settle', id, ...view.foreignEnd });
  for (const file of view.stale) actions.push({ type: 'remove', id, file });
  if (record === null) return [...actions, ...tendUnreadable(view, permissions)];
  const left = leftIn(view, world);
  if (left !== null) return [...actions, ...tendLeft(view, record, left, options, world, permissions)];
  switch (record.status) {
    case 'starting':
    case 'running':
      actions.push(...tendLive(view, record, options));
      break;
    case 'crashed':
      actions.push(...tendCrashed(view, record, options, world, permissions));
      break;
    case 'pending':
    case 'blocked':
      actions.push(...tendWaiting(view, record, world, options));
      break;
    default:
      break;
  }
  return actions;
}

/** A planned workstream without a readable record gets a new one, unless its worker lives and will write it. */
function tendUnreadable(view: View, permissions: Permissions): Action[] {
  const { id, read, planned, liveWorker, leftovers } = view;
  if (planned === null || !permissions.launch || liveWorker !== null || leftovers.length > 0) return [];
  if (read.kind === 'missing') return [{ type: 'create', id, rebuild: false, why: 'it has no record' }];
  if (read.kind === 'unreadable')
    return [{ type: 'create', id, rebuild: true, why: `its record cannot be read: ${read.message}` }];
  return [];
}

/** What the launch of the plan has left to do with a record; null if nothing. */
function leftIn(view: View, { plan }: World): Anew | null {
  const record = recordOf(view);
  return record === null ? null : leftToBegin(plan?.run ?? null, view.planned, record);
}

/** Until it is joined its record says what was, and nothing is concluded from that: as if there were none. */
function tendLeft(
  view: View,
  record: StatusRecord,
  { fresh }: Anew,
  options: PlanOptions,
  world: World,
  permissions: Permissions,
): Action[] {
  const { id } = view;
  // A launch settles those that were asked to stop before it joins any: this was said since.
  if (view.stopAskedMs !== null && !isFinal(record, options.restart))
    return [{ type: 'settle', id, ...verdictOfDeath(record, factsOf(view, options)) }];
  if (!permissions.launch || world.held || view.liveWorker !== null || view.leftovers.length > 0) return [];
  return [{ type: 'rejoin', id, fresh, why: 'its launch was cut off before it came to it' }];
}

function tendLive(view: View, record: StatusRecord, options: PlanOptions): Action[] {
  const { id, liveness, stopAskedMs } = view;
  if (liveness === 'dead') return [{ type: 'settle', id, ...verdictOfDeath(record, factsOf(view, options)) }];
  if (liveness !== 'alive') return [];
  const hint = `\`orch retry ${id}\` goes on from the last checkpoint.`;
  if (stopAskedMs !== null && stopAskedMs > options.stopGraceMs + KILL_SLACK_MS) {
    const reason = { code: 'stopped', message: 'a person stopped it; it had to be killed', hint };
    return [{ type: 'end', id, status: 'stopped', reason }];
  }
  if (record.status === 'starting' && view.sinceMs > START_BOUND_MS) {
    const reason = {
      code: 'never_started',
      message: 'it did not begin within 60 s',
      hint: 'Look at `orch logs --stderr`.',
    };
    return [{ type: 'end', id, status: 'crashed', reason }];
  }
  const timeoutMs = view.planned?.timeoutMs ?? options.timeoutMs;
  if (record.status === 'running' && view.awakeMs > timeoutMs + OVERDUE_SLACK_MS) {
    const reason = { code: 'timeout', message: 'it hung past its time and was killed', hint };
    return [{ type: 'end', id, status: 'timed_out', reason }];
  }
  return [];
}

const factsOf = (view: View, options: PlanOptions): Parameters<typeof verdictOfDeath>[1] => ({
  stopAsked: view.stopAskedMs !== null,
  rebooted: view.rebooted,
  launcherGone: view.launcherGone,
  restartLimit: options.restart,
});

/** How a worker that is proved dead is settled: as stopped where a person had asked, else as crashed. */
export function verdictOfDeath(
  record: StatusRecord,
  facts: { stopAsked: boolean; rebooted: boolean; launcherGone: boolean; restartLimit: number },
): { status: 'crashed' | 'stopped'; reason: Reason; cutOff?: boolean } {
  const id = record.workstream;
  if (facts.stopAsked) {
    const hint = `\`orch retry ${id}\` goes on from the last checkpoint.`;
    return {
      status: 'stopped',
      reason: { code: 'stopped', message: 'it ended while a person was stopping it', hint },
    };
  }
  if (record.status === 'starting' && facts.launcherGone) {
    const message = `whoever started pid ${record.pid} was gone before it began`;
    const hint = 'Whoever orchestrates starts it again, which costs no restart; else run `orch reattach`.';
    return { status: 'crashed', reason: { code: 'never_started', message, hint }, cutOff: true };
  }
  if (record.status === 'starting') {
    const hint = `Look at \`orch logs ${id} --stderr\`.`;
    return {
      status: 'crashed',
      reason: { code: 'never_started', message: `pid ${record.pid} ended before it began`, hint },
    };
  }
  const hint = hintOfCrash(record, facts.restartLimit);
  if (facts.rebooted)
    return { status: 'crashed', reason: { code: 'rebooted', message: 'the machine was restarted', hint } };
  return {
    status: 'crashed',
    reason: { code: 'lost', message: `pid ${record.pid} is gone without a last word`, hint },
  };
}

function tendCrashed(
  view: View,
  record: StatusRecord,
  options: PlanOptions,
  world: World,
  permissions: Permissions,
): Action[] {
  const { id } = view;
  if (view.stopAskedMs !== null && !isFinal(record, options.restart)) {
    return [{ type: 'settle', id, ...verdictOfDeath(record, factsOf(view, options)) }];
  }
  if (!permissions.restart || world.held || view.planned === null || isFinal(record, options.restart))
    return [];
  if (view.leftovers.length > 0 || view.liveWorker !== null || view.sinceMs < backoffMs(record.restarts))
    return [];
  const why = `restart ${record.restarts + 1} of ${allowedRestarts(record, options.restart)}`;
  return [{ type: 'requeue', id, restarts: record.restarts + 1, why }];
}

function tendWaiting(view: View, record: StatusRecord, world: World, options: PlanOptions): Action[] {
  const { id } = view;
  if (record.status === 'pending' && view.stopAskedMs !== null) {
    return [{ type: 'settle', id, ...verdictOfDeath(record, factsOf(view, options)) }];
  }
  if (view.planned === null) return [];
  const failed = view.planned.depends_on.filter((dependency) => hasFailed(dependency, world, options));
  if (failed.length > 0) {
    const same = record.status === 'blocked' && isBlockedBy(record, failed);
    if (same) return [];
    const message = `${failed.join(', ')} did not complete`;
    const hint = `\`orch retry ${failed[0]}\` releases it.`;
    return [{ type: 'block', id, blockedBy: failed, reason: { code: 'dependency', message, hint } }];
  }
  return record.status === 'blocked'
    ? [{ type: 'release', id, why: 'its dependencies are at work again' }]
    : [];
}

/** A record may hold the first of them only, and their number; see `encodeRecord`. */
function isBlockedBy(record: StatusRecord, failed: readonly string[]): boolean {
  const total = record['blocked_by_total'] ?? record.blocked_by.length;
  return total === failed.length && record.blocked_by.every((id) => failed.includes(id));
}

/** Null where there is none that says how its work went in this plan. */
function dependencyRecord(id: string, world: World): StatusRecord | null {
  const view = world.byId.get(id);
  return view === undefined || leftIn(view, world) !== null ? null : recordOf(view);
}

/** True if a dependency ended for good without success: no record and no verdict is neither. */
function hasFailed(id: string, world: World, options: PlanOptions): boolean {
  const record = dependencyRecord(id, world);
  return record !== null && isFinal(record, options.restart) && !isSuccess(record);
}

function isReady(view: View, world: World): boolean {
  if (view.planned === null || view.stopAskedMs !== null) return false;
  if (view.leftovers.length > 0 || view.liveWorker !== null) return false;
  return view.planned.depends_on.every((id) => {
    const record = dependencyRecord(id, world);
    return record !== null && isSuccess(record);
  });
}

/** Slots are taken by the living and by those who may be. */
function occupiesSlot(view: View): boolean {
  if (view.liveWorker !== null) return true;
  return view.liveness === 'alive' || view.liveness === 'unknown';
}

function launches(world: World, options: PlanOptions, permissions: Permissions): Action[] {
  if (world.held) return [];
  const free = options.maxParallel - world.views.filter(occupiesSlot).length;
  const due = world.views.filter((view) => {
    const record = recordOf(view);
    if (record === null || record.status !== 'pending' || leftIn(view, world) !== null) return false;
    if (!isReady(view, world)) return false;
    return permissions.launch || record.restarts > 0;
  });
  const ready = due.filter(({ id }) => !world.lacking.has(id));
  const priorityOf = ({ planned }: View): number => planned?.priority ?? 0;
  // Array.sort is stable: equal priorities keep the order of the plan. What could not be started takes no turn away.
  const order = ready.sort(
    (a, b) => Number(isUnstartable(a)) - Number(isUnstartable(b)) || priorityOf(b) - priorityOf(a),
  );
  const begun = order.slice(0, Math.max(free, 0));
  return [
    ...begun.map(({ id }): Action => ({ type: 'launch', id, why: 'its dependencies are done' })),
    ...due.filter((view) => !begun.includes(view)).flatMap((view) => holdOf(view, world)),
  ];
}

/** The last try to start a worker failed for a reason that lasts. Each pass tries again, for its slot is free. */
function isUnstartable(view: View): boolean {
  return recordOf(view)?.reason?.code === 'spawn_failed';
}

/** What the look at the world shows of why a pending workstream does not begin, besides its turn. */
const HELD_BY: ReadonlySet<string> = new Set(['environment', 'containment']);

/** The reason in the record of what does not begin now is kept true. */
function holdOf({ id, read }: View, world: World): Action[] {
  const written = read.kind === 'record' ? read.record.reason : null;
  const reason = world.lacking.get(id) ?? null;
  if (reason === null) return HELD_BY.has(written?.code ?? '') ? [{ type: 'hold', id, reason }] : [];
  return isSameReason(written, reason) ? [] : [{ type: 'hold', id, reason }];
}

/** True if a record that says `written` need not be told `reason`. */
export function isSameReason(written: Reason | null, reason: Reason | null): boolean {
  if (written === null || reason === null) return written === reason;
  return written.code === reason.code && sameText(written.message, reason.message);
}

/** A record holds the first 256 bytes of a text, in the worst case 48. */
function sameText(written: string, whole: string): boolean {
  return (
    written === whole ||
    written === cutText(whole, TEXT_MAX_BYTES) ||
    written === cutText(whole, SHORT_TEXT_BYTES)
  );
}

/** True while something may still happen without a person. */
export function isOpen(world: World): boolean {
  const limit = world.plan?.options.restart ?? DEFAULT_OPTIONS.restart;
  const stuck = stuckIds(world);
  return world.views.some((view) => {
    if (view.liveWorker !== null) return true;
    const record = recordOf(view);
    const isOver = record !== null && isFinal(record, limit) && leftIn(view, world) === null;
    return !stuck.has(view.id) && !isOver;
  });
}

/** What only a person can move, and all that waits for it, at whatever distance. */
function stuckIds(world: World): ReadonlySet<string> {
  const options = world.plan?.options ?? DEFAULT_OPTIONS;
  // Slots that nobody can judge are never given back: with no other left, nothing more can begin.
  const isFull = world.views.filter(({ liveness }) => liveness === 'unknown').length >= options.maxParallel;
  const waiting = new Map<string, string[]>();
  for (const view of world.views) {
    if (recordOf(view)?.status !== 'pending') continue;
    for (const id of view.planned?.depends_on ?? []) waiting.set(id, [...(waiting.get(id) ?? []), view.id]);
  }
  const absent = [...waiting.keys()].filter((id) => !world.byId.has(id));
  const itself = world.views.filter((view) => isStuckItself(view, world, options, isFull));
  const queue = [...absent, ...itself.map(({ id }) => id)];
  const stuck = new Set<string>();
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (stuck.has(id)) continue;
    stuck.add(id);
    queue.push(...(waiting.get(id) ?? []));
  }
  return stuck;
}

function isStuckItself(view: View, world: World, options: PlanOptions, isFull: boolean): boolean {
  const record = recordOf(view);
  if (view.liveWorker !== null) return false;
  if (record === null) return view.planned === null || view.read.kind === 'foreign';
  if (view.liveness !== null) return view.liveness === 'unknown';
  const isStopDue = view.stopAskedMs !== null && !isFinal(record, options.restart);
  if (leftIn(view, world) !== null) return world.held && !isStopDue;
  if (isFinal(record, options.restart) || view.stopAskedMs !== null) return false;
  const isKept = isFull || world.lacking.has(view.id) || isUnstartable(view);
  if (record.status === 'pending' && isKept) return true;
  return view.planned === null || world.held;
}
