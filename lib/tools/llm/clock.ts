/** The bounds of one run: a stop, the time in all, and silence of the server. */

export type Bound = 'killed' | 'timeout' | 'stalled';

export type Clock = {
  /** Aborted, with the bound as its reason, by the first bound that is reached. */
  signal: AbortSignal;
  reached(): Bound | null;
  /** From here on silence counts. */
  listen(): void;
  /** The server has sent something. */
  heard(): void;
  rest(): void;
  close(): void;
};

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Starts the clock. Time counts awake and monotonic. A look that comes late counts as one that came in time: a process
 * that was stopped could not hear what the server sent.
 */
export function startClock(limits: { stop: AbortSignal; timeoutMs: number; stallMs: number }): Clock {
  const controller = new AbortController();
  const reach = (bound: Bound): void => {
    if (!controller.signal.aborted) controller.abort(bound);
  };
  const onStop = (): void => reach('killed');
  if (limits.stop.aborted) onStop();
  limits.stop.addEventListener('abort', onStop, { once: true });
  const timer = setTimeout(() => reach('timeout'), Math.min(limits.timeoutMs, MAX_TIMER_MS));

  const everyMs = Math.max(20, Math.min(limits.stallMs / 10, 10_000));
  let isListening = false;
  let silentMs = 0;
  let lookedAt = performance.now();
  const look = setInterval(() => {
    const now = performance.now();
    if (isListening) silentMs += Math.min(now - lookedAt, 2 * everyMs);
    lookedAt = now;
    if (isListening && silentMs >= limits.stallMs) reach('stalled');
  }, everyMs);

  const heard = (): void => {
    silentMs = 0;
  };
  return {
    signal: controller.signal,
    reached: () => (controller.signal.aborted ? (controller.signal.reason as Bound) : null),
    listen: () => {
      heard();
      isListening = true;
    },
    heard,
    rest: () => {
      isListening = false;
    },
    close: () => {
      limits.stop.removeEventListener('abort', onStop);
      clearTimeout(timer);
      clearInterval(look);
    },
  };
}
