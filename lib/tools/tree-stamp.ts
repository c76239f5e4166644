import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';

/** More than this is not looked at: a sign that costs much is no cheap sign. */
const ENTRIES_MAX = 20_000;
const BOUND_MS = 5_000;
/** What is in them is installed or made, not edited, and there is much of it. */
const PASSED_OVER: ReadonlySet<string> = new Set(['.git', 'node_modules', '.venv', 'venv', '__pycache__']);
/** Gone meanwhile, not ours to read, or no folder any more. */
const PASSING = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG'];

/**
 * A text that is another one once a file below `folder` was made, changed or removed: from names, sizes and times of
 * change, upper folders first, of at most 20,000 entries and within 5 s. No program runs, no link is followed, no file
 * is read. Beyond its bounds it tells of no change.
 */
export async function treeStamp(folder: string): Promise<string> {
  const begun = performance.now();
  let count = 0;
  let newest = 0;
  let sum = 0;
  let level = [folder];
  while (level.length > 0) {
    const below: string[] = [];
    for (const at of level) {
      if (count >= ENTRIES_MAX || performance.now() - begun > BOUND_MS) return `${count} ${newest} ${sum}`;
      for (const { name, isFolder } of await entriesOf(at)) {
        if (PASSED_OVER.has(name)) continue;
        count += 1;
        const path = join(at, name);
        const stats = statsOf(path);
        if (stats === null) continue;
        newest = Math.max(newest, stats.ctimeMs);
        sum = (sum * 31 + stats.ctimeMs + stats.size) % Number.MAX_SAFE_INTEGER;
        if (isFolder) below.push(path);
      }
    }
    level = below;
  }
  return `${count} ${newest} ${sum}`;
}

async function entriesOf(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  } catch (error) {
    if (PASSING.includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

/** In the loop's own turn: cheaper than a promise for each. */
function statsOf(path: string): { ctimeMs: number; size: number } | null {
  try {
    return lstatSync(path);
  } catch (error) {
    if (PASSING.includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}
