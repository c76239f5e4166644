import { uptime } from 'node:os';
import { messageOf, OrchError } from '../errors.ts';
import type { ProcessInfo } from './info.ts';

/**
 * The backend for systems without `/proc`: `ps`, through ps-list, and once more for groups and states.
 * It sees no environment and no cwd, so it proves kinship by command line, ancestry, session and group alone.
 */

/** Stands where Linux has a PID namespace, so that no backend judges the other one's start times. */
export const PORTABLE_NAMESPACE = 'portable';

type Extra = { pgrp: number; session: number | null; state: string; terminal: boolean };

// Only Linux prints a session id; elsewhere `s` in the state still tells who leads one.
const COLUMNS =
  process.platform === 'linux' ? ['pid', 'pgid', 'stat', 'tty', 'sess'] : ['pid', 'pgid', 'stat', 'tty'];

async function readExtras(): Promise<Map<number, Extra>> {
  const { execa } = await import('execa');
  const args = ['-A', ...COLUMNS.flatMap((column) => ['-o', `${column}=`])];
  const { stdout } = await execa('ps', args, { env: { LC_ALL: 'C' }, stdin: 'ignore' });
  const extras = new Map<number, Extra>();
  for (const line of stdout.split('\n')) {
    const [pid, pgrp, state, tty, sess] = line.trim().split(/\s+/);
    if (pid === undefined || pgrp === undefined || state === undefined || tty === undefined) continue;
    const led = state.includes('s') ? Number(pid) : null;
    const session = sess === undefined ? led : Number(sess);
    extras.set(Number(pid), { pgrp: Number(pgrp), session, state, terminal: !/^[?-]/.test(tty) });
  }
  return extras;
}

/** All processes, `ps` itself among them. Throws IO if `ps` fails. */
export async function listPortable(): Promise<ProcessInfo[]> {
  try {
    const { default: psList } = await import('ps-list');
    const [processes, extras] = await Promise.all([psList(), readExtras()]);
    const found: ProcessInfo[] = [];
    for (const { pid, ppid, uid, cmd, name, startTime } of processes) {
      const extra = extras.get(pid);
      // Seen by one `ps` and not by the other: it came or went in between.
      if (extra === undefined || startTime === undefined) continue;
      const seconds = startTime.getTime() / 1_000;
      found.push({
        pid,
        ppid,
        pgrp: extra.pgrp,
        session: extra.session,
        hasTerminal: extra.terminal,
        zombie: extra.state.startsWith('Z') && !extra.state.includes('l'),
        stopped: extra.state.startsWith('T'),
        opaque: false,
        startTime: seconds,
        startedAt: seconds,
        uid: uid ?? null,
        command: cmd === undefined || cmd === '' ? `[${name}]` : cmd,
        environ: null,
        cwd: null,
        cgroup: null,
        limitMark: null,
      });
    }
    return found;
  } catch (cause) {
    const message = `the list of processes cannot be read: ${messageOf(cause)}`;
    throw new OrchError('IO', message, { hint: '`ps` must be on PATH.', cause });
  }
}

let next: Promise<Map<number, ProcessInfo>> | null = null;

/**
 * One process, or null if `ps` does not show it. Calls of one turn of the loop share a listing; none joins a
 * listing that began before it, which would not show a process that was started since.
 */
export async function readPortable(pid: number): Promise<ProcessInfo | null> {
  next ??= new Promise((resolve) => setImmediate(resolve)).then(async () => {
    next = null;
    return new Map((await listPortable()).map((info) => [info.pid, info]));
  });
  return (await next).get(pid) ?? null;
}

/** The boot is derived from the clock, so it moves when the clock is set: a hint, no proof of a reboot. */
export function originPortable(): { boot_id: string; pid_namespace: string } {
  const bootedAt = Math.round((Date.now() / 1_000 - uptime()) / 10) * 10;
  return { boot_id: `boot:${bootedAt}`, pid_namespace: PORTABLE_NAMESPACE };
}
