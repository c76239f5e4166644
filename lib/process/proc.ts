import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';
import type { ProcessInfo } from './info.ts';
import { mayBeMark } from './scope-unit.ts';

/** The Linux backend: `/proc`, read synchronously, since one of its files costs less than a turn of the loop. */

/** USER_HZ, the unit of `/proc/PID/stat`: 100 in the kernel's ABI on every architecture that Node runs on. */
export const TICKS_PER_SECOND = 100;

export type Stat = {
  pid: number;
  name: string;
  state: string;
  ppid: number;
  pgrp: number;
  session: number;
  terminal: number;
  /** Process group in the foreground of its terminal; -1 without one. */
  foreground: number;
  /** User and system time of the process itself, in ticks. */
  cpuTicks: number;
  /** Of the children that have ended and that it has waited for, theirs included. */
  childTicks: number;
  threads: number;
  /** Ticks since boot. */
  startTime: number;
  residentPages: number;
};

/** ENOENT: no such entry any more; ESRCH: the process went away between open and read. */
function isVanished(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ESRCH';
}

function isForbidden(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EACCES' || errno === 'EPERM';
}

let scratch = Buffer.allocUnsafe(16_384);

/** The bytes of a `/proc` file, valid until the next call: such files have no size, so `readFileSync` is slow. */
function slurp(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    let length = 0;
    for (;;) {
      const count = readSync(fd, scratch, length, scratch.length - length, null);
      if (count === 0) return scratch.subarray(0, length);
      length += count;
      if (length === scratch.length) scratch = Buffer.concat([scratch], scratch.length * 2);
    }
  } finally {
    closeSync(fd);
  }
}

/** Parses `/proc/PID/stat`, proc_pid_stat(5). The name may hold blanks and brackets, so it ends at the last `)`. */
export function parseStat(text: string): Stat {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const stat: Stat = {
    pid: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    state: fields[0] ?? '',
    ppid: field(4),
    pgrp: field(5),
    session: field(6),
    terminal: field(7),
    foreground: field(8),
    cpuTicks: field(14) + field(15),
    childTicks: field(16) + field(17),
    threads: field(20),
    startTime: field(22),
    residentPages: field(24),
  };
  if (close < 0 || !Number.isSafeInteger(stat.pid) || !Number.isSafeInteger(stat.startTime)) {
    throw new OrchError('IO', `/proc gave a stat line that cannot be read: ${text.slice(0, 80)}`);
  }
  return stat;
}

/** A leader that called `pthread_exit` shows Z while its other threads work on: that process lives. */
export function isZombie(stat: Stat): boolean {
  return stat.state === 'X' || stat.state === 'x' || (stat.state === 'Z' && stat.threads <= 1);
}

/** Null once the process has been waited for. Throws the system error if it cannot be read. */
export function readStat(pid: number): Stat | null {
  try {
    return parseStat(slurp(`/proc/${pid}/stat`).toString('latin1'));
  } catch (error) {
    if (isVanished(error)) return null;
    throw error;
  }
}

/** The stat of all processes that may be seen; those that vanish meanwhile are left out. */
export function listStats(): Stat[] {
  assertOwnProc();
  const stats: Stat[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readStat(Number(name));
      if (stat !== null) stats.push(stat);
    } catch (error) {
      // Mount option hidepid=1: another user's process, which could be neither ours nor signalled.
      if (!isForbidden(error)) throw error;
    }
  }
  return stats;
}

let ownProc = false;

/** In a new PID namespace with the old `/proc`, each number there would name another process. */
function assertOwnProc(): void {
  if (ownProc) return;
  const self = readlinkSync('/proc/self');
  if (self !== String(process.pid)) {
    throw new OrchError('IO', `/proc belongs to another PID namespace: it calls this process ${self}`, {
      hint: 'Mount /proc of this namespace (unshare --mount-proc).',
    });
  }
  ownProc = true;
}

let bootTime = { at: Number.NEGATIVE_INFINITY, seconds: 0 };

/** Seconds since boot, suspended time included: the clock that start times are taken from. */
export function uptime(): number {
  return Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
}

/** Unix time of the boot. Read again each second, since a clock that is set moves it. */
function bootedAt(): number {
  const now = performance.now();
  if (now - bootTime.at > 1_000) bootTime = { at: now, seconds: Date.now() / 1_000 - uptime() };
  return bootTime.seconds;
}

type Identifiers = { tgid: number; uid: number };

function readIdentifiers(pid: number): Identifiers | null {
  try {
    const text = slurp(`/proc/${pid}/status`).toString('latin1');
    const tgid = /^Tgid:\s+(\d+)/m.exec(text)?.[1];
    // The owner of the folder is no substitute: it is root for whatever may not be dumped.
    const uid = /^Uid:\s+(\d+)/m.exec(text)?.[1];
    return tgid === undefined || uid === undefined ? null : { tgid: Number(tgid), uid: Number(uid) };
  } catch (error) {
    if (isVanished(error)) return null;
    throw error;
  }
}

