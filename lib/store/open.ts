import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { asWriteFault, kindOfFile } from './durable.ts';

/** Foreign programs may write records; more than this is not read. */
export const READ_MAX_BYTES = 1024 * 1024;

export type FileText = { text: string; mtimeMs: number };

/**
 * The text of a regular file in a folder of ours; null only if it does not exist. Never follows a link and never
 * waits on a pipe that somebody put there.
 * @throws OrchError IO where it cannot be read: an error is not evidence of absence.
 */
export function readOwnFile(path: string, maxBytes = READ_MAX_BYTES): FileText | null {
  const read = tryReadOwnFile(path, maxBytes);
  if (read === null || 'text' in read) return read;
  const hint = 'orch reads only regular files of its own folders; look at what is there.';
  throw new OrchError('IO', `cannot read ${path}: ${read.why}`, { hint, cause: read.cause });
}

export type Unreadable = { why: string; cause: unknown };

/** As `readOwnFile`, with what keeps it from being read as a value: `why` follows a name, as in "it is a folder". */
export function tryReadOwnFile(path: string, maxBytes = READ_MAX_BYTES): FileText | Unreadable | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return null;
    return { why: errno === 'ELOOP' ? 'it is a symbolic link' : (errno ?? 'unknown error'), cause };
  }
  try {
    const stats = fstatSync(descriptor);
    const because = (why: string): Unreadable => ({ why, cause: undefined });
    if (stats.isDirectory()) return because('it is a folder');
    if (!stats.isFile()) return because('it is not a regular file');
    if (stats.size > maxBytes) return because(`it is larger than ${maxBytes} bytes`);
    const bytes = readAll(descriptor, stats);
    if (!isUtf8(bytes)) return because('it is not UTF-8');
    return { text: bytes.toString('utf8'), mtimeMs: stats.mtimeMs };
  } finally {
    closeSync(descriptor);
  }
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
