import { OrchError } from '../errors.ts';
import { jsonLine } from '../protocol/text.ts';
import {
  attemptRange,
  attemptStarts,
  copyLog,
  type LogRange,
  type LogStream,
  logSpan,
  tailStart,
} from '../store/log-files.ts';
import type { LogSink } from './render-log.ts';

/** One log that is shown, and how far it has been. */
export type LogSource = {
  id: string;
  /** Whether anything was ever written. */
  isThere(): boolean;
  /** Shows what is new, at most a block; false where nothing was. */
  step(): Promise<boolean>;
  /** The attempt that was asked for is over: nothing is added any more. */
  isOver: boolean;
  rest(): Promise<void>;
  end(): Promise<void>;
};

export type SourceOptions = {
  root: string;
  id: string;
  stream: LogStream;
  range: LogRange;
  /** Only the last so many lines of what is there now. */
  lines: number | null;
  sink: LogSink;
  json: boolean;
  quiet: boolean;
};

const BLOCK_BYTES = 32 * 1024;

/** A log from its range's beginning on, or from its last lines. */
export function openSource({ root, id, stream, range, lines, sink, json, quiet }: SourceOptions): LogSource {
  let at = range.start;
  const first = logSpan(root, id, stream);
  if (first !== null && lines !== null) {
    const end = Math.min(range.end ?? first.end, first.end);
    at = tailStart(root, id, stream, { start: Math.min(range.start, end), end }, lines);
  }
  const receiver = {
    write: sink.write,
    gone: async (count: number): Promise<void> => {
      await sink.gap();
      if (!quiet) process.stderr.write(goneText(id, stream, count, json));
    },
  };
  return {
    id,
    isThere: () => logSpan(root, id, stream) !== null,
    isOver: range.end !== null,
    async step() {
      const span = logSpan(root, id, stream);
      if (span === null) return false;
      // Somebody emptied it: from its beginning.
      if (span.end < at && range.end === null) at = span.base;
      const end = Math.min(at + BLOCK_BYTES, range.end ?? Number.POSITIVE_INFINITY, Math.max(span.end, at));
      const before = at;
      at = await copyLog(root, id, stream, { start: at, end }, receiver);
      return at > before;
    },
    rest: sink.rest,
    end: sink.end,
  };
}

function goneText(id: string, stream: LogStream, count: number, json: boolean): string {
  const message = `${count} bytes of the ${stream} of ${id} are gone: the log was rotated`;
  return json
    ? jsonLine({ warning: { code: 'log_rotated', workstream: id, message } })
    : `orch: ${message}\n`;
}

/** What is said where a workstream has written nothing to a stream. */
export function emptyText(id: string, stream: LogStream, json: boolean): string {
  const message = `${id} has written nothing yet`;
  return json
    ? jsonLine({ warning: { code: 'log_empty', workstream: id, stream, message } })
    : `orch: ${message}\n`;
}

/** The range of an attempt; null where it has no attempt of that number. */
export function rangeOfAttempt(
  root: string,
  id: string,
  stream: LogStream,
  attempt: number,
): LogRange | null {
  return attemptRange(root, id, stream, attempt);
}

/** The refusal of an attempt that a workstream never had. */
export function noAttempt(root: string, id: string, stream: LogStream, attempt: number): OrchError {
  const numbers = [...new Set(attemptStarts(root, id, stream).map((one) => one.attempt))];
  const hint = numbers.length === 0 ? 'None has begun yet.' : `There are: ${numbers.join(', ')}.`;
  return new OrchError('NO_WORKSTREAM', `${id} has no attempt ${attempt}`, { hint });
}