function readCommand(pid: number): string {
  try {
    return slurp(`/proc/${pid}/cmdline`).toString('utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
  } catch (error) {
    if (isVanished(error) || isForbidden(error)) return '';
    throw error;
  }
}

type Environ = { size: number; orch: Record<string, string> | null };

function readEnviron(pid: number): Environ {
  try {
    const bytes = slurp(`/proc/${pid}/environ`);
    const orch: Record<string, string> = {};
    if (!bytes.includes('ORCH_')) return { size: bytes.length, orch };
    for (const entry of bytes.toString('utf8').split('\0')) {
      const at = entry.indexOf('=');
      if (at > 0 && entry.startsWith('ORCH_')) orch[entry.slice(0, at)] = entry.slice(at + 1);
    }
    return { size: bytes.length, orch };
  } catch (error) {
    if (isVanished(error) || isForbidden(error)) return { size: 0, orch: null };
    throw error;
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isVanished(error) || isForbidden(error)) return null;
    throw error;
  }
}

/** The mount namespace is compared because the same path names another folder in a container. */
function readCwd(pid: number): string | null {
  const cwd = readLink(`/proc/${pid}/cwd`);
  if (cwd === null) return null;
  return readLink(`/proc/${pid}/ns/mnt`) === readLink('/proc/self/ns/mnt') ? cwd : null;
}

function readText(path: string): string {
  try {
    return slurp(path).toString('latin1');
  } catch (error) {
    if (isVanished(error) || isForbidden(error)) return '';
    throw error;
  }
}

/** Of the tree of cgroup v2, which alone names one group for each process. Most processes have no scope of orch. */
function readCgroup(pid: number): string | null {
  const path = /^0::(\/.*)$/m.exec(readText(`/proc/${pid}/cgroup`))?.[1] ?? '';
  return path.includes('/orch-') ? path : null;
}

function readLimitMark(pid: number): string | null {
  const soft = /^Max realtime timeout\s+(\d+)/m.exec(readText(`/proc/${pid}/limits`))?.[1];
  return soft !== undefined && mayBeMark(soft) ? soft : null;
}

/**
 * Reads the rest of a process. What is read after `stat` may belong to a later process with the number; it
 * then started later, and every signal verifies the start time that `stat` gave.
 */
function complete(stat: Stat, detail: boolean): ProcessInfo | 'thread' | null {
  const identifiers = readIdentifiers(stat.pid);
  if (identifiers === null) return null;
  if (identifiers.tgid !== stat.pid) return 'thread';
  const command = readCommand(stat.pid);
  const environ = detail ? readEnviron(stat.pid) : { size: 0, orch: null };
  // Kernel threads, which are most of a list, have nothing to read; but then 2 may be anybody in a PID namespace.
  const isMarkable = detail && (command !== '' || environ.size > 0 || (stat.pid !== 2 && stat.ppid !== 2));
  return {
    pid: stat.pid,
    ppid: stat.ppid,
    pgrp: stat.pgrp,
    session: stat.session,
    hasTerminal: stat.terminal !== 0,
    zombie: isZombie(stat),
    stopped: stat.state === 'T',
    opaque: command === '' && environ.size === 0,
    startTime: stat.startTime,
    startedAt: bootedAt() + stat.startTime / TICKS_PER_SECOND,
    uid: identifiers.uid,
    command: command === '' ? `[${stat.name}]` : command,
    environ: environ.orch,
    cwd: detail ? readCwd(stat.pid) : null,
    cgroup: isMarkable ? readCgroup(stat.pid) : null,
    limitMark: isMarkable ? readLimitMark(stat.pid) : null,
  };
}

/** All processes; `detail` reads environ and cwd too. Throws if `/proc` as a whole cannot be read. */
export function listLinux(detail: boolean): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const stat of listStats()) {
    try {
      const info = complete(stat, detail);
      if (info !== null && info !== 'thread') found.push(info);
    } catch (error) {
      if (!isForbidden(error)) throw error;
    }
  }
  return found;
}

/**
 * One process with detail, or null if `/proc` shows none. It also answers to the numbers of threads: `thread`
 * means that no process has this one. Throws the system error if it cannot be read.
 */
export function readLinux(pid: number): ProcessInfo | 'thread' | null {
  assertOwnProc();
  const stat = readStat(pid);
  return stat === null ? null : complete(stat, true);
}

/** This boot and this PID namespace. */
export function originLinux(): { boot_id: string; pid_namespace: string } {
  return {
    boot_id: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    pid_namespace: readlinkSync('/proc/self/ns/pid'),
  };
}
