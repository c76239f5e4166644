import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { asWriteFault, kindOfFile } from './durable.ts';

/** Foreign programs may write records; more than this is not read. */
export const READ_MAX_BYTES = 1024 * 1024;

export type FileText = { text: string; mtimeMs: number };

/**
 * `fault`: a regular file holds what orch would never write (`content`), something else is in its place (`kind`), or
 * the disk, or a permission, is in the way (`disk`).
 */
export type Unreadable = { why: string; fault: 'content' | 'kind' | 'disk'; cause: unknown };
export type Damaged = Unreadable & { fault: 'content' };

const NOT_REGULAR = 'it is not a regular file';

/**
 * The text of a regular file in a folder of ours; null only if it does not exist. Never follows a link and never
 * waits on a pipe that somebody put there.
 * @throws OrchError IO where it cannot be read, UNSAFE_FOLDER where something else is in its place: an error is not
 * evidence of absence.
 */
export function readOwnFile(path: string, maxBytes = READ_MAX_BYTES): FileText | null {
  const read = tryReadOwnFile(path, maxBytes);
  if (read === null || 'text' in read) return read;
  throw cannotRead(path, read);
}

/**
 * As `readOwnFile`, with a file whose bytes are none of orch's as a value: for files that damage may not make a wall,
 * since the next write mends them.
 */
export function readDamaged(path: string, maxBytes = READ_MAX_BYTES): FileText | Damaged | null {
  const read = tryReadOwnFile(path, maxBytes);
  if (read === null || 'text' in read || isDamaged(read)) return read;
  throw cannotRead(path, read);
}

const isDamaged = (read: Unreadable): read is Damaged => read.fault === 'content';

function cannotRead(path: string, { why, fault, cause }: Unreadable): OrchError {
  const hint = 'orch reads only regular files of its own folders; look at what is there.';
  const code = fault === 'disk' ? 'IO' : 'UNSAFE_FOLDER';
  return new OrchError(code, `cannot read ${path}: ${why}`, { hint, cause });
}

/** As `readOwnFile`, with what keeps it from being read as a value: `why` follows a name, as in "it is a folder". */
export function tryReadOwnFile(path: string, maxBytes = READ_MAX_BYTES): FileText | Unreadable | null {
  const opened = openRegular(path);
  if (opened === null || 'why' in opened) return opened;
  const { descriptor, stats } = opened;
  try {
    if (stats.size > maxBytes) return damaged(`it is larger than ${maxBytes} bytes`);
    const bytes = readAll(descriptor, stats);
    if (!isUtf8(bytes)) return damaged('it is not UTF-8');
    return { text: bytes.toString('utf8'), mtimeMs: stats.mtimeMs };
  } finally {
    closeSync(descriptor);
  }
}

const damaged = (why: string): Damaged => ({ why, fault: 'content', cause: undefined });
const oddly = (why: string, cause?: unknown): Unreadable => ({ why, fault: 'kind', cause });

/** A regular file, open; the caller closes it. Null if there is nothing. */
function openRegular(path: string): { descriptor: number; stats: Stats } | Unreadable | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return null;
    if (errno === 'ELOOP') return oddly('it is a symbolic link', cause);
    // What open says of a socket, and of a device that has no driver.
    if (errno === 'ENXIO' || errno === 'ENODEV') return oddly(NOT_REGULAR, cause);
    return { why: errno ?? 'unknown error', fault: 'disk', cause };
  }
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return { descriptor, stats };
  closeSync(descriptor);
  return oddly(stats.isDirectory() ? 'it is a folder' : NOT_REGULAR);
}

function readAll(descriptor: number, stats: Stats): Buffer {
  const buffer = Buffer.alloc(stats.size);
  let length = 0;
  while (length < buffer.length) {
    const bytes = readSync(descriptor, buffer, length, buffer.length - length, length);
    if (bytes === 0) break;
    length += bytes;
  }
  return buffer.subarray(0, length);
}

const BLOCK_BYTES = 64 * 1024;
const LINE_MAX_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The lines of a regular file, a block at a time, however large it is; none if it does not exist. A line over 1 MiB
 * is none of ours: it is passed over and never held whole.
 * @throws OrchError as `readOwnFile`.
 */
export function* linesOf(path: string): Generator<string> {
  const opened = openRegular(path);
  if (opened === null) return;
  if ('why' in opened) throw cannotRead(path, opened);
  try {
    yield* linesFrom(opened.descriptor);
  } finally {
    closeSync(opened.descriptor);
  }
}

function* linesFrom(descriptor: number): Generator<string> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  let parts: Buffer[] = [];
  let held = 0;
  for (;;) {
    const length = readSync(descriptor, block, 0, BLOCK_BYTES, null);
    if (length === 0) break;
    for (let at = 0; at < length; ) {
      const newline = block.subarray(0, length).indexOf(NEWLINE, at);
      const end = newline === -1 ? length : newline;
      held += end - at;
      if (held <= LINE_MAX_BYTES) parts.push(Buffer.from(block.subarray(at, end)));
      else parts = [];
      at = end + 1;
      if (newline === -1) continue;
      if (held <= LINE_MAX_BYTES) yield Buffer.concat(parts).toString('utf8');
      parts = [];
      held = 0;
    }
  }
  if (held > 0 && held <= LINE_MAX_BYTES) yield Buffer.concat(parts).toString('utf8');
}

/** Appends one line in a single write, so that lines of several processes do not mix. */
export function appendLine(path: string, line: string): void {
  // Without O_NONBLOCK, a pipe that somebody put there would wait for its reader.
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const kind = kindOfFile(path);
  try {
    failpoint('store.*.append', kind);
    const descriptor = openSync(path, flags, 0o600);
    try {
      // What reads a pipe, or a device, that somebody put there is nobody's audit trail.
      if (!fstatSync(descriptor).isFile()) throw Object.assign(new Error(NOT_REGULAR), { code: 'ENXIO' });
      const bytes = Buffer.from(`${line}\n`);
      if (writeSync(descriptor, bytes) !== bytes.length) {
        throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
      }
    } finally {
      closeSync(descriptor);
    }
    failpoint('store.*.appended', kind);
  } catch (error) {
    throw asWriteFault(path, error);
  }
}
