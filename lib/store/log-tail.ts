import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';
import { type LogStream, logPath } from './log-files.ts';

/**
 * What was written to a log of a workstream from the offset `from` on, the last `maxBytes` of it; what is not UTF-8 is
 * replaced. Empty where there is no log.
 * @throws OrchError IO.
 */
export function readLogTail(
  root: string,
  id: string,
  stream: LogStream,
  from: number,
  maxBytes: number,
): string {
  const path = logPath(root, id, stream);
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return '';
    throw new OrchError('IO', `cannot read ${path} (${errno ?? 'unknown error'})`, { cause });
  }
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(from, size - maxBytes);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, start)).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}
