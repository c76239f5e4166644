import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { errPath, logsDir, outPath } from '../protocol/layout.ts';
import { copyingName, type LogLimits, readPartName } from '../protocol/log-parts.ts';

/** The folder of logs as a whole: what is in it, and what has to go so that it stays within its bound. */

export type LogEntry = {
  path: string;
  name: string;
  size: number;
  mtimeMs: number;
  /** The workstream, or null for what belongs to none. */
  id: string | null;
  /** The path of the log of which it is a part; null for what is none. */
  partOf: string | null;
  /** It is one of a rotation that is under way, or was cut off. */
  isPrepared: boolean;
};

const LOG = /^(.+)\.(?:log|err)$/;

/** The regular files in the folder; none where there is no folder. */
export function logEntries(root: string): LogEntry[] {
  const folder = logsDir(root);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new OrchError('IO', `cannot read ${folder} (${errnoOf(error) ?? 'unknown error'})`, {
      cause: error,
    });
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() !== true) return [];
    const part = readPartName(name);
    const [, owner = ''] = LOG.exec(part?.log ?? name) ?? [];
    const id = owner === '' || owner.startsWith('_') ? null : owner;
    const partOf = part === null ? null : join(folder, part.log);
    const { size, mtimeMs } = stats;
    return [{ path, name, size, mtimeMs, id, partOf, isPrepared: part?.prepared === true }];
  });
}

/**
 * The parts that have to go, oldest first, until all files together are within their bound: never those of a
 * workstream that is at work, and never the audit trail, which has a bound of its own.
 */
export function surplusParts(
  entries: readonly LogEntry[],
  limits: LogLimits,
  isAtWork: (id: string) => boolean,
): LogEntry[] {
  let total = entries.reduce((sum, { size }) => sum + size, 0);
  const candidates = entries
    .filter(({ partOf, isPrepared, id, size, name }) => {
      if (partOf === null || isPrepared || size === 0) return false;
      return id === null ? !name.includes('.ndjson.') : !isAtWork(id);
    })
    .sort((a, b) => a.mtimeMs - b.mtimeMs);
  const surplus: LogEntry[] = [];
  for (const entry of candidates) {
    if (total <= limits.totalBytes) break;
    surplus.push(entry);
    total -= entry.size;
  }
  return surplus;
}

/** The files of a workstream's two logs: what is written now, the parts, and what a rotation left. */
export function logFilesOf(root: string, id: string): string[] {
  const own = [outPath(root, id), errPath(root, id)];
  const copying = new Set(own.map(copyingName));
  return logEntries(root)
    .filter(({ path, partOf }) => own.includes(partOf ?? path) || copying.has(path))
    .map(({ path }) => path);
}
