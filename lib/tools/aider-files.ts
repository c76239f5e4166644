import { closeSync, lstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { ToolRequest } from './adapter.ts';

/** All of them are sent whole with each message, so they are few and small. */
const MOST_FILES = 20;
const MOST_BYTES = 200 * 1024;
const MOST_BYTES_OF_ONE = 100 * 1024;
const MOST_LOOKS = 500;
const HEAD_BYTES = 8_000;
/** No model needs the keys of a program; aider reads such a file itself. */
const HOLDS_KEYS = /(?:^|\/)\.env(?:\.|$)/;

/**
 * The files that aider has in its chat from the start: those that the prompt names, then the others of the scope in plan
 * order, as long as they are text and fit in 20 files and 200 KiB. It sees the rest in its map of the repository, and
 * adds what the model asks for.
 */
export function filesForChat({
  prompt,
  worktree,
  files,
}: Pick<ToolRequest, 'prompt' | 'worktree' | 'files'>): string[] {
  const candidates = files.present.slice(0, MOST_LOOKS).filter((path) => !HOLDS_KEYS.test(path));
  const named = candidates.filter((path) => prompt.includes(path));
  const rest = candidates.filter((path) => !named.includes(path));
  const chosen: string[] = [];
  let room = MOST_BYTES;
  for (const path of [...named, ...rest]) {
    const bytes = sizeOfText(worktree, path);
    if (bytes === null || bytes > room) continue;
    chosen.push(path);
    room -= bytes;
    if (chosen.length === MOST_FILES) break;
  }
  return chosen;
}

/** Null for what is no text file of the worktree, is too large, or is reached through a link that leads out of it. */
function sizeOfText(worktree: string, path: string): number | null {
  const full = join(worktree, path);
  try {
    const facts = lstatSync(full);
    if (!facts.isFile() || facts.size > MOST_BYTES_OF_ONE) return null;
    if (!realpathSync(full).startsWith(realpathSync(worktree) + sep)) return null;
    return isText(full) ? facts.size : null;
  } catch (error) {
    // Gone, or not to be read: aider could not either.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

function isText(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return !head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0)).includes(0);
  } finally {
    closeSync(fd);
  }
}
