import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { copyingName, type LogLimits, partName, preparedName, rotatesAt } from '../protocol/log-parts.ts';
import { asWriteFault } from './durable.ts';
import { withLock } from './lock.ts';
import { baseOf, endOfParts, type LogPart, openRegular, partsBeside } from './log-parts.ts';

/**
 * Rotation. The writers hold descriptors that append, and nobody may stand in their way: so the log is copied, and
 * then cut. Killed at any moment, each byte is in the log or in a part:
 *
 * - `<log>.copying`: a copy under way. Nothing was cut; it means nothing.
 * - `<log>.<start>-<end>.new`: the copy is complete. Whether the log was cut since, its content tells.
 * - `<log>.<start>-<end>`: the log was cut.
 *
 * What a writer begins to add between the last look for more and the cut, a few microseconds later, is lost.
 */

const CHUNK_BYTES = 1024 * 1024;
/** What is left to be copied while nothing else happens in this process. */
const LAST_BYTES = 1024 * 1024;

/** What a rotation did: the paths of parts that it removed. Null: nothing was due, or somebody else is at it. */
export type Rotated = { removed: string[] } | null;

/**
 * Rotates the log at `path` if it has grown to the size where that is due. Whoever else is at it, has it: null.
 * @throws OrchError DISK_FULL, IO, UNSAFE_FOLDER.
 */
export async function rotateIfDue(path: string, lockPath: string, limits: LogLimits): Promise<Rotated> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true || stats.size < rotatesAt(limits)) return null;
  return unlessHeld(lockPath, () => rotate(path, limits));
}

/** Finishes or undoes a rotation that was cut off, if there is one. True if there was, and nobody else is at it. */
export async function settleIfCutOff(path: string, lockPath: string): Promise<boolean> {
  if (partsBeside(path).prepared === null) return false;
  const done = await unlessHeld(lockPath, async () => {
    settleRotation(path);
    return true;
  });
  return done ?? false;
}

/** `work` under a lock; null where somebody else holds it. */
export async function unlessHeld<T>(lockPath: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await withLock(lockPath, work, 0);
  } catch (error) {
    if (error instanceof OrchError && error.code === 'LOCK_HELD') return null;
    throw error;
  }
}

async function rotate(path: string, limits: LogLimits): Promise<Rotated> {
  settleRotation(path);
  const log = openRegular(path, constants.O_RDWR);
  if (log === null) return null;
  try {
    if (fstatSync(log).size < rotatesAt(limits)) return null;
    return { removed: await moveOut(path, log, limits) };
  } catch (error) {
    throw asWriteFault(path, error);
  } finally {
    closeSync(log);
  }
}

/**
 * Finishes a rotation whose maker died after the cut, and undoes one before it. Under the lock of rotation.
 * @throws OrchError IO, UNSAFE_FOLDER.
 */
function settleRotation(path: string): void {
  try {
    settlePrepared(path);
  } catch (error) {
    throw asWriteFault(path, error);
  }
}

function settlePrepared(path: string): void {
  const beside = partsBeside(path);
  const { prepared } = beside;
  if (prepared === null) return;
  const base = endOfParts(beside);
  const log = openRegular(path);
  try {
    const isCut = log === null || baseOf(beside, log) === prepared.end;
    failpoint('store.log.settle');
    if (isCut && prepared.end > base) renameSync(prepared.path, partPath(path, prepared));
    else rmSync(prepared.path, { force: true });
    failpoint('store.log.settled');
  } finally {
    if (log !== null) closeSync(log);
  }
}

const partPath = (path: string, { start, end }: Pick<LogPart, 'start' | 'end'>): string =>
  join(dirname(path), partName(basename(path), start, end));

/** Copies the log into a part, and cuts it; returns the parts that had to go. */
async function moveOut(path: string, log: number, limits: LogLimits): Promise<string[]> {
  const base = endOfParts(partsBeside(path));
  const size = fstatSync(log).size;
  // More than one file may hold was written between two looks: the newest of it stays.
  const from = size > limits.maxBytes ? size - rotatesAt(limits) : 0;
  const copying = join(dirname(path), copyingName(basename(path)));
  // Before the copy takes room: all together never hold more than `keep` parts and the log.
  const removed = dropParts(path, Math.max(limits.keep - 1, 0));
  const most = limits.keep === 0 ? 0 : limits.maxBytes;
  failpoint('store.log.copy');
  const copy = await openCopy(copying);
  try {
    const at = await copyUpTo(log, copy, from, most);
    failpoint('store.log.copied');
    // Nothing waits from here on.
    finish(path, log, copy.fd, { base, from, at, maxBytes: most });
    return [...removed, ...dropParts(path, limits.keep)];
  } catch (error) {
    // On a full disk a half copy must not take what the work needs. Under another name it is complete by now.
    rmSync(copying, { force: true });
    throw error;
  } finally {
    await copy.close();
  }
}

