/** A signal that comes, and what no longer needs it says so. */
export type Bound = { signal: AbortSignal; rest: () => void };

/**
 * Aborts as `closing` does, or after `ms`. Not by `AbortSignal.timeout` in `AbortSignal.any`: node lets go of the first
 * with its timer, and the second never comes (nodejs/node#57736).
 */
export function boundOf(closing: AbortSignal, ms: number): Bound {
  const controller = new AbortController();
  const cut = (): void => controller.abort();
  const timer = setTimeout(cut, ms);
  if (closing.aborted) cut();
  closing.addEventListener('abort', cut, { once: true });
  const rest = (): void => {
    clearTimeout(timer);
    closing.removeEventListener('abort', cut);
  };
  return { signal: controller.signal, rest };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
