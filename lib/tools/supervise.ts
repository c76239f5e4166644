import { fstatSync } from 'node:fs';
import { execa } from 'execa';
import { errnoOf } from '../errors.ts';
import { killKin } from '../process/kill.ts';
import type { Kin } from '../process/kin.ts';
import { cpuSecondsOf } from '../process/usage.ts';

/** How a tool is watched: its bounds, and how to find all that it started. */
export type Supervision = {
  timeoutMs: number;
  stallMs: number;
  graceMs: number;
  /** Aborted when the worker must stop. */
  stop: AbortSignal;
  /** All live processes of this worker but the worker itself. */
  kin: () => Promise<Kin[]>;
  /** Told the pid of each program once it runs. */
  onStart: (pid: number) => Promise<void>;
  onSignal: (kin: Kin, signal: string) => void;
};

export type Ended = {
  how: 'exit' | 'timeout' | 'stalled' | 'killed' | 'not_started';
  exitCode: number | null;
  signal: string | null;
  message: string;
};

/** What a shell answers where there is no such program. */
export const NOT_FOUND = 127;
const KILL_BOUND_MS = 15_000;

/**
 * Runs a program to its end with output going straight to this process's own stdout and stderr, stops it at its
 * bounds, and ends whatever it left behind. The program leads a session of its own, so that a signal meant for
 * it does not reach the worker.
 */
export async function supervise(
  file: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string> },
  supervision: Supervision,
): Promise<Ended> {
  if (supervision.stop.aborted)
    return { how: 'killed', exitCode: null, signal: null, message: 'stopped before it began' };
  const earlier = new Set((await supervision.kin()).map((kin) => `${kin.pid}:${kin.startTime}`));
  const mine = async (): Promise<Kin[]> =>
    (await supervision.kin()).filter((kin) => !earlier.has(`${kin.pid}:${kin.startTime}`));
  const child = execa(file, args, {
    cwd: options.cwd,
    env: options.env,
    extendEnv: false,
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
  });
  const noted = child.pid === undefined ? Promise.resolve() : supervision.onStart(child.pid);
  // Its failure is met below, once the program and all it started have ended.
  noted.catch(() => undefined);
  const bound = watchBounds(supervision, mine);
  const first = await Promise.race([child.then(() => 'exit' as const), bound.reached]);
  bound.close();
  const { graceMs, onSignal } = supervision;
  await killKin(mine, {
    graceMs: first === 'exit' ? Math.min(graceMs, 2_000) : graceMs,
    boundMs: graceMs + KILL_BOUND_MS,
    onSignal,
  });
  await noted;
  if (first !== 'exit') return { how: first, exitCode: null, signal: null, message: BOUND_MESSAGE[first] };
  const result = await child;
  if (result.exitCode === undefined && result.signal === undefined) {
    return {
      how: 'not_started',
      exitCode: null,
      signal: null,
      message: `${file}: ${errnoOf(result.cause) ?? result.code ?? 'cannot be started'}`,
    };
  }
  const exitCode = result.exitCode ?? null;
  const signal = result.signal ?? null;
  return {
    how: 'exit',
    exitCode,
    signal,
    message: signal === null ? exitText(exitCode) : `ended by ${signal}`,
  };
}

function exitText(exitCode: number | null): string {
  return exitCode === NOT_FOUND ? 'command not found (exit code 127)' : `exit code ${exitCode}`;
}

type Bound = 'timeout' | 'stalled' | 'killed';

const BOUND_MESSAGE: Record<Bound, string> = {
  timeout: 'ran longer than its time',
  stalled: 'no output and no CPU use for longer than the stall timeout',
  killed: 'the worker was told to stop',
};

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Timers count awake, monotonic time: a suspended machine does not time anything out. */
function watchBounds(
  supervision: Supervision,
  mine: () => Promise<Kin[]>,
): { reached: Promise<Bound>; close(): void } {
  const { stop, timeoutMs, stallMs } = supervision;
  let close = (): void => undefined;
  const reached = new Promise<Bound>((resolve, reject) => {
    const onStop = (): void => resolve('killed');
    stop.addEventListener('abort', onStop, { once: true });
    const timer = setTimeout(() => resolve('timeout'), Math.min(timeoutMs, MAX_TIMER_MS));
    const stall = watchStall(stallMs, mine, () => resolve('stalled'), reject);
    close = () => {
      stop.removeEventListener('abort', onStop);
      clearTimeout(timer);
      clearInterval(stall);
    };
  });
  return { reached, close: () => close() };
}

/** A tool stalls if neither its output nor the CPU time of all its processes grew for `stallMs`. */
function watchStall(
  stallMs: number,
  mine: () => Promise<Kin[]>,
  onStall: () => void,
  onError: (error: unknown) => void,
): NodeJS.Timeout {
  const lookEveryMs = Math.max(200, Math.min(stallMs / 10, 30_000));
  let last = { output: outputSize(), cpuSeconds: 0 };
  let quietSince = performance.now();
  const look = async (): Promise<void> => {
    const now = {
      output: outputSize(),
      cpuSeconds: await cpuSecondsOf((await mine()).map((kin) => kin.pid)),
    };
    if (now.output !== last.output || Math.abs(now.cpuSeconds - last.cpuSeconds) >= 0.01)
      quietSince = performance.now();
    last = now;
    if (performance.now() - quietSince >= stallMs) onStall();
  };
  return setInterval(() => void look().catch(onError), lookEveryMs);
}

/** Bytes that this process's stdout and stderr hold: they are the log files. */
function outputSize(): number {
  return fstatSync(1).size + fstatSync(2).size;
}
