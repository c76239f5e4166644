import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { readPartName } from '../protocol/log-parts.ts';

/**
 * Reading of a log across its parts, by logical offsets (`protocol/log-parts.ts`), while somebody may be rotating it.
 * Nothing here waits on a pipe or follows a link.
 */

/** A file beside a log. `size`: what is there of it, which is less than its name says where bytes were given up. */
export type LogPart = { path: string; start: number; end: number; size: number };

/** What lies beside a log. */
export type Beside = {
  /** In order. Where they overlap, the first has it. */
  parts: LogPart[];
  /** Complete, but whether the log was cut already is to be seen from the log. */
  prepared: LogPart | null;
};

/** The parts of the log at `path`; none where there is no folder. Odd files of such names are passed over. */
export function partsBeside(path: string): Beside {
  const log = basename(path);
  const parts: LogPart[] = [];
  let prepared: LogPart | null = null;
  for (const name of namesIn(dirname(path))) {
    if (!name.startsWith(`${log}.`)) continue;
    const said = readPartName(name);
    if (said === null || said.log !== log) continue;
    const file = join(dirname(path), name);
    const stats = lstatSync(file, { throwIfNoEntry: false });
    if (stats?.isFile() !== true) continue;
    const part = { path: file, start: said.start, end: said.end, size: stats.size };
    if (!said.prepared) parts.push(part);
    // It grows by what is written while it is prepared.
    else prepared = { ...part, end: Math.max(part.end, part.start + part.size) };
  }
  parts.sort((a, b) => a.start - b.start || b.end - a.end);
  return { parts, prepared };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new OrchError('IO', `cannot read ${folder} (${errnoOf(error) ?? 'unknown error'})`, {
      cause: error,
    });
  }
}

/** Where the newest finished part ends: the logical offset of the log's first byte, unless another is prepared. */
export const endOfParts = ({ parts }: Beside): number =>
  parts.reduce((end, part) => Math.max(end, part.end), 0);

/** What open says of a link and of a socket. */
const ODD = new Set(['ELOOP', 'ENXIO']);

/** What is in the place of a log and is none. */
function oddLog(path: string, cause?: unknown): OrchError {
  const hint = 'orch reads only what it wrote itself; look at what is there.';
  return new OrchError('UNSAFE_FOLDER', `cannot read ${path}: it is not a regular file`, { hint, cause });
}

/** Opens a regular file; null only if it does not exist (yet). The caller closes it. */
export function openRegular(path: string, flags: number = constants.O_RDONLY): number | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause) ?? 'unknown error';
    if (errno === 'ENOENT') return null;
    if (ODD.has(errno)) throw oddLog(path, cause);
    throw new OrchError('IO', `cannot read ${path} (${errno})`, { cause });
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw oddLog(path);
}

/**
 * Where the first byte of the open log lies. With a part prepared it is to be seen whether the log was cut after
 * that: it only grows, so it was if it is shorter than what was copied, or other.
 */
export function baseOf(beside: Beside, log: number): number {
  const base = endOfParts(beside);
  const { prepared } = beside;
  if (prepared === null || prepared.end <= base) return base;
  return holdsStill(log, prepared, base) ? base : prepared.end;
}

/** The last answer for each log, and of what: as long as nobody settles it, every block that is read asks again. */
const answers = new Map<string, { of: string; holds: boolean }>();

/** True if the log still holds what was copied into `part`. */
function holdsStill(log: number, part: LogPart, base: number): boolean {
  const { dev, ino, size, mtimeMs } = fstatSync(log);
  if (size < part.end - base) return false;
  const of = [part.size, base, dev, ino, size, mtimeMs].join(' ');
  const known = answers.get(part.path);
  if (known?.of === of) return known.holds;
  const holds = holdsSame(log, part, base);
  answers.set(part.path, { of, holds });
  return holds;
}

const BLOCK_BYTES = 64 * 1024;

