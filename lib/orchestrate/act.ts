import { errnoOf, messageOf, OrchError } from '../errors.ts';
import { launchWorker } from '../executors/launch.ts';
import { failpoint } from '../failpoint.ts';
import { runOfCheckpoint } from '../git/chain.ts';
import { judge } from '../process/identity.ts';
import { killKin } from '../process/kill.ts';
import { findKin, type Kin } from '../process/kin.ts';
import type { GatedChild } from '../process/spawn.ts';
import { leftToBegin } from '../protocol/anew.ts';
import { recordLockPath } from '../protocol/layout.ts';
import { isAliveState, type StatusRecord } from '../protocol/status.ts';
import type { RecordEvent, Writer } from '../protocol/transitions.ts';
import { type Actor, audit } from '../store/events.ts';
import { withLock } from '../store/lock.ts';
import { type Change, changeRecord, createRecord, leaseOf, readRecord } from '../store/records.ts';
import { removeFile } from '../store/signs.ts';
import { beginAnew } from './begin-anew.ts';
import { type Action, isSameReason } from './decide.ts';
import { firstRecord } from './first-record.ts';
import { lookAtForeign } from './foreign.ts';
import { keepCommits } from './keep-commits.ts';
import { reasonToHold } from './not-started.ts';
import { isStopAsked, traceOf } from './observe.ts';
import { settleForeign } from './settle-foreign.ts';
import { recordOf, type View, type World } from './world.ts';

/** What became of an action: done, or why not. A refusal has no `error`: the world had moved on. */
export type Done = { action: Action; ok: boolean; note: string; child?: GatedChild; error?: unknown };

const KILL_BOUND_MS = 20_000;
const ORPHAN_GRACE_MS = 2_000;

/**
 * Does one action, after checking under the lock that its reason still holds.
 * @throws OrchError where orch itself cannot go on (a full disk, a lost role).
 */
export async function act(...[world, action, mode, actor]: Parameters<typeof perform>): Promise<Done> {
  failpoint('orchestrate.*.before', action.type);
  const done = await perform(world, action, mode, actor);
  failpoint('orchestrate.*.after', action.type);
  return done;
}

async function perform(
  world: World,
  action: Action,
  mode: 'attached' | 'detached',
  actor: Actor,
): Promise<Done> {
  const { root } = world;
  const view = action.id === null ? undefined : world.byId.get(action.id);
  const record = view === undefined ? null : recordOf(view);
  switch (action.type) {
    case 'create':
      return create(world, action, mode, actor);
    case 'kill':
      return kill(root, action, actor);
    case 'end':
      return end(root, action, view, actor);
    case 'settle': {
      if (view?.read.kind === 'foreign') return settleDead(root, action, actor);
      const event = { ...action, type: 'end', exitCode: null, signal: null } as const;
      const writer: Writer = 'settler';
      const guard = (current: StatusRecord): Promise<boolean> => isOver(root, current, actor);
      return change(root, action, record, writer, actor, event, guard);
    }
    case 'requeue':
      return change(root, action, record, 'orchestrator', actor, {
        type: 'requeue',
        restarts: action.restarts,
        reason: null,
      });
    case 'rejoin':
      return rejoin(world, action, record, actor);
    case 'block':
      return change(root, action, record, 'orchestrator', actor, {
        type: 'block',
        blockedBy: action.blockedBy,
        reason: action.reason,
      });
    case 'release': {
      const restarts = record?.restarts ?? 0;
      return change(root, action, record, 'orchestrator', actor, { type: 'requeue', restarts, reason: null });
    }
    case 'launch':
      return launch(root, action, record, mode, actor);
    case 'hold': {
      const restarts = record?.restarts ?? 0;
      const event = { type: 'requeue', restarts, reason: action.reason } as const;
      const done = await change(root, action, record, 'orchestrator', actor, event);
      return done.ok ? { ...done, note: action.reason?.message ?? 'nothing keeps it any more' } : done;
    }
    case 'remove':
      // Under the lock: between the look and the removal the next attempt could begin, and a person stop that one.
      return withLock(recordLockPath(root, action.id), async () =>
        (await isStillStale(root, action, view))
          ? remove(root, action, actor)
          : { action, ok: false, note: 'its record has changed meanwhile' },
      );
  }
}

/**
 * Only what is proved dead is settled, and what waits under a stop word that is still there: a person may have taken
 * it back. A worker that came to life or ended by itself is left alone.
 */
