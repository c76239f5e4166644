/** One process as a backend saw it. Text that nobody could read is null, never an empty guess. */
export type ProcessInfo = {
  pid: number;
  ppid: number;
  pgrp: number | null;
  session: number | null;
  hasTerminal: boolean | null;
  /** Ended, whatever `kill(pid, 0)` says. A process whose first thread alone has ended is not a zombie. */
  zombie: boolean;
  /** Stopped by a signal: it sees no signal but SIGKILL before a SIGCONT. */
  stopped: boolean;
  /**
   * Neither command line nor environment is there to see: a kernel thread, or a process in the middle of
   * exec or exit. Says nothing about whose it is.
   */
  opaque: boolean;
  /** As `Identity.start_time`: clock ticks since boot on Linux, Unix seconds elsewhere. */
  startTime: number;
  /** Unix seconds, by the wall clock of now. */
  startedAt: number;
  /** Real user id. */
  uid: number | null;
  /** The arguments joined by one space; `[name]` where there are none. */
  command: string;
  /** Only the `ORCH_*` variables that the process was started with; null: unreadable. */
  environ: Record<string, string> | null;
  /** Null: unreadable, or of another mount namespace, where the same text names another folder. */
  cwd: string | null;
  /** Path in the cgroup v2 tree where it has a scope of orch in it; else null. Only with detail. */
  cgroup: string | null;
  /** The soft limit that may be a worker's mark, see `limitMark`; else null. Only with detail. */
  limitMark: string | null;
};

/** True if `word` is one whole argument of the command line, so that `ORCH_TOKEN=word` is not it. */
export function hasWord(command: string, word: string): boolean {
  return word !== '' && command.split(' ').includes(word);
}

/** True if a process may have this number. Records and PID files may hold any; kill(2) reads some as groups. */
export function isPid(pid: number): boolean {
  return Number.isInteger(pid) && pid > 0 && pid < 2 ** 31;
}