function holdsSame(log: number, part: LogPart, base: number): boolean {
  const copy = openRegular(part.path);
  // Whoever rotates has gone on meanwhile; the reader looks again.
  if (copy === null) return false;
  const [theirs, ours] = [Buffer.allocUnsafe(BLOCK_BYTES), Buffer.allocUnsafe(BLOCK_BYTES)];
  try {
    for (let at = 0; at < part.size; ) {
      const copied = readSync(copy, ours, 0, BLOCK_BYTES, at);
      if (copied === 0) return true;
      const found = readSync(log, theirs, 0, copied, part.start - base + at);
      if (found < copied || ours.compare(theirs, 0, copied, 0, copied) !== 0) return false;
      at += copied;
    }
    return true;
  } finally {
    closeSync(copy);
  }
}

/** The prepared part of each log that outlasted its moment: whoever made it died. */
const cutOff = new Map<string, string>();

const LOOKS_MAX = 200;
const LOOK_PAUSE_MS = 1;

const sameParts = (a: Beside, b: Beside): boolean =>
  a.prepared?.path === b.prepared?.path &&
  a.parts.length === b.parts.length &&
  a.parts.every(({ path }, at) => path === b.parts[at]?.path);

/**
 * Looks at a log and its parts at one moment: again, until no rotation has come in between. Where one was cut off in
 * the middle, what the files hold decides.
 */
function atOneMoment<T>(path: string, look: (beside: Beside, log: number | null) => T): T {
  for (let looks = 1; ; looks += 1) {
    const before = partsBeside(path);
    const log = openRegular(path);
    try {
      // Prepared is a matter of microseconds, unless its maker died.
      const prepared = before.prepared?.path ?? null;
      if (prepared !== null && looks >= LOOKS_MAX / 4) cutOff.set(path, prepared);
      const isSettled = prepared === null || prepared === cutOff.get(path);
      const seen = isSettled ? look(before, log) : null;
      if (isSettled && (sameParts(before, partsBeside(path)) || looks >= LOOKS_MAX)) return seen as T;
    } finally {
      if (log !== null) closeSync(log);
    }
    if (looks % 4 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_PAUSE_MS);
  }
}

/** `base`: where the log's own first byte lies. `end`: how much was ever written, what is gone included. */
export type Span = { base: number; end: number };

/** Which logical offsets the log at `path` itself holds; null if nothing was ever written. */
export function spanOf(path: string): Span | null {
  return atOneMoment(path, (beside, log) => {
    if (log !== null) {
      const base = baseOf(beside, log);
      return { base, end: base + fstatSync(log).size };
    }
    const end = Math.max(endOfParts(beside), beside.prepared?.end ?? 0);
    return end === 0 ? null : { base: end, end };
  });
}

/** Bytes that follow each other without a gap. `from`: where they begin, later than asked where earlier ones are gone. */
export type Run = { from: number; bytes: Buffer };

/** The first bytes at or after a logical offset that are still there, of one file; empty at the end of the log. */
export function readRun(path: string, offset: number, maxBytes: number): Run {
  return atOneMoment(path, (beside, log) => {
    for (const part of [...beside.parts, ...(beside.prepared === null ? [] : [beside.prepared])]) {
      if (part.start + part.size <= offset) continue;
      const from = Math.max(part.start, offset);
      const file = openRegular(part.path);
      if (file === null) continue;
      try {
        const bytes = readBlock(file, from - part.start, Math.min(maxBytes, part.start + part.size - from));
        if (bytes.length > 0) return { from, bytes };
      } finally {
        closeSync(file);
      }
    }
    if (log === null) return { from: offset, bytes: Buffer.alloc(0) };
    const base = baseOf(beside, log);
    const from = Math.max(base, offset);
    return { from, bytes: readBlock(log, from - base, maxBytes) };
  });
}

function readBlock(file: number, at: number, maxBytes: number): Buffer {
  const room = Math.max(0, Math.min(maxBytes, fstatSync(file).size - at));
  const buffer = Buffer.allocUnsafe(room);
  return buffer.subarray(0, room === 0 ? 0 : readSync(file, buffer, 0, room, at));
}