async function isOver(root: string, current: StatusRecord, actor: Actor): Promise<boolean> {
  if (isAliveState(current)) return isDeadAndKept(root, current, actor);
  const waits = current.status === 'pending' || current.status === 'crashed';
  return waits && isStopAsked(root, current.workstream, current);
}

async function isProvedDead(current: StatusRecord): Promise<boolean> {
  return isAliveState(current) && (await judge(current.pid, current.identity)) === 'dead';
}

/** Before the record says that it ended: killed in between, whoever settles it keeps them again. */
async function isDeadAndKept(root: string, current: StatusRecord, actor: Actor): Promise<boolean> {
  if (!(await isProvedDead(current))) return false;
  await keepCommits(root, current, actor);
  return true;
}

async function settleDead(
  root: string,
  action: Extract<Action, { type: 'settle' }>,
  actor: Actor,
): Promise<Done> {
  const end = await settleForeign(root, action.id, actor);
  return { action, ok: end !== null, note: end === null ? 'its record has changed meanwhile' : '' };
}

async function change(
  root: string,
  action: Action & { id: string },
  record: StatusRecord | null,
  writer: Writer,
  actor: Actor,
  event: RecordEvent,
  guard?: (current: StatusRecord) => Promise<boolean>,
): Promise<Done> {
  if (record === null) return { action, ok: false, note: 'its record cannot be read' };
  const { status } = record;
  const same = async (current: StatusRecord): Promise<boolean> =>
    current.status === status && (guard === undefined || (await guard(current)));
  const changed: Change = await changeRecord(root, action.id, leaseOf(record), writer, actor, event, same);
  return { action, ok: changed.ok, note: changed.ok ? '' : 'its record has changed meanwhile' };
}

async function create(
  world: World,
  action: Extract<Action, { type: 'create' }>,
  mode: 'attached' | 'detached',
  actor: Actor,
): Promise<Done> {
  const planned = world.byId.get(action.id)?.planned ?? null;
  if (world.plan === null || planned === null) return { action, ok: false, note: 'it is not planned' };
  const { root, plan } = world;
  // Once a checkpoint is of this run it has begun, and what it did is kept like any other work.
  const fresh = planned.anew?.fresh === true && (await runOfCheckpoint(root, planned.id)) !== plan.run;
  const record = await firstRecord(root, plan, planned, mode, { fresh });
  const created = await createRecord(root, actor, record, { rebuild: action.rebuild });
  return { action, ok: created.ok, note: created.ok ? '' : 'it has a record now' };
}

/** What a launch did not come to: only while the record is the one that it saw. */
async function rejoin(
  { root, plan, byId }: World,
  action: Extract<Action, { type: 'rejoin' }>,
  record: StatusRecord | null,
  actor: Actor,
): Promise<Done> {
  const planned = byId.get(action.id)?.planned ?? null;
  if (plan === null || planned === null || record === null)
    return { action, ok: false, note: 'it is not planned' };
  const isSame = (current: StatusRecord): boolean => leftToBegin(plan.run, planned, current) !== null;
  const changed = await beginAnew(root, plan, planned, record, action.fresh, actor, isSame);
  return { action, ok: changed.ok, note: changed.ok ? action.why : 'its record has changed meanwhile' };
}

/** All processes of workers of `id` that are gone; `id` null: of workstreams that nobody knows. */
async function leftoversOf(root: string, id: string | null): Promise<Kin[]> {
  const read = id === null ? null : readRecord(root, id);
  const record = read?.kind === 'record' ? read.record : null;
  const { kin } = await findKin(root, id === null ? [] : [traceOf(root, id, record)]);
  return kin.filter(({ workstream, ofLiveWorker }) => {
    if (ofLiveWorker) return false;
    return id === null ? readRecord(root, workstream).kind === 'missing' : workstream === id;
  });
}

async function kill(root: string, action: Extract<Action, { type: 'kill' }>, actor: Actor): Promise<Done> {
  const { killed, left } = await killKin(() => leftoversOf(root, action.id), {
    graceMs: ORPHAN_GRACE_MS,
    boundMs: KILL_BOUND_MS,
    onSignal: (kin, signal) => logSignal(root, actor, kin, signal, action.why),
  });
  const blocked = left.map(({ pid, command }) => `${pid} (${command})`).join(', ');
  if (left.length > 0) return { action, ok: false, note: `would not end: ${blocked}` };
  if (killed.length > 0 && action.id !== null) await keepLastCommits(root, action.id, actor);
  return { action, ok: true, note: `${killed.length} killed` };
}

