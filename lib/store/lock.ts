import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { identify, judge } from '../process/identity.ts';
import type { Identity } from '../protocol/status.ts';
import { asWriteFault, kindOfFile } from './durable.ts';

/**
 * Locks of short critical sections and of the orchestrator's role.
 *
 * proper-lockfile gives release at exit and notice of a lost lock. Its way to take over a stale lock is
 * not exclusive (moxystudio/node-proper-lockfile#121), so its `mkdir` and `rmdir` are replaced by ours, and age
 * never makes a lock stale. A lock is a folder that holds one empty file, whose name tells who holds it:
 *
 * - take: the folder with the file in it is made aside and renamed to its place. A rename onto a folder that is
 *   not empty fails, onto an empty one succeeds, and only one contender's can.
 * - release: the file goes, then the folder. Killed in between: an empty folder, which anybody may take.
 * - break: the holder is proved dead, then the file of that very holder is unlinked. A contender that comes late
 *   unlinks nothing, since the next holder's file has another name.
 */

const NEVER_STALE_MS = 365 * 24 * 3_600_000;
const UPDATE_MS = 3_600_000;
/** 4 ms and more at first, then every 100 ms: short sections are over in a few milliseconds. */
const RETRY = { firstMs: 4, longestMs: 100, factor: 1.6 };
const SEPARATOR = '~';

export type LockOwner = { pid: number; identity: Identity; nonce: string };
export type LockOptions = { boundMs: number; onLost?: (error: Error) => void };
export type Release = () => Promise<void>;

let self: Promise<Identity> | null = null;

async function whoAmI(): Promise<Identity> {
  self ??= identify(process.pid, '').then((identity) => {
    if (identity === null)
      throw new OrchError('INTERNAL', `cannot tell who this process (${process.pid}) is`);
    return identity;
  });
  return self;
}

function ownerName(identity: Identity, nonce: string): string {
  const { start_time, boot_id, pid_namespace, host } = identity;
  const parts = [nonce, process.pid, start_time, boot_id, pid_namespace, host];
  return parts.map((part) => encodeURIComponent(part)).join(SEPARATOR);
}

/** Null for a name that is not exactly ours: what is only like one proves nobody dead. */
function parseOwner(name: string): LockOwner | null {
  const [nonce = '', pid = '', startTime = '', boot_id, pid_namespace, ...host] = decodeParts(name);
  if (!/^[0-9a-f]{32}$/.test(nonce) || !/^[1-9]\d*$/.test(pid) || !/^\d+(\.\d+)?$/.test(startTime))
    return null;
  if (boot_id === undefined || pid_namespace === undefined || host.length === 0) return null;
  const start = { start_time: Number(startTime), session: null, token: '' };
  return {
    nonce,
    pid: Number(pid),
    identity: { host: host.join(SEPARATOR), boot_id, pid_namespace, ...start },
  };
}

function decodeParts(name: string): string[] {
  try {
    return name.split(SEPARATOR).map((part) => decodeURIComponent(part));
  } catch (error) {
    if (error instanceof URIError) return [];
    throw error;
  }
}

/** What is in a lock's folder; never what is in another one that a link leads to. */
function marksIn(path: string): string[] {
  if (!fs.lstatSync(path).isDirectory())
    throw Object.assign(new Error(`${path} is no folder`), { code: 'ENOTDIR' });
  return fs.readdirSync(path);
}

/** Who holds the lock: an owner, `free`, or `unknown` where the folder holds something that is not ours. */
export function lockHolder(path: string): LockOwner | 'free' | 'unknown' {
  let names: string[];
  try {
    names = marksIn(path);
  } catch (error) {
    // A file or a link in its place, a folder that may not be read: not free, and nobody's to break.
    return errnoOf(error) === 'ENOENT' ? 'free' : 'unknown';
  }
  const [name, ...others] = names;
  if (name === undefined) return 'free';
  return others.length > 0 ? 'unknown' : (parseOwner(name) ?? 'unknown');
}

/** False only if nobody holds it, or its holder is proved dead. */
export async function mayBeHeld(path: string): Promise<boolean> {
  const holder = lockHolder(path);
  if (holder === 'unknown') return true;
  return holder !== 'free' && (await judge(holder.pid, holder.identity)) !== 'dead';
}