function openCopy(path: string): Promise<FileHandle> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  // Whatever was begun there is over: this is done under the lock.
  rmSync(path, { force: true });
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/** Copies until little is left; what is written meanwhile, too, as far as one part holds it. */
async function copyUpTo(log: number, copy: FileHandle, from: number, maxBytes: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let at = from;
  for (;;) {
    const left = Math.min(fstatSync(log).size, from + maxBytes) - at;
    if (left <= LAST_BYTES) return at;
    const length = readSync(log, buffer, 0, Math.min(left, CHUNK_BYTES), at);
    if (length === 0) return at;
    await writeWhole(copy, buffer.subarray(0, length));
    at += length;
  }
}

async function writeWhole(copy: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await copy.write(bytes, done);
    if (bytesWritten === 0) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

type Progress = { base: number; from: number; at: number; maxBytes: number };

/** The rest, the cut, and the name that says that it is done. Between the last look for more and the cut: nothing. */
function finish(path: string, log: number, copy: number, { base, from, at, maxBytes }: Progress): void {
  const name = basename(path);
  const start = base + from;
  const limit = from + maxBytes;
  const copied = drain(log, copy, at, limit);
  const prepared = join(dirname(path), preparedName(name, start, base + fstatSync(log).size));
  renameSync(join(dirname(path), copyingName(name)), prepared);
  failpoint('store.log.prepared');
  drainQuietly(log, copy, copied, limit);
  // What a writer that is faster than this has added counts, so that later offsets are right: it is told as gone.
  const end = base + fstatSync(log).size;
  ftruncateSync(log, 0);
  failpoint('store.log.cut');
  renameSync(prepared, partPath(path, { start, end }));
  failpoint('store.log.rotated');
}

const QUIET_TRIES = 8;

/**
 * Copies the rest until nothing comes any more. A write that is under way may be half there: its writer holds the
 * inode's lock, which `fchmod` waits for.
 */
function drainQuietly(log: number, copy: number, from: number, limit: number): void {
  let at = from;
  for (let tries = 0; tries < QUIET_TRIES; tries += 1) {
    fchmodSync(log, 0o600);
    const end = drain(log, copy, at, limit);
    if (end === at) return;
    at = end;
  }
}

const DRAIN_ROUNDS = 64;

/** Copies what there is, up to `limit`; returns where it stopped. A writer that is faster than this is left behind. */
function drain(log: number, copy: number, from: number, limit: number): number {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  let at = from;
  for (let round = 0; round < DRAIN_ROUNDS && at < limit; round += 1) {
    const length = readSync(log, buffer, 0, Math.min(buffer.length, limit - at), at);
    if (length === 0) break;
    if (writeSync(copy, buffer, 0, length) !== length) {
      throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
    }
    at += length;
  }
  return at;
}

/**
 * Removes all but the newest `keep` parts and returns their paths. The newest keeps its name, whatever is said: it
 * tells where the log begins. With 0 it keeps nothing else.
 */
function dropParts(path: string, keep: number): string[] {
  const { parts } = partsBeside(path);
  const surplus = parts.slice(0, Math.max(0, parts.length - Math.max(keep, 1)));
  for (const part of surplus) removePart(part.path);
  const newest = parts.at(-1);
  if (keep > 0 || newest === undefined || newest.size === 0) return surplus.map((part) => part.path);
  emptyPart(newest.path);
  return [...surplus, newest].map((part) => part.path);
}

function removePart(path: string): void {
  failpoint('store.log-part.remove');
  rmSync(path, { force: true });
  failpoint('store.log-part.removed');
}

function emptyPart(path: string): void {
  failpoint('store.log-part.empty');
  try {
    truncateSync(path, 0);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Gives up what a part holds. The newest of its log keeps its name, see `dropParts`. Under the lock of rotation. */
export function givePartUp(path: string, log: string): void {
  const newest = partsBeside(log).parts.at(-1);
  if (newest?.path === path) emptyPart(path);
  else removePart(path);
}

/** As `rotateIfDue`, for a log whose writers open it anew for each line: it is renamed, and no byte is lost. */
export async function moveAsideIfDue(path: string, lockPath: string, limits: LogLimits): Promise<Rotated> {
  const isDue = (): boolean => (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) >= rotatesAt(limits);
  if (!isDue()) return null;
  return unlessHeld(lockPath, async () => (isDue() ? moveAside(path, limits) : null));
}

function moveAside(path: string, limits: LogLimits): Rotated {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) return null;
  const base = endOfParts(partsBeside(path));
  failpoint('store.events.rotate');
  renameSync(path, partPath(path, { start: base, end: base + stats.size }));
  failpoint('store.events.rotated');
  return { removed: dropParts(path, limits.keep) };
}

/** Frees what a log that was deleted while it was written takes: nobody can read it any more. */
export function emptyIfDeleted(descriptor: number, limits: LogLimits): void {
  const stats = fstatSync(descriptor);
  if (stats.isFile() && stats.nlink === 0 && stats.size >= rotatesAt(limits)) ftruncateSync(descriptor, 0);
}
