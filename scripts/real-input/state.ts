import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../lib/errors.ts';

/** What orch leaves on disk, read by the contract alone, as a stranger's monitor would. */

export type Recorded = {
  workstream: string;
  status: string;
  progress: string;
  current_task: string | null;
  attempt: number;
  cut_offs: number;
  base: string | null;
  reason: { code: string; message: string } | null;
};

/** All records that exist. */
export function readRecords(root: string): Recorded[] {
  const names = ifThere(() => readdirSync(join(root, '.status'))) ?? [];
  return names
    .filter((name) => /^[^_].*\.json$/.test(name))
    .map((name) => readRecord(root, name.slice(0, -'.json'.length)))
    .filter((record) => record !== null);
}

/** The record of a workstream; null where there is none. */
export function readRecord(root: string, id: string): Recorded | null {
  const text = ifThere(() => readFileSync(join(root, '.status', `${id}.json`), 'utf8'));
  return text === null ? null : JSON.parse(text);
}

/** The number in a PID file; null where there is no such file, or not yet a whole one. */
export function readPid(path: string): number | null {
  const text = ifThere(() => readFileSync(path, 'utf8'));
  return text !== null && /^\d+\n$/.test(text) ? Number(text) : null;
}

function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