/** They may have committed since their worker was settled. */
async function keepLastCommits(root: string, id: string, actor: Actor): Promise<void> {
  await withLock(recordLockPath(root, id), async () => {
    const read = readRecord(root, id);
    if (read.kind === 'record' && !isAliveState(read.record)) await keepCommits(root, read.record, actor);
  });
}

function logSignal(root: string, actor: Actor, kin: Kin, signal: string, why: string): void {
  const { pid, proof, command, token } = kin;
  audit(root, actor, {
    event: 'signal',
    workstream: kin.workstream,
    why,
    signal,
    pid,
    proof,
    token,
    command,
  });
}

/** Kills a live worker that passed its bounds, with its whole tree, and settles it. */
async function end(
  root: string,
  action: Extract<Action, { type: 'end' }>,
  view: View | undefined,
  actor: Actor,
): Promise<Done> {
  const record = view === undefined ? null : recordOf(view);
  if (record === null || !isAliveState(record))
    return { action, ok: false, note: 'its record has changed meanwhile' };
  const { token } = record.identity;
  const select = async (): Promise<Kin[]> => {
    const { kin } = await findKin(root, [traceOf(root, action.id, record)]);
    return kin.filter((one) => one.workstream === action.id && (one.token === null || one.token === token));
  };
  const onSignal = (kin: Kin, signal: string): void =>
    logSignal(root, actor, kin, signal, action.reason.message);
  const { left } = await killKin(select, { graceMs: 0, boundMs: KILL_BOUND_MS, onSignal });
  if (left.some(({ proof }) => proof === 'worker'))
    return { action, ok: false, note: 'the worker would not end' };
  const { status, reason } = action;
  const event = { type: 'end', status, exitCode: null, signal: 'SIGKILL', reason } as const;
  const guard = (current: StatusRecord): Promise<boolean> => isDeadAndKept(root, current, actor);
  return change(root, action, record, 'settler', actor, event, guard);
}

async function launch(
  root: string,
  action: Extract<Action, { type: 'launch' }>,
  record: StatusRecord | null,
  mode: 'attached' | 'detached',
  actor: Actor,
): Promise<Done> {
  if (record === null) return { action, ok: false, note: 'its record cannot be read' };
  try {
    const launched = await launchWorker(root, action.id, leaseOf(record), mode, actor);
    if (!launched.ok) return { action, ok: false, note: launched.why };
    return { action, ok: true, note: `pid ${launched.record.pid}`, child: launched.child };
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    if (error.code === 'SPAWN_FAILED') await noteFailure(root, action, record, error, actor);
    return { action, ok: false, note: messageOf(error) };
  }
}

/** Writes down why it cannot be started, once, or that this is not the reason any more. */
async function noteFailure(
  root: string,
  action: Extract<Action, { type: 'launch' }>,
  record: StatusRecord,
  error: OrchError,
  actor: Actor,
): Promise<void> {
  const reason = reasonToHold(error);
  if (isSameReason(record.reason, reason)) return;
  const event = { type: 'requeue', restarts: record.restarts, reason } as const;
  await change(root, action, record, 'orchestrator', actor, event);
}

/** The same record as when it was decided; a foreign worker may also have begun again and said nothing yet. */
async function isStillStale(
  root: string,
  { id, file }: Extract<Action, { type: 'remove' }>,
  view: View | undefined,
): Promise<boolean> {
  const read = readRecord(root, id);
  if (read.kind === 'foreign') {
    const { stale } = await lookAtForeign(root, id, read.record);
    return stale.some(({ path, why }) => path === file.path && why === file.why);
  }
  const before = view === undefined ? null : recordOf(view);
  return read.kind === 'record' && before !== null && read.record.last_update === before.last_update;
}

function remove(root: string, action: Extract<Action, { type: 'remove' }>, actor: Actor): Done {
  const { path, why } = action.file;
  const removed = removeFile(path);
  if (removed) audit(root, actor, { event: 'remove', workstream: action.id, why, path });
  return { action, ok: removed, note: '' };
}

/** True for a fault that the next pass may not meet: the loop goes on. */
export function isPassing(error: unknown): boolean {
  if (error instanceof OrchError)
    return [
      'LOCK_HELD',
      'DISK_FULL',
      'IO',
      'UNSAFE_FOLDER',
      'GIT_FAILED',
      'GIT_KILLED',
      'SPAWN_FAILED',
    ].includes(error.code);
  return [
    'EAGAIN',
    'EMFILE',
    'ENFILE',
    'ENOMEM',
    'EIO',
    'ESTALE',
    'ENOSPC',
    'EDQUOT',
    'EACCES',
    'EROFS',
  ].includes(errnoOf(error) ?? '');
}
