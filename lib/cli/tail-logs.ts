import { type LogStream, logicalSize, watchLogs } from '../store/log-files.ts';
import { lookUntil } from './follow.ts';
import { showAll } from './follow-logs.ts';
import { openSource } from './log-source.ts';
import type { GlobalOptions } from './options.ts';
import { screenOf } from './render.ts';
import { jsonSink, textSink } from './render-log.ts';

const STREAMS: readonly LogStream[] = ['stdout', 'stderr'];

/**
 * Shows what is added to the logs of a workstream from now on, across rotations, as `orch logs` does: each stream on
 * that of this process, or with `json` both as lines on stdout. `end` shows the rest.
 */
export function tailLogs(
  root: string,
  id: string,
  { json, quiet, color }: GlobalOptions,
): { end: () => Promise<void> } {
  // Whoever is asked to stop is still shown what comes of it.
  const never = new AbortController().signal;
  const sources = STREAMS.map((stream) => {
    const to = process[stream];
    const sink = json ? jsonSink(id, stream, never) : textSink(screenOf(color, to), never, { to });
    const range = { start: logicalSize(root, id, stream), end: null };
    return openSource({ root, id, stream, range, lines: null, sink, json, quiet });
  });
  const over = new AbortController();
  const look = async (): Promise<{ seen: null; last: boolean }> => {
    const hasShown = await showAll(sources, over.signal);
    // Who asks a question prints no newline after it.
    if (!hasShown) for (const source of sources) await source.rest();
    return { seen: null, last: false };
  };
  const shown = lookUntil((onHint) => watchLogs(root, onHint), look, over.signal);
  // Its failure is met at the end.
  shown.catch(() => undefined);
  return {
    async end() {
      over.abort();
      await shown;
      await showAll(sources, never);
      for (const source of sources) await source.end();
    },
  };
}
