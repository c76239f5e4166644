import { fstatSync } from 'node:fs';
import type { Kin } from '../process/kin.ts';
import { cpuSecondsOf } from '../process/usage.ts';
import { treeStamp } from './tree-stamp.ts';

/** Why a tool is stopped although it has not ended. */
export type Bound = 'timeout' | 'stalled' | 'killed';

export const BOUND_MESSAGE: Record<Bound, string> = {
  timeout: 'ran longer than its time',
  stalled: 'no output, hardly any CPU use and no file change for longer than the stall timeout',
  killed: 'the worker was told to stop',
};

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * `reached` resolves with the first bound; it rejects where a stall cannot be watched for. Timers count awake,
 * monotonic time: a suspended machine does not time anything out.
 */
export function watchBounds(
  limits: { stop: AbortSignal; timeoutMs: number; stallMs: number },
  folder: string,
  mine: () => Promise<Kin[]>,
): { reached: Promise<Bound>; close(): void } {
  const { stop, timeoutMs, stallMs } = limits;
  let close = (): void => undefined;
  const reached = new Promise<Bound>((resolve, reject) => {
    const onStop = (): void => resolve('killed');
    stop.addEventListener('abort', onStop, { once: true });
    const timer = setTimeout(() => resolve('timeout'), Math.min(timeoutMs, MAX_TIMER_MS));
    const stall = watchStall({ stallMs, folder, mine, onStall: () => resolve('stalled'), onError: reject });
    close = () => {
      stop.removeEventListener('abort', onStop);
      clearTimeout(timer);
      clearInterval(stall);
    };
  });
  return { reached, close: () => close() };
}

/**
 * Above this a tool is at work: seconds of CPU a second, of all its processes. Tools that wait for a server which never
 * answers use some all the same, for their timers. `npm run bench -- idle` measures how much; at most, in 30 s: aider and
 * copilot none, claude 0.5 %, codex 1.4 %, gemini 1.5 %, opencode 2.4 % of a core, a node program with a timer of 16 ms
 * 0.4 %. A program that computes and shares its core with thirty others still has 3 %.
 */
const BUSY_RATE = 0.03;
/** The kernel counts in hundredths of a second: shorter, and less than three of them, may be chance. */
const CPU_WINDOW_MS = 1_000;
const BUSY_SECONDS = 0.03;

type StallWatch = {
  stallMs: number;
  folder: string;
  mine: () => Promise<Kin[]>;
  onStall: () => void;
  onError: (error: unknown) => void;
};

/**
 * A tool stalls if for `stallMs` its output does not grow, all its processes together use less than 3 % of a core
 * from look to look, and in the second half of that time no file in its folder changes: they are looked at only
 * where the other two signs are quiet. A look that comes late counts as one that came in time: while nobody looked,
 * nobody could see a file change either.
 */
function watchStall({ stallMs, folder, mine, onStall, onError }: StallWatch): NodeJS.Timeout {
  const lookEveryMs = Math.max(200, Math.min(stallMs / 10, 30_000));
  let output = outputSize();
  let cpu = { seconds: 0, at: performance.now() };
  let quietMs = 0;
  let lookedAt = performance.now();
  /** Of the folder, once half of the time is over. */
  let stamp: string | null = null;
  let isLooking = false;

  const look = async (): Promise<void> => {
    const now = {
      seconds: await cpuSecondsOf((await mine()).map((kin) => kin.pid)),
      at: performance.now(),
    };
    const passedMs = now.at - cpu.at;
    const isBusy = now.seconds - cpu.seconds >= Math.max(BUSY_SECONDS, (passedMs / 1_000) * BUSY_RATE);
    if (isBusy || passedMs >= CPU_WINDOW_MS) cpu = now;
    const size = outputSize();
    quietMs += Math.min(now.at - lookedAt, 2 * lookEveryMs);
    lookedAt = now.at;
    if (isBusy || size !== output) {
      quietMs = 0;
      stamp = null;
    }
    output = size;
    if (stamp === null && quietMs >= stallMs / 2) stamp = await treeStamp(folder);
    if (stamp === null || quietMs < stallMs) return;
    const before = stamp;
    stamp = await treeStamp(folder);
    if (stamp === before) onStall();
    else quietMs = stallMs / 2;
  };

  return setInterval(() => {
    // A look that takes longer than its turn is not joined by another.
    if (isLooking) return;
    isLooking = true;
    look()
      .catch(onError)
      .finally(() => {
        isLooking = false;
      });
  }, lookEveryMs);
}

/** Bytes that this process's stdout and stderr hold: they are the log files. */
function outputSize(): number {
  return fstatSync(1).size + fstatSync(2).size;
}
