import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  openSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { heartbeatPath, holdPath, pidPath, stopPath } from '../protocol/layout.ts';
import type { FrozenPlan } from '../protocol/plan.ts';
import { asWriteFault, kindOfFile, syncFolder, writeDurably } from './durable.ts';
import { readOwnFile } from './open.ts';
import type { Lease } from './records.ts';

/** The small files beside a record: heartbeat, stop request, PID file, and the hold of `stop --all`. */

/**
 * Touches the heartbeat and writes how many seconds the attempt has been awake, which lets an orchestrator keep
 * the time of a worker that hangs.
 */
export function beat(root: string, id: string, awakeSeconds: number): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  failpoint('store.heartbeat.write');
  const descriptor = openSync(heartbeatPath(root, id), flags, 0o600);
  try {
    if (!fstatSync(descriptor).isFile()) throw new OrchError('UNSAFE_FOLDER', 'it is not a regular file');
    // Fixed width, so that no truncation is needed and a full disk cannot take the block away.
    writeSync(descriptor, `${awakeSeconds.toFixed(1).padStart(12)}\n`, 0);
    const now = new Date();
    futimesSync(descriptor, now, now);
  } finally {
    closeSync(descriptor);
  }
  failpoint('store.heartbeat.written');
}

export type Heartbeat = { mtimeMs: number; awakeSeconds: number };

/** The last heartbeat; null if there is none or it cannot be read: a heartbeat informs, it decides nothing. */
export function readHeartbeat(root: string, id: string): Heartbeat | null {
  try {
    const file = readOwnFile(heartbeatPath(root, id), 4096);
    if (file === null) return null;
    const awakeSeconds = Number(file.text.trim() || '0');
    return { mtimeMs: file.mtimeMs, awakeSeconds: Number.isFinite(awakeSeconds) ? awakeSeconds : 0 };
  } catch (error) {
    if (error instanceof OrchError) return null;
    throw error;
  }
}

export type StopRequest = { run: string; attempt: number; at: number; by: number };

/** The lease of a foreign worker: whatever runs under that id by now. */
export const ANY_ATTEMPT: Lease = { run: '', attempt: -1, token: null };

/** Asks for this run and attempt to stop; durable before it returns. */
export async function requestStop(root: string, id: string, lease: Lease): Promise<void> {
  const request: StopRequest = {
    run: lease.run,
    attempt: lease.attempt,
    at: Date.now() / 1000,
    by: process.pid,
  };
  await writeDurably(stopPath(root, id), `${JSON.stringify(request)}\n`);
}

/**
 * Takes back whatever stop was asked of `id`, for good before it returns. Whoever begins the workstream anew calls it
 * under the record's lock and before the record says so: an attempt keeps its number until the next one begins, so
 * the old word would stop that before it began.
 */
export async function withdrawStop(root: string, id: string): Promise<void> {
  if (!removeFile(stopPath(root, id))) return;
  try {
    await syncFolder(dirname(stopPath(root, id)));
  } catch (error) {
    throw asWriteFault(stopPath(root, id), error);
  }
}

/**
 * The stop request that is there, whichever attempt it means; null if none. One without readable content, such
 * as a file that a person touched, means any attempt that began before it: its `attempt` is -1.
 */
export function readStop(root: string, id: string): StopRequest | null {
  const path = stopPath(root, id);
  const file = orUnreadable(() => readOwnFile(path, 4096));
  if (file === null) return null;
  const mtimeMs = file === 'unreadable' ? lstatSync(path, { throwIfNoEntry: false })?.mtimeMs : file.mtimeMs;
  if (mtimeMs === undefined) return null;
  const anyAttempt: StopRequest = { run: '', attempt: -1, at: mtimeMs / 1000, by: 0 };
  if (file === 'unreadable') return anyAttempt;
  try {
    const value: unknown = JSON.parse(file.text);
    if (typeof value !== 'object' || value === null) return anyAttempt;
    const { run, attempt, at, by } = value as Record<string, unknown>;
    if (typeof run !== 'string' || typeof attempt !== 'number') return anyAttempt;
    return { run, attempt, at: typeof at === 'number' ? at : 0, by: typeof by === 'number' ? by : 0 };
  } catch (error) {
    if (error instanceof SyntaxError) return anyAttempt;
    throw error;
  }
}

/** True if `stop` asks for the attempt of `lease` that began at `startedAt` (Unix seconds). */
export function meansAttempt(stop: StopRequest | null, lease: Lease, startedAt: number | null): boolean {
  if (stop === null) return false;
  if (stop.attempt === -1) return startedAt === null || stop.at >= startedAt;
  return stop.run === lease.run && stop.attempt === lease.attempt;
}

/** Forbids launches until the next launch or retry. */
export async function writeHold(root: string): Promise<void> {
  await writeDurably(holdPath(root), `${JSON.stringify({ at: Date.now() / 1000, by: process.pid })}\n`);
}

/** What tells the hold that is there from all others, without a clock; null where there is none of ours. */
export function markOfHold(root: string): string | null {
  const seen = lookAtHold(root);
  return seen === 'none' ? null : seen.mark;
}

/**
 * True if `stop --all` forbids launches; a hold that cannot be looked at holds too. One that the launch of `plan` lifts
 * does not, though that was cut off before it came to remove it.
 */
export function isHeld(root: string, plan: Pick<FrozenPlan, 'lifts'> | null): boolean {
  const seen = lookAtHold(root);
  return seen !== 'none' && (seen.mark === null || seen.mark !== plan?.lifts);
}

function lookAtHold(root: string): 'none' | { mark: string | null } {
  try {
    const stats = statSync(holdPath(root), { bigint: true });
    // A newer one is another file: it is written aside and renamed, or touched.
    return { mark: stats.isFile() ? `${stats.ino}-${stats.mtimeNs}` : null };
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'none' : { mark: null };
  }
}

/** Writes `.pids/<id>.pid`. A hint for shells: where it cannot be written, that is told on stderr and costs nothing. */
export async function writePid(path: string, pid: number): Promise<void> {
  try {
    await writeDurably(path, `${pid}\n`);
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    process.stderr.write(`orch: no PID file: ${error.message}\n`);
  }
}

export type PidFile = { pid: number; mtimeMs: number };

/** What a PID file says; null if it is absent, empty or no number, or cannot be read: it is a hint. */
export function readPid(path: string): PidFile | null {
  const file = orUnreadable(() => readOwnFile(path, 4096));
  if (file === null || file === 'unreadable') return null;
  const text = file.text.trim();
  return /^[1-9]\d{0,9}$/.test(text) ? { pid: Number(text), mtimeMs: file.mtimeMs } : null;
}

/** What is no readable file stops nobody from looking at the others. */
function orUnreadable<T>(read: () => T): T | 'unreadable' {
  try {
    return read();
  } catch (error) {
    if (error instanceof OrchError) return 'unreadable';
    throw error;
  }
}

/** Removes a file of ours; true if it was there. A folder in its place is not ours. */
export function removeFile(path: string): boolean {
  const kind = kindOfFile(path);
  try {
    failpoint('store.*.remove', kind);
    unlinkSync(path);
    failpoint('store.*.removed', kind);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || isFolder(path)) return false;
    throw asWriteFault(path, error);
  }
}

const isFolder = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Removes the PID file of `id` only if it still names `pid`. */
export function removePid(root: string, id: string, pid: number): void {
  if (readPid(pidPath(root, id))?.pid === pid) removeFile(pidPath(root, id));
}
