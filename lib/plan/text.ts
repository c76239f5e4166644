import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import { lineStartsOf, placeAt } from './document.ts';
import { type Fault, faultOfFile } from './fault.ts';

/** Reading the bytes of plan files. */

export type PlanFile = {
  /** Absolute. */
  path: string;
  /** As seen from the working folder. */
  file: string;
  /** As seen from the root. */
  source: string;
};

/** The fault that a system error on a plan file is; anything else is thrown on. */
export function errnoFault(file: string, error: unknown): Fault {
  const errno = errnoOf(error);
  if (errno === null) throw error;
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return faultOfFile(file, 'not_found', 'no such file or folder', 'Paths count from the working folder.');
  }
  return faultOfFile(file, 'unreadable', `cannot be read (${errno})`, null);
}

export type TextResult = { ok: true; text: string } | { ok: false; fault: Fault };

/** The text of a plan file, without a byte order mark. What keeps it from being read is a fault. */
export async function readPlanText({ path, file }: PlanFile, maxBytes: number): Promise<TextResult> {
  let handle: FileHandle | null = null;
  try {
    // Non-blocking: a named pipe in a plan folder would otherwise hold the reader for ever.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = await handle.stat();
    if (!facts.isFile())
      return { ok: false, fault: faultOfFile(file, 'not_a_file', 'expected a regular file', null) };
    const bytes = facts.size > maxBytes ? null : await readUpTo(handle, maxBytes);
    return bytes === null ? { ok: false, fault: tooLarge(file, maxBytes) } : decode(file, bytes);
  } catch (error) {
    return { ok: false, fault: errnoFault(file, error) };
  } finally {
    await handle?.close();
  }
}

/** Null once there is more than `maxBytes`: the file may grow while it is read. */
async function readUpTo(handle: FileHandle, maxBytes: number): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let total = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, null);
    if (bytesRead === 0) return Buffer.concat(parts);
    total += bytesRead;
    if (total > maxBytes) return null;
    parts.push(buffer.subarray(0, bytesRead));
  }
}

function tooLarge(file: string, maxBytes: number): Fault {
  const message = `expected at most ${maxBytes} bytes`;
  return faultOfFile(file, 'too_large', message, 'Divide it into several files.');
}

function decode(file: string, bytes: Buffer): TextResult {
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  if (isUtf8(bytes)) return { ok: true, text };
  const place = placeAt(lineStartsOf(text), Math.max(0, text.indexOf('\ufffd')));
  const fault = faultOfFile(file, 'encoding', 'not valid UTF-8', 'Save the file as UTF-8.');
  return { ok: false, fault: { ...fault, ...place } };
}
