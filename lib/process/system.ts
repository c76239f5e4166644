import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { errnoOf } from '../errors.ts';
import { isPid, type ProcessInfo } from './info.ts';
import { listPortable, originPortable, readPortable } from './portable.ts';
import { listLinux, originLinux, readLinux } from './proc.ts';

export type { ProcessInfo } from './info.ts';

/** Where a PID means what it says: this host, since this boot, in this PID namespace. */
export type Origin = { host: string; boot_id: string; pid_namespace: string };

/** The backend in use: `/proc` on Linux, else `ps`; ORCH_PROCESS_BACKEND=portable forces the latter. */
export function backend(): 'linux' | 'portable' {
  const forced = process.env['ORCH_PROCESS_BACKEND'] === 'portable';
  return forced || process.platform !== 'linux' ? 'portable' : 'linux';
}

/**
 * All processes that may be seen, zombies among them; `detail` reads environ and cwd too. Those that vanish
 * while it reads are left out. Throws IO, or the system error, if the list as a whole cannot be read.
 */
export async function listProcesses(options: { detail?: boolean } = {}): Promise<ProcessInfo[]> {
  return backend() === 'linux' ? listLinux(options.detail ?? false) : listPortable();
}

/** `gone` only on proof: no such process, or a zombie. Whatever hinders the look is `unknown`. */
export async function probe(pid: number): Promise<ProcessInfo | 'gone' | 'unknown'> {
  if (!isPid(pid)) return 'gone';
  let info: ProcessInfo | 'thread' | null;
  try {
    info = backend() === 'linux' ? readLinux(pid) : await readPortable(pid);
  } catch {
    // Whatever went wrong (EACCES, EMFILE, no ps): an error is not evidence of absence.
    return 'unknown';
  }
  if (info === null) return isAbsent(pid) ? 'gone' : 'unknown';
  return info === 'thread' || info.zombie ? 'gone' : info;
}

/** What a list does not show may still be there: `/proc` mounted with hidepid=2 hides other users' processes. */
function isAbsent(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}

/**
 * True if two start times of one PID may be of one process. `ps` counts in seconds from a boot time that it
 * derives from the clock, so its times may differ by a little.
 */
export function isSameStart(a: number, b: number): boolean {
  return backend() === 'linux' ? a === b : Math.abs(a - b) <= 2;
}

const origins = new Map<'linux' | 'portable', Origin>();

/** Where this process runs, read once. Throws the system error if the system will not tell. */
export async function origin(): Promise<Origin> {
  const kind = backend();
  const known = origins.get(kind);
  if (known !== undefined) return known;
  const fresh = { host: hostname(), ...(kind === 'linux' ? originLinux() : originPortable()) };
  origins.set(kind, fresh);
  return fresh;
}

/** A launch token: 128 random bits in hex. An identity, not a secret. */
export function createToken(): string {
  return randomBytes(16).toString('hex');
}

/** True if a signal has stopped the process (SIGSTOP, Ctrl+Z): it lives, and does nothing. */
export async function isFrozen(pid: number): Promise<boolean> {
  const info = await probe(pid);
  return typeof info !== 'string' && info.stopped;
}
