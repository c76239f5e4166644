import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import { act } from '../orchestrate/act.ts';
import { livenessOf, newMemory, observe } from '../orchestrate/observe.ts';
import { signalVerified } from '../process/kill.ts';
import { recordLockPath } from '../protocol/layout.ts';
import { type AliveRecord, isAliveState, isFinal, type StatusRecord } from '../protocol/status.ts';
import { audit } from '../store/events.ts';
import { lockHolder, withLock } from '../store/lock.ts';
import { planInForce } from '../store/plans.ts';
import { changeRecord, holdsLease, leaseOf, placeOf, readRecord, UNREADABLE_HINT } from '../store/records.ts';
import { requestStop } from '../store/signs.ts';
import { stopForeign } from './stop-foreign.ts';
import type { Stopped, StopRequest } from './stop-request.ts';

const TRIES = 20;
const LOOK_MS = 50;
/** A worker at work holds the lock of its record for milliseconds. */
const FROZEN_MS = 2_000;

/**
 * Stops one workstream: the request is on disk before any signal, so that whoever settles its end knows whose will
 * it was. A worker that outlives the grace is killed with its whole tree.
 */
export async function stopWorkstream(root: string, id: string, request: StopRequest): Promise<Stopped> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const read = readRecord(root, id);
    if (read.kind === 'foreign') return stopForeign(root, read.record, id, request);
    if (read.kind === 'unreadable')
      return {
        workstream: id,
        ok: false,
        status: 'unreadable',
        note: `${placeOf(root, id, read)}. ${UNREADABLE_HINT}`,
      };
    if (read.kind === 'missing')
      return { workstream: id, ok: false, status: 'missing', note: 'it has no record that orch could stop' };
    const { record } = read;
    const restarts = planInForce(root)?.options.restart ?? 0;
    if (isFinal(record, restarts))
      return { workstream: id, ok: true, status: record.status, note: 'had ended already' };
    const stopped = isAliveState(record)
      ? await stopLive(root, record, request)
      : await stopWaiting(root, record, request);
    if (stopped !== null) return stopped;
    // The record moved on meanwhile (launched, ended): look again.
  }
  return { workstream: id, ok: false, status: 'unknown', note: 'its record kept changing; try again' };
}

/** The request goes under the record's lock, so that no attempt begins between the look and the word. */
async function ask(root: string, record: StatusRecord): Promise<boolean> {
  const id = record.workstream;
  const lease = leaseOf(record);
  const path = recordLockPath(root, id);
  const write = async (): Promise<boolean> => {
    const now = readRecord(root, id);
    if (now.kind !== 'record' || !holdsLease(now.record, lease) || now.record.status !== record.status)
      return false;
    await requestStop(root, id, lease);
    return true;
  };
  try {
    return await withLock(path, write, FROZEN_MS);
  } catch (error) {
    if (!(error instanceof OrchError) || error.code !== 'LOCK_HELD') throw error;
    // A worker that is frozen in the middle of a write never gives the lock back. No other attempt can begin while
    // it has it, and a word for an attempt that has ended stops nobody: here the lock is not needed.
    return holdsLock(path, record) ? write() : withLock(path, write);
  }
}

/** True if the worker of `record` is who holds the lock. */
function holdsLock(path: string, { pid, identity }: StatusRecord): boolean {
  const holder = lockHolder(path);
  if (typeof holder === 'string' || identity === null) return false;
  const { boot_id, start_time } = holder.identity;
  return holder.pid === pid && boot_id === identity.boot_id && start_time === identity.start_time;
}

const REASON = { code: 'stopped', message: 'a person stopped it' };

async function stopWaiting(
  root: string,
  record: StatusRecord,
  { actor }: StopRequest,
): Promise<Stopped | null> {
  const id = record.workstream;
  if (!(await ask(root, record))) return null;
  const reason = { ...REASON, hint: `\`orch retry ${id}\` goes on with it.` };
  const event = { type: 'end', status: 'stopped', exitCode: null, signal: null, reason } as const;
  const same = (current: StatusRecord): boolean => current.status === record.status;
  const changed = await changeRecord(root, id, leaseOf(record), 'person', actor, event, same);
  return changed.ok
    ? {
        workstream: id,
        ok: true,
        status: 'stopped',
        note: record.status === 'crashed' ? 'it is not restarted' : 'before it was at work',
      }
    : null;
}

async function stopLive(root: string, record: AliveRecord, request: StopRequest): Promise<Stopped | null> {
  const { workstream: id, pid, identity } = record;
  const liveness = await livenessOf(record);
  if (liveness === 'unknown' && !request.presumeDead) {
    const note = `pid ${pid} on ${identity.host} cannot be judged from here; --presume-dead settles it on your word`;
    return { workstream: id, ok: false, status: 'unknown', note };
  }
  if (!(await ask(root, record))) return null;
  if (liveness === 'alive') {
    audit(root, request.actor, {
      event: 'signal',
      workstream: id,
      why: 'a person asked for it',
      signal: 'SIGTERM',
      pid,
    });
    await signalVerified(pid, identity.start_time, 'SIGTERM');
    const ended = await untilEnded(root, record, request.graceMs);
    if (ended !== null)
      return { workstream: id, ok: true, status: ended.status, note: ended.reason?.message ?? '' };
  }
  return settle(root, record, liveness === 'unknown', request);
}

/**
 * The record once this attempt has ended and its worker is gone, or null where it died without a last word. At the
 * bound: the record, if it has ended at least.
 */
async function untilEnded(root: string, record: AliveRecord, boundMs: number): Promise<StatusRecord | null> {
  const bound = performance.now() + boundMs;
  while (performance.now() < bound && (await livenessOf(record)) !== 'dead') await sleep(LOOK_MS);
  const last = readRecord(root, record.workstream);
  if (last.kind !== 'record') return null;
  // Another attempt that a person has begun meanwhile is not to be stopped any more.
  const isOver = !isAliveState(last.record) || !holdsLease(last.record, leaseOf(record));
  return isOver ? last.record : null;
}

/** Kills the tree of a worker that would not end, and settles what is dead, or presumed so, as stopped. */
async function settle(
  root: string,
  record: AliveRecord,
  presumed: boolean,
  { actor }: StopRequest,
): Promise<Stopped | null> {
  const id = record.workstream;
  const hint = `\`orch retry ${id}\` goes on from the last checkpoint.`;
  if (presumed) {
    const reason = { code: 'presumed_dead', message: 'a person said that its worker is gone', hint };
    const event = { type: 'end', status: 'stopped', exitCode: null, signal: null, reason } as const;
    const changed = await changeRecord(root, id, leaseOf(record), 'settler', actor, event);
    return changed.ok ? { workstream: id, ok: true, status: 'stopped', note: reason.message } : null;
  }
  const world = await observe(root, newMemory());
  const reason = { ...REASON, message: 'a person stopped it; it had to be killed', hint };
  const done = await act(world, { type: 'end', id, status: 'stopped', reason }, 'detached', actor);
  if (done.ok) return { workstream: id, ok: true, status: 'stopped', note: reason.message };
  const now = readRecord(root, id);
  if (now.kind === 'record' && !isAliveState(now.record)) {
    return { workstream: id, ok: true, status: now.record.status, note: now.record.reason?.message ?? '' };
  }
  return { workstream: id, ok: false, status: record.status, note: done.note };
}
