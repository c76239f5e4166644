import { messageOf } from '../errors.ts';
import type { Lease } from '../store/records.ts';
import type { StopRequest } from '../store/signs.ts';
import { beat, meansAttempt, readStop } from '../store/signs.ts';

/** Why a worker must end before its work is done. */
export type Interruption =
  | { cause: 'stop'; request: StopRequest }
  | { cause: 'terminated'; signal: NodeJS.Signals }
  | { cause: 'timeout' }
  | { cause: 'parent_lost' }
  | { cause: 'lease_lost' };

export type Life = {
  /** Aborted with an `Interruption` as its reason. */
  stop: AbortSignal;
  interrupt(interruption: Interruption): void;
  interruption(): Interruption | null;
  /** Aborted once an attached worker has lost its orchestrator, whatever interrupted it before. */
  parentLost: AbortSignal;
  end(): void;
};

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Keeps the heartbeat, the time limit and the signals of a worker. The first cause to end wins. Its handlers stay
 * for as long as the process lives: a signal never ends it between two lines.
 */
export function beginLife(
  root: string,
  id: string,
  lease: Lease,
  times: { heartbeatMs: number; timeoutMs: number; startedAt: number },
): Life {
  const controller = new AbortController();
  const parent = new AbortController();
  const askedToStop = (): StopRequest | null => {
    const request = readStop(root, id);
    return request !== null && meansAttempt(request, lease, times.startedAt) ? request : null;
  };
  const interrupt = (interruption: Interruption): void => {
    if (interruption.cause === 'parent_lost') parent.abort();
    if (controller.signal.aborted) return;
    // The orchestrator may have been asked to stop, and killed before it could say so.
    const request = interruption.cause === 'parent_lost' ? askedToStop() : null;
    controller.abort(request === null ? interruption : { cause: 'stop', request });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // A person's stop is written before its signal is sent; any other signal is a stranger's.
    const request = askedToStop();
    interrupt(request === null ? { cause: 'terminated', signal } : { cause: 'stop', request });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => undefined);

  const begun = performance.now();
  const beatOnce = makeTolerant('no heartbeat', () => beat(root, id, (performance.now() - begun) / 1000));
  const obey = makeTolerant('no look for a stop word', () => {
    const request = askedToStop();
    if (request !== null) interrupt({ cause: 'stop', request });
  });
  const pulse = (): void => {
    beatOnce();
    obey();
  };
  pulse();
  const heart = setInterval(pulse, times.heartbeatMs);
  const limit = setTimeout(() => interrupt({ cause: 'timeout' }), Math.min(times.timeoutMs, MAX_TIMER_MS));
  return {
    stop: controller.signal,
    interrupt,
    interruption: () => (controller.signal.aborted ? (controller.signal.reason as Interruption) : null),
    parentLost: parent.signal,
    end: () => {
      clearInterval(heart);
      clearTimeout(limit);
    },
  };
}

/**
 * A heartbeat that fails (a full disk, something else in its place) informs nobody, but is no reason to stop working,
 * nor to overlook a stop word. Each fault is told once, not at each beat of a night.
 */
function makeTolerant(what: string, work: () => void): () => void {
  let told: string | null = null;
  return () => {
    try {
      work();
      told = null;
    } catch (error) {
      const fault = messageOf(error);
      if (fault !== told) process.stderr.write(`orch: ${what}: ${fault}\n`);
      told = fault;
    }
  };
}
