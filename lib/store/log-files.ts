import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { watch } from 'chokidar';
import { errnoOf, OrchError } from '../errors.ts';
import { errPath, historyPath, outPath } from '../protocol/layout.ts';
import { linesOf } from './open.ts';

/** Reading of `.logs/<id>.log` and `.err`, which may be large and grow meanwhile. */

export type LogStream = 'stdout' | 'stderr';

/** `end` null: wherever the file ends. */
export type LogRange = { start: number; end: number | null };

const BLOCK_BYTES = 64 * 1024;
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
    const entry = parseLine(line);
    const start = stream === 'stdout' ? entry?.['log'] : entry?.['err'];
    const attempt = entry?.['attempt'];
    if (entry?.['entry'] !== 'attempt' || !isCount(attempt) || !isCount(start)) continue;
    starts.push({ attempt, start });
  }
  return starts;
}

/** An offset or a number of an attempt; what else a damaged line holds leads nowhere. */
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function parseLine(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    // A power cut leaves a line that is cut off; the others still count.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Where the output of one attempt is; null if it has not begun or its history is gone. */
export function attemptRange(root: string, id: string, stream: LogStream, attempt: number): LogRange | null {
  const starts = attemptStarts(root, id, stream);
  const at = starts.findLastIndex((one) => one.attempt === attempt);
  const found = starts[at];
  return found === undefined ? null : { start: found.start, end: starts[at + 1]?.start ?? null };
}

/** What open says of a link and of a socket. */
const ODD = new Set(['ELOOP', 'ENXIO']);

function oddLog(path: string, cause?: unknown): OrchError {
  const hint = 'orch reads only what it wrote itself; look at what is there.';
  return new OrchError('UNSAFE_FOLDER', `cannot read ${path}: it is not a regular file`, { hint, cause });
}

export type LogFile = { handle: FileHandle; size: number; inode: number };

/**
 * Opens a log; null only if it does not exist (yet). Never follows a link or waits on a pipe. The caller closes it.
 * @throws OrchError IO, UNSAFE_FOLDER where something else is in its place.
 */
export async function openLog(path: string): Promise<LogFile | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    const errno = errnoOf(cause) ?? 'unknown error';
    if (ODD.has(errno)) throw oddLog(path, cause);
    throw new OrchError('IO', `cannot read ${path} (${errno})`, { cause });
  }
  const stats = await handle.stat();
  if (stats.isFile()) return { handle, size: stats.size, inode: stats.ino };
  await handle.close();
  throw oddLog(path);
}

/** Where the last `lines` lines between two offsets begin. Reads backwards, no more than it needs. */
export async function tailStart(
  handle: FileHandle,
  from: number,
  to: number,
  lines: number,
): Promise<number> {
  if (lines === 0) return to;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  let wanted = lines;
  for (let end = to; end > from; ) {
    const start = Math.max(from, end - BLOCK_BYTES);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at -= 1) {
      // The newline at the very end closes the last line; it does not begin another.
      if (block[at] !== NEWLINE || start + at === to - 1) continue;
      wanted -= 1;
      if (wanted === 0) return start + at + 1;
    }
    end = start;
  }
  return from;
}

/** Hands over the bytes from `from` up to `to`, or to the end of the file; returns where it stopped. */
export async function copyLog(
  handle: FileHandle,
  from: number,
  to: number | null,
  write: (bytes: Buffer) => Promise<void>,
): Promise<number> {
  let at = from;
  for (;;) {
    const room = to === null ? BLOCK_BYTES : Math.min(BLOCK_BYTES, to - at);
    if (room <= 0) return at;
    // A block of its own: the receiver may still hold the one before.
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(room), 0, room, at);
    if (bytesRead === 0) return at;
    at += bytesRead;
    await write(buffer.subarray(0, bytesRead));
  }
}

/** A hint whenever the log may have grown; see `watchStatus`. */
export function watchLog(path: string, onHint: () => void): { close(): Promise<void> } {
  const watcher = watch(path, { ignoreInitial: true, followSymlinks: false });
  watcher.on('all', onHint);
  watcher.on('error', (error) => process.stderr.write(`orch: cannot watch ${path}: ${String(error)}\n`));
  return { close: () => watcher.close() };
}