/** Nonces of the locks that this process has or is taking. */
const current = new Set<string>();

/** True for a mark of this very process that it failed to remove: on a disk that was read-only for a moment. */
async function isLeftByUs({ pid, identity, nonce }: LockOwner): Promise<boolean> {
  if (pid !== process.pid || current.has(nonce)) return false;
  const me = await whoAmI();
  const fields = ['start_time', 'boot_id', 'pid_namespace', 'host'] as const;
  return fields.every((field) => identity[field] === me[field]);
}

async function isOver(owner: LockOwner): Promise<boolean> {
  return (await isLeftByUs(owner)) || (await judge(owner.pid, owner.identity)) === 'dead';
}

/** Takes the holder's mark away if the holder is proved dead. True if the lock may be tried again at once. */
async function breakIfDead(path: string): Promise<boolean> {
  for (const name of marksIn(path)) {
    const owner = parseOwner(name);
    if (owner === null || !(await isOver(owner))) return false;
    try {
      failpoint('store.*-lock.break', kindOfFile(path));
      fs.unlinkSync(join(path, name));
      failpoint('store.*-lock.broken', kindOfFile(path));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return true;
}

/** Removes a lock whose holder is proved dead; false if it is not there or somebody holds it. */
export async function clearDeadLock(path: string): Promise<boolean> {
  try {
    if (!(await breakIfDead(path))) return false;
    fs.rmdirSync(path);
    failpoint('store.*-lock.cleared', kindOfFile(path));
    return true;
  } catch (error) {
    // Gone, or taken by the next holder while we looked.
    if (isTaken(error) || errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The state folder alone, never the way to it: a repository that was deleted stays deleted. */
function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function take(path: string, owner: string, nonce: string): void {
  const aside = join(dirname(path), `${basename(path)}.${nonce}`);
  // The folder too: whoever deletes `.status` under a live worker loses records, not the work.
  makeFolder(dirname(path));
  const kind = kindOfFile(path);
  failpoint('store.*-lock.take', kind);
  fs.mkdirSync(aside, { mode: 0o700 });
  try {
    failpoint('store.*-lock.unmarked', kind);
    fs.closeSync(fs.openSync(join(aside, owner), 'wx', 0o600));
    failpoint('store.*-lock.aside', kind);
    fs.renameSync(aside, path);
  } catch (error) {
    fs.rmSync(aside, { recursive: true, force: true });
    throw error;
  }
}

const isTaken = (error: unknown): boolean => ['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '');

async function takeOrBreak(path: string, owner: string, nonce: string): Promise<void> {
  try {
    take(path, owner, nonce);
  } catch (error) {
    // ENOTDIR: a file or a link is in its place, which no proof of death takes away.
    if (!isTaken(error) && errnoOf(error) !== 'ENOTDIR') throw error;
    let broken: boolean;
    try {
      broken = errnoOf(error) !== 'ENOTDIR' && (await breakIfDead(path));
    } catch (readError) {
      if (errnoOf(readError) !== 'ENOENT') throw readError;
      broken = true;
    }
    if (!broken) throw Object.assign(new Error('held', { cause: error }), { code: 'EEXIST' });
    take(path, owner, nonce);
  }
}

function give(path: string, owner: string): void {
  const kind = kindOfFile(path);
  failpoint('store.*-lock.give', kind);
  fs.unlinkSync(join(path, owner));
  try {
    failpoint('store.*-lock.free', kind);
    fs.rmdirSync(path);
  } catch (error) {
    // Somebody took the empty folder already.
    if (!isTaken(error) && errnoOf(error) !== 'ENOENT') throw error;
  }
}

type Done = (error?: NodeJS.ErrnoException | null) => void;

/** The file system as proper-lockfile is shown it: `mkdir` and `rmdir` keep the rules above. */
function lockFileSystem(owner: string, nonce: string): typeof fs {
  const mkdir = (path: string, done: Done): void => {
    takeOrBreak(path, owner, nonce).then(
      () => done(null),
      (error: NodeJS.ErrnoException) =>
        done(isTaken(error) ? Object.assign(error, { code: 'EEXIST' }) : error),
    );
  };
  const rmdirSync = (path: string): void => give(path, owner);
  const rmdir = (path: string, done: Done): void => {
    try {
      give(path, owner);
      done(null);
    } catch (error) {
      done(error as NodeJS.ErrnoException);
    }
  };
  return { ...fs, mkdir, rmdir, rmdirSync } as unknown as typeof fs;
}

/**
 * Takes the lock `path`, waiting at most `boundMs` for a live holder; a dead one's is broken.
 * @throws OrchError LOCK_HELD with the holder's pid, DISK_FULL, IO.
 */
export async function takeLock(path: string, options: LockOptions): Promise<Release> {
  const nonce = randomBytes(16).toString('hex');
  const owner = ownerName(await whoAmI(), nonce);
  const onLost =
    options.onLost ??
    ((error: Error) => process.stderr.write(`orch: lock ${path} was lost: ${error.message}\n`));
  // Lazily: `orch status` takes no lock.
  const { default: lockfile } = await import('proper-lockfile');
  current.add(nonce);
  try {
    const take = (): Promise<Release> =>
      lockfile.lock(path, {
        lockfilePath: path,
        realpath: false,
        stale: NEVER_STALE_MS,
        update: UPDATE_MS,
        fs: lockFileSystem(owner, nonce),
        onCompromised: onLost,
      });
    const release = await retried(take, options.boundMs);
    return () => letGo(path, nonce, release);
  } catch (error) {
    current.delete(nonce);
    if (errnoOf(error) !== 'ELOCKED') throw asWriteFault(path, error);
    throw heldBy(path, error);
  }
}

/** What a disk says of itself: asking again within seconds is in vain, and a worker has other things to do. */
const DISK_SAYS_NO: ReadonlySet<string> = new Set(['EROFS', 'ENOSPC', 'EDQUOT', 'EACCES', 'EPERM']);

async function retried(take: () => Promise<Release>, boundMs: number): Promise<Release> {
  const triesMax = boundMs === 0 ? 0 : 8 + Math.ceil(boundMs / RETRY.longestMs);
  for (let tries = 0; ; tries += 1) {
    try {
      return await take();
    } catch (error) {
      if (tries >= triesMax || DISK_SAYS_NO.has(errnoOf(error) ?? '')) throw error;
      await sleep(Math.min((1 + Math.random()) * RETRY.firstMs * RETRY.factor ** tries, RETRY.longestMs));
    }
  }
}

/**
 * What was done under the lock is done, whether or not its mark can be removed. A mark that stays is broken by
 * whoever comes next: by this process at once, by others when it is dead.
 */
async function letGo(path: string, nonce: string, release: Release): Promise<void> {
  try {
    await release();
    failpoint('store.*-lock.given', kindOfFile(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null || ['ERELEASED', 'ENOTACQUIRED'].includes(errno)) throw error;
    process.stderr.write(`orch: lock ${path} could not be removed (${errno})\n`);
  } finally {
    current.delete(nonce);
  }
}

function heldBy(path: string, cause: unknown): OrchError {
  const holder = lockHolder(path);
  if (typeof holder === 'string') {
    const hint = `Look at ${path}; if no orch runs here, remove it.`;
    return new OrchError('LOCK_HELD', `${path} is held (${holder})`, { hint, cause });
  }
  const hint = 'Wait until it is done, or look at what that process does.';
  return new OrchError('LOCK_HELD', `${path} is held by pid ${holder.pid} on ${holder.identity.host}`, {
    hint,
    cause,
  });
}

const queues = new Map<string, Promise<unknown>>();

/** Runs `work` under the lock `path`. Callers of one process queue here, not at the file. */
export async function withLock<T>(path: string, work: () => Promise<T>, boundMs = 15_000): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve();
  const turn = before.then(async () => {
    const release = await takeLock(path, { boundMs });
    try {
      failpoint('store.*-lock.taken', kindOfFile(path));
      return await work();
    } finally {
      await release();
    }
  });
  const settled = turn.then(
    () => undefined,
    () => undefined,
  );
  queues.set(path, settled);
  try {
    return await turn;
  } finally {
    if (queues.get(path) === settled) queues.delete(path);
  }
}
