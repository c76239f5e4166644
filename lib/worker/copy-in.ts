import { cpSync, lstatSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { errnoOf, messageOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { FILES_MAX } from '../git/tidy.ts';

/**
 * Copies files and folders of the user's checkout into the worktree; nothing that is or leads through a link. Returns
 * what enters no commit by it: each file, so that what a tool makes beside them is its work; a folder as a whole where
 * there are very many, or where git could not be told of them.
 */
export function copyAll(root: string, worktree: string, paths: readonly string[]): string[] {
  const excluded: string[] = [];
  for (const path of paths) {
    const copied = copyIn(root, worktree, path);
    const fits = excluded.length + copied.length <= FILES_MAX;
    excluded.push(...(fits && copied.every(isTellable) ? copied : [path]));
  }
  return [...new Set(excluded)];
}

/** Not a name that is no UTF-8, and not the inside of a repository, which git knows as one thing. */
const isTellable = (path: string): boolean => !path.includes('\uFFFD') && !path.split('/').includes('.git');

/** Returns all that is no folder, relative to the root. */
function copyIn(root: string, worktree: string, path: string): string[] {
  const from = join(root, path);
  const hint = `Make the file, or take it out of "copy".`;
  try {
    const real = realpathSync(from);
    if (relative(realpathSync(root), real) !== relative(root, from) || lstatSync(from).isSymbolicLink()) {
      throw new OrchError('WORKTREE_FAILED', `copy: ${path} leads through a symbolic link`, { hint });
    }
    const target = placeIn(worktree, path);
    failpoint('worker.copy.before');
    const copied: string[] = [];
    const filter = (source: string): boolean => {
      if (!lstatSync(source).isDirectory()) copied.push(relative(root, source));
      return true;
    };
    cpSync(from, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, filter });
    failpoint('worker.copy.after');
    return copied;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null || error instanceof OrchError) throw error;
    const what = errno === 'ENOENT' ? 'is not there' : `cannot be copied: ${messageOf(error)}`;
    throw new OrchError('WORKTREE_FAILED', `copy: ${path} ${what}`, { hint, cause: error });
  }
}

/**
 * Where a file is copied to. A tool of an earlier task or attempt may have put a link there, or a link in place of
 * one of its folders: what is copied must not leave the worktree through it.
 */
function placeIn(worktree: string, path: string): string {
  const target = join(worktree, path);
  for (const part of partsOf(path)
    .slice(0, -1)
    .map((above) => join(worktree, above))) {
    const stats = lstatSync(part, { throwIfNoEntry: false });
    if (stats === undefined) mkdirSync(part);
    else if (!stats.isDirectory()) throw inTheWay(path, part);
  }
  const there = lstatSync(target, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() === true || (there?.isDirectory() === true && holdsLink(target)))
    throw inTheWay(path, target);
  return target;
}

/** `a`, `a/b`, `a/b/c`. */
function partsOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

function holdsLink(folder: string): boolean {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) =>
    entry.isSymbolicLink(),
  );
}

function inTheWay(path: string, place: string): OrchError {
  const hint = 'Commit no link where "copy" puts files, or start over with `orch retry --fresh`.';
  return new OrchError('WORKTREE_FAILED', `copy: ${path} would go through a symbolic link: ${place}`, {
    hint,
  });
}
