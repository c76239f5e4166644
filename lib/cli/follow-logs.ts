import { pollStatus } from '../orchestrate/poll.ts';
import { watchLogs } from '../store/log-files.ts';
import { lookUntil } from './follow.ts';
import type { LogSource } from './log-source.ts';

/** Seconds for which a worker that had its last word may still print. */
const LAST_WORDS_SECONDS = 2;
const ASK_MS = 900;
const IDLE_LOOKS = 3;

/** Shows what there is, block by block in turn, so that one that prints a lot does not hold up the others. */
export async function showAll(sources: readonly LogSource[], signal: AbortSignal): Promise<boolean> {
  let hasShown = false;
  for (let isMore = true; isMore && !signal.aborted; ) {
    isMore = false;
    for (const source of sources) if (!signal.aborted && (await source.step())) isMore = true;
    hasShown ||= isMore;
  }
  return hasShown;
}

/**
 * Shows what is added, in the order in which it is seen, until nothing more can come from any of them and all of it
 * is out. `renew` may add sources: of workstreams that are new.
 */
export async function followLogs(
  root: string,
  sources: LogSource[],
  { signal, renew }: { signal: AbortSignal; renew: () => void },
): Promise<void> {
  const isOver = overForGood(root, sources);
  const look = async (): Promise<{ seen: null; last: boolean }> => {
    // First the state, then the rest of the files: what was written before the end is never missed.
    const { last, asked } = await isOver();
    if (asked) renew();
    const hasShown = await showAll(sources, signal);
    // Who asks a question prints no newline after it.
    if (!hasShown) for (const source of sources) await source.rest();
    return { seen: null, last };
  };
  await lookUntil((onHint) => watchLogs(root, onHint), look, signal);
}

/**
 * Tells whether nobody writes any more: all have been final for a while, or nobody is at work on them and nobody
 * orchestrates, in several looks. Chatty logs do not make it look at the records more often.
 */
function overForGood(
  root: string,
  sources: readonly LogSource[],
): () => Promise<{ last: boolean; asked: boolean }> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let finals = 0;
  let idles = 0;
  return async () => {
    if (performance.now() - askedAt < ASK_MS) return { last: false, asked: false };
    askedAt = performance.now();
    const ids = sources.filter((source) => !source.isOver).map(({ id }) => id);
    if (ids.length === 0) return { last: true, asked: true };
    const { at, workstreams, orchestrator } = await pollStatus(root, { ids });
    finals = workstreams.length > 0 && workstreams.every((status) => status.final) ? finals + 1 : 0;
    const isOrchestrated = orchestrator !== null && orchestrator.alive !== false;
    idles = !isOrchestrated && workstreams.every(({ alive }) => alive === false) ? idles + 1 : 0;
    const latest = Math.max(...workstreams.map(({ last_update }) => last_update ?? at));
    const isOld = at - latest > LAST_WORDS_SECONDS;
    return { last: (finals > 0 && isOld) || finals > 1 || idles >= IDLE_LOOKS, asked: true };
  };
}
