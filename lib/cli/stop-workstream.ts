import { setTimeout as sleep } from 'node:timers/promises';
import { act } from '../orchestrate/act.ts';
import { livenessOf, newMemory, observe } from '../orchestrate/observe.ts';
import { signalVerified } from '../process/kill.ts';
import { recordLockPath } from '../protocol/layout.ts';
import { type AliveRecord, isAliveState, isFinal, type StatusRecord } from '../protocol/status.ts';
import { type Actor, audit } from '../store/events.ts';
import { withLock } from '../store/lock.ts';
import { readPlan } from '../store/plans.ts';
import { changeRecord, holdsLease, leaseOf, readRecord } from '../store/records.ts';
import { requestStop } from '../store/signs.ts';

export type Stopped = { workstream: string; ok: boolean; status: string; note: string };
export type StopRequest = { graceMs: number; presumeDead: boolean; actor: Actor };

const TRIES = 20;
const LOOK_MS = 50;

/**
 * Stops one workstream: the request is on disk before any signal, so that whoever settles its end knows whose will
 * it was. A worker that outlives the grace is killed with its whole tree.
 */
export async function stopWorkstream(root: string, id: string, request: StopRequest): Promise<Stopped> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const read = readRecord(root, id);
    if (read.kind !== 'record')
      return { workstream: id, ok: false, status: read.kind, note: 'it has no record that orch could stop' };
    const { record } = read;
    const restarts = readPlan(root)?.options.restart ?? 0;
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
  return withLock(recordLockPath(root, id), async () => {
    const now = readRecord(root, id);
    if (now.kind !== 'record' || !holdsLease(now.record, lease) || now.record.status !== record.status)
      return false;
    await requestStop(root, id, lease);
    return true;
  });
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
  return changed.ok ? { workstream: id, ok: true, status: 'stopped', note: 'before it was at work' } : null;
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

/** The record once this attempt has ended, or null at the bound or when it died without a last word. */
async function untilEnded(root: string, record: AliveRecord, boundMs: number): Promise<StatusRecord | null> {
  const bound = performance.now() + boundMs;
  while (performance.now() < bound) {
    const now = readRecord(root, record.workstream);
    if (now.kind === 'record' && !isAliveState(now.record)) return now.record;
    if ((await livenessOf(record)) === 'dead') break;
    await sleep(LOOK_MS);
  }
  const last = readRecord(root, record.workstream);
  return last.kind === 'record' && !isAliveState(last.record) ? last.record : null;
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
