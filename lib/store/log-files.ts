import { watch } from 'chokidar';
import { errPath, historyPath, logsDir, outPath } from '../protocol/layout.ts';
import { parseEntry } from './history.ts';
import { type Run, readRun, type Span, spanOf } from './log-parts.ts';
import { linesOf } from './open.ts';

/**
 * Reading of `.logs/<id>.log` and `.err`, which may be large, grow meanwhile and be rotated. All offsets are logical:
 * they count from the first byte that was ever written (`protocol/log-parts.ts`).
 */

export type LogStream = 'stdout' | 'stderr';

/** `end` null: wherever the file ends. */
export type LogRange = { start: number; end: number | null };

const BLOCK_BYTES = 64 * 1024;
const COPY_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export function logPath(root: string, id: string, stream: LogStream): string {
  return stream === 'stdout' ? outPath(root, id) : errPath(root, id);
}

/** The number of each attempt that began, in order, and where its output starts. */
export function attemptStarts(
  root: string,
  id: string,
  stream: LogStream,
): { attempt: number; start: number }[] {
  const starts: { attempt: number; start: number }[] = [];
  for (const line of linesOf(historyPath(root, id))) {
    if (!line.includes('"attempt"')) continue;
    const entry = parseEntry(line);
    const start = stream === 'stdout' ? entry?.['log'] : entry?.['err'];
    const attempt = entry?.['attempt'];
    if (entry?.['entry'] !== 'attempt' || !isCount(attempt) || !isCount(start)) continue;
    starts.push({ attempt, start });
  }
  return starts;
}

/** An offset or a number of an attempt; what else a damaged line holds leads nowhere. */
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** Where the output of one attempt is; null if it has not begun or its history is gone. */
export function attemptRange(root: string, id: string, stream: LogStream, attempt: number): LogRange | null {
  const starts = attemptStarts(root, id, stream);
  const at = starts.findLastIndex((one) => one.attempt === attempt);
  const found = starts[at];
  return found === undefined ? null : { start: found.start, end: starts[at + 1]?.start ?? null };
}

/** How many bytes a workstream has ever written to a stream: its logical size. What was rotated away counts. */
export function logicalSize(root: string, id: string, stream: LogStream): number {
  return logSpan(root, id, stream)?.end ?? 0;
}

/** Which offsets the log itself holds, beside its parts; null if nothing was ever written. */
export function logSpan(root: string, id: string, stream: LogStream): Span | null {
  return spanOf(logPath(root, id, stream));
}

/**
 * At most `maxBytes` from a logical offset on, across rotations. They follow each other without a gap; `from` is
 * where they begin: later than `offset` where earlier bytes are gone. Empty at the end of the log.
 * @throws OrchError IO, UNSAFE_FOLDER where something else is in its place.
 */
export function readSince(
  root: string,
  id: string,
  stream: LogStream,
  offset: number,
  maxBytes: number,
): Run {
  const path = logPath(root, id, stream);
  const first = readRun(path, offset, maxBytes);
  const blocks = [first.bytes];
  let length = first.bytes.length;
  while (length > 0 && length < maxBytes) {
    const next = readRun(path, first.from + length, maxBytes - length);
    if (next.bytes.length === 0 || next.from !== first.from + length) break;
    blocks.push(next.bytes);
    length += next.bytes.length;
  }
  return { from: first.from, bytes: blocks.length === 1 ? first.bytes : Buffer.concat(blocks) };
}

/**
 * The last bytes, at most `maxBytes`, that follow each other without a gap; null if nothing was ever written.
 * @throws OrchError as `readSince`.
 */
export function readEnd(root: string, id: string, stream: LogStream, maxBytes: number): Run | null {
  const span = logSpan(root, id, stream);
  if (span === null) return null;
  const start = Math.max(0, span.end - maxBytes);
  return runsBetween(root, id, stream, start, span.end).at(-1) ?? { from: span.end, bytes: Buffer.alloc(0) };
}

/** Where the last `lines` lines between two offsets begin. Reads backwards, no more than it needs. */
export function tailStart(
  root: string,
  id: string,
  stream: LogStream,
  { start: from, end: to }: { start: number; end: number },
  lines: number,
): number {
  if (lines === 0) return to;
  let wanted = lines;
  for (let end = to; end > from; ) {
    const start = Math.max(from, end - BLOCK_BYTES);
    const runs = runsBetween(root, id, stream, start, end);
    for (const run of runs.reverse()) {
      for (
        let at = run.bytes.lastIndexOf(NEWLINE);
        at !== -1;
        at = at === 0 ? -1 : run.bytes.lastIndexOf(NEWLINE, at - 1)
      ) {
        // The newline at the very end closes the last line; it does not begin another.
        if (run.from + at === to - 1) continue;
        wanted -= 1;
        if (wanted === 0) return run.from + at + 1;
      }
    }
    // All before is gone.
    if (runs.length === 0) return end;
    end = start;
  }
  return from;
}

function runsBetween(root: string, id: string, stream: LogStream, start: number, end: number): Run[] {
  const runs: Run[] = [];
  for (let at = start; at < end; ) {
    const run = readSince(root, id, stream, at, end - at);
    const bytes = run.bytes.subarray(0, Math.max(0, end - run.from));
    if (bytes.length === 0) break;
    runs.push({ from: run.from, bytes });
    at = run.from + bytes.length;
  }
  return runs;
}

/**
 * Hands over the bytes from `from` up to `to`, or to the end of the log, a block at a time; returns where it stopped.
 * `gone` is told how many bytes are not there any more, where that is.
 */
export async function copyLog(
  root: string,
  id: string,
  stream: LogStream,
  range: LogRange,
  to: { write: (bytes: Buffer) => Promise<void>; gone: (count: number) => Promise<void> },
): Promise<number> {
  let at = range.start;
  for (;;) {
    const room = range.end === null ? COPY_BYTES : Math.min(COPY_BYTES, range.end - at);
    if (room <= 0) return at;
    const { from, bytes } = readRun(logPath(root, id, stream), at, room);
    const end = range.end ?? Number.POSITIVE_INFINITY;
    const begin = Math.min(from, end);
    // What lies beyond the end is not this range's; nor is a log that was begun anew, with nothing after `at`.
    if (begin > at && (bytes.length > 0 || begin === end)) await to.gone(begin - at);
    if (bytes.length === 0) return Math.max(at, Math.min(begin, end));
    const wanted = bytes.subarray(0, Math.max(0, Math.min(bytes.length, end - from)));
    if (wanted.length > 0) await to.write(wanted);
    at = begin + wanted.length;
  }
}

/** A hint whenever a log may have grown, or a new one has begun; see `watchStatus`. */
export function watchLogs(root: string, onHint: () => void): { close(): Promise<void> } {
  const folder = logsDir(root);
  const watcher = watch(folder, { ignoreInitial: true, followSymlinks: false, depth: 0 });
  watcher.on('all', onHint);
  watcher.on('error', (error) => process.stderr.write(`orch: cannot watch ${folder}: ${String(error)}\n`));
  return { close: () => watcher.close() };
}
