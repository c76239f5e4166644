import { closeSync, constants, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';

const MOST_BYTES = 4 * 1024 * 1024;

/** Writes a new file that nobody else may read; one of that name is a fault. */
export function writePrivate(path: string, text: string): void {
  failpoint('tools.scratch.write');
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
}

/** The last 4 MiB of a file that a tool wrote, as UTF-8; empty where there is none, or something else in its place. */
export function tailOf(path: string): string {
  let fd: number;
  try {
    // A pipe in its place must not hold the worker up.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EACCES', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return '';
    throw error;
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) return '';
    const start = Math.max(0, facts.size - MOST_BYTES);
    const bytes = Buffer.alloc(Math.min(facts.size, MOST_BYTES));
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, start));
  } finally {
    closeSync(fd);
  }
}
