import { fstatSync } from 'node:fs';
import type { Kin } from '../process/kin.ts';
import { cpuSecondsOf } from '../process/usage.ts';

/** Why a tool is stopped although it has not ended. */
export type Bound = 'timeout' | 'stalled' | 'killed';

export const BOUND_MESSAGE: Record<Bound, string> = {
  timeout: 'ran longer than its time',
  stalled: 'no output and no CPU use for longer than the stall timeout',
  killed: 'the worker was told to stop',
};

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * `reached` resolves with the first bound; it rejects where a stall cannot be watched for. Timers count awake,
 * monotonic time: a suspended machine does not time anything out.
 */
export function watchBounds(
  limits: { stop: AbortSignal; timeoutMs: number; stallMs: number },
  mine: () => Promise<Kin[]>,
): { reached: Promise<Bound>; close(): void } {
  const { stop, timeoutMs, stallMs } = limits;
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
