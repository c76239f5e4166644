import { setTimeout as sleep } from 'node:timers/promises';
import { ENV } from '../protocol/layout.ts';
import type { Identity } from '../protocol/status.ts';
import { hasWord, type ProcessInfo } from './info.ts';
import { PORTABLE_NAMESPACE } from './portable.ts';
import { backend, isSameStart, type Origin, origin, probe } from './system.ts';

/**
 * Between fork and exec a child shows its parent's command line and environment, and none while exec sets up
 * the new ones. Younger than this, a process with the right start time is taken for the right one.
 */
const EXEC_WINDOW_SECONDS = 2;

/** Exit also clears both, until the last thread is gone: on a busy machine a third of a second and more. */
const EXIT_PATIENCE_MS = 5_000;
const EXIT_LOOK_MS = 10;

/** The identity of the process that `pid` names now, or null if it is gone or cannot be seen. */
export async function identify(pid: number, token: string): Promise<Identity | null> {
  const info = await probe(pid);
  if (info === 'gone' || info === 'unknown') return null;
  const session = info.session === pid ? pid : null;
  return { ...(await origin()), start_time: info.startTime, session, token };
}

/** Whether PIDs of `identity` can be looked up here, cannot, or died with an earlier boot of this host. */
export function locate(identity: Identity, here: Origin): 'here' | 'elsewhere' | 'earlier boot' {
  if (identity.host !== here.host) return 'elsewhere';
  const isPortable = here.pid_namespace === PORTABLE_NAMESPACE;
  // The other backend's boot ids and start times are in other units: they differ, and prove nothing.
  if (isPortable !== (identity.pid_namespace === PORTABLE_NAMESPACE)) return 'elsewhere';
  // A derived boot time moves with the clock; without a token the process itself will show who it is.
  if (!isPortable && identity.boot_id !== here.boot_id) return 'earlier boot';
  return identity.pid_namespace === here.pid_namespace ? 'here' : 'elsewhere';
}

/** True if the process was started with this launch token, as a variable or as an argument. */
export function carriesToken(info: ProcessInfo, token: string): boolean {
  return (token !== '' && info.environ?.[ENV.token] === token) || hasWord(info.command, token);
}

/**
 * Whether the process that `identity` tells of still runs under `pid`. `dead` only on proof: no process, a
 * zombie, another start time, another token, another boot. Whatever cannot be seen from here is `unknown`.
 */
export async function judge(pid: number, identity: Identity): Promise<'same' | 'dead' | 'unknown'> {
  let here: Origin;
  try {
    here = await origin();
  } catch {
    // Whatever the errno: who cannot say where it is cannot judge.
    return 'unknown';
  }
  const place = locate(identity, here);
  if (place !== 'here') return place === 'elsewhere' ? 'unknown' : 'dead';
  for (const deadline = performance.now() + EXIT_PATIENCE_MS; ; ) {
    const info = await probe(pid);
    if (info === 'gone') return 'dead';
    if (info === 'unknown') return 'unknown';
    // On a clock that was set, `ps` shows another start time for the same process: there the token decides first.
    if (backend() === 'portable' && carriesToken(info, identity.token)) return 'same';
    if (!isSameStart(info.startTime, identity.start_time)) return 'dead';
    // Holders of locks have no launch token: the start time alone tells them.
    if (identity.token === '' || carriesToken(info, identity.token) || isInExecWindow(info)) return 'same';
    if (!info.opaque) return info.environ === null ? 'unknown' : 'dead';
    if (performance.now() > deadline) return 'unknown';
    await sleep(EXIT_LOOK_MS);
  }
}

/** True if the process is so young that it may not have passed exec yet. */
export function isInExecWindow(info: ProcessInfo): boolean {
  return Math.abs(Date.now() / 1_000 - info.startedAt) < EXEC_WINDOW_SECONDS;
}

/**
 * The process that wrote its PID into a file at `mtimeSeconds` (Unix), if it may still run. All there is to tell a
 * foreign worker by: it is dead if it is `gone`, or if the number is a `younger` process's by now.
 */
export async function findByPidFile(
  pid: number,
  mtimeSeconds: number,
): Promise<ProcessInfo | 'gone' | 'younger' | 'unknown'> {
  const info = await probe(pid);
  if (info === 'gone' || info === 'unknown') return info;
  // One second: the start is known to a tick at best, and file systems cut their times.
  return info.startedAt > mtimeSeconds + 1 ? 'younger' : info;
}
