import { findWorktree, markReady, readyWorktree, type Worktree } from './admin.ts';
import { placeOf } from './nested.ts';
import { commonDirOf } from './repository.ts';
import { git, splitNul } from './run.ts';

/** Entries of `git status`. The repository is named: a tool may have replaced the worktree's `.git`. */
async function statusOf(worktree: Worktree): Promise<string[]> {
  const args = ['status', '--porcelain', '-z', '--untracked-files=normal', '--no-renames'];
  return splitNul((await git(worktree.path, args, placeOf(worktree))).stdout);
}

/**
 * Keeps what is untracked now out of every commit and salvage of the worktree, besides `exclude`, and returns
 * all of it; paths relative to the worktree, folders as a whole. For what `setup` made.
 */
export async function excludeUntracked(
  root: string,
  id: string,
  exclude: readonly string[],
): Promise<string[]> {
  const worktree = await readyWorktree(root, id);
  const entries = await statusOf(worktree);
  const untracked = entries.filter((entry) => entry.startsWith('?? ')).map((entry) => entry.slice(3));
  const all = [...new Set([...exclude, ...untracked])];
  const found = await findWorktree(root, await commonDirOf(root), id);
  // In the marker too, so that the attempt after a crash knows them.
  if (found.kind === 'ready') await markReady(worktree, { ...found.marker, exclude: all });
  return all;
}

/**
 * Brings tracked files that are not as in the last commit back to it, `keep` aside, and returns them. For what
 * `setup` did to them: no task did it, and acceptance tests judge the tree that is committed.
 */
export async function restoreTracked(root: string, id: string, keep: readonly string[]): Promise<string[]> {
  return await restore(await readyWorktree(root, id), keep);
}

async function restore(worktree: Worktree, keep: readonly string[]): Promise<string[]> {
  const isKept = (path: string): boolean => {
    return keep.some((kept) => path === kept || path.startsWith(kept.endsWith('/') ? kept : `${kept}/`));
  };
  const tracked = (await statusOf(worktree)).filter((entry) => !entry.startsWith('?? '));
  const changed = tracked.map((entry) => entry.slice(3)).filter((path) => !isKept(path));
  if (changed.length === 0) return [];
  const left = keep.map((path) => `:(exclude,top,literal)${path}`);
  const args = ['restore', '--source=HEAD', '--staged', '--worktree', '--quiet', '--', ':(top)', ...left];
  await git(worktree.path, args, placeOf(worktree));
  return changed;
}

/**
 * Brings tracked files back to the last commit and removes what is untracked and not ignored, `keep` aside. For
 * what acceptance tests leave behind: the tree was committed before they ran.
 */
export async function discardChanges(root: string, id: string, keep: readonly string[]): Promise<void> {
  const worktree = await readyWorktree(root, id);
  const place = placeOf(worktree);
  if ((await statusOf(worktree)).length === 0) return;
  // A file that was copied over a tracked one is no change of a test's.
  if (keep.length > 0) await restore(worktree, keep);
  else await git(worktree.path, ['reset', '--hard', '--quiet'], place);
  const kept = keep.flatMap((path) => ['-e', `/${path.replace(/[\\*?[\]!#]/g, '\\$&')}`]);
  await git(worktree.path, ['clean', '-f', '-d', '--quiet', ...kept], place);
}
