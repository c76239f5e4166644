import { findWorktree, markReady, readyWorktree, type Worktree } from './admin.ts';
import { attachHead, headOf } from './head.ts';
import { clearFlags } from './index-flags.ts';
import { placeOf } from './nested.ts';
import { commonDirOf } from './repository.ts';
import { git, splitNul } from './run.ts';

/** More paths than this would not fit on git's command line. */
export const FILES_MAX = 500;

/**
 * Puts HEAD and the branch back to `head` without touching a file, wherever a command that is no task moved them:
 * a test that commits has added nothing to the work.
 */
async function standAt(worktree: Worktree, head: string): Promise<void> {
  if ((await headOf(worktree)) === head) return;
  await attachHead(worktree);
  await git(worktree.path, ['reset', '--soft', '--quiet', head], placeOf(worktree));
}

/** Entries of `git status`. The repository is named: a tool may have replaced the worktree's `.git`. */
async function statusOf(worktree: Worktree, untracked: 'normal' | 'all' = 'normal'): Promise<string[]> {
  const args = ['status', '--porcelain', '-z', `--untracked-files=${untracked}`, '--no-renames'];
  return splitNul((await git(worktree.path, args, placeOf(worktree))).stdout);
}

/**
 * Keeps what is untracked now out of every commit and salvage of the worktree, besides `exclude`, and returns
 * all of it; paths relative to the worktree. For what `setup` made: file by file, so that what a tool later puts
 * beside them is kept, or folders as a whole where there are very many.
 */
export async function excludeUntracked(
  root: string,
  id: string,
  exclude: readonly string[],
): Promise<string[]> {
  const worktree = await readyWorktree(root, id);
  const single = await statusOf(worktree, 'all');
  const entries = single.length <= FILES_MAX ? single : await statusOf(worktree);
  const untracked = entries.filter((entry) => entry.startsWith('?? ')).map((entry) => entry.slice(3));
  const all = [...new Set([...exclude, ...untracked])];
  await excludeOnly(root, id, all);
  return all;
}

/** Keeps these paths, and no others, out of every commit and salvage: the attempt after a crash knows them too. */
export async function excludeOnly(root: string, id: string, paths: readonly string[]): Promise<void> {
  const found = await findWorktree(root, await commonDirOf(root), id);
  if (found.kind === 'ready') await markReady(found.worktree, { ...found.marker, exclude: [...paths] });
}

/**
 * Brings tracked files that are not as in `head`, the last commit, back to it, `keep` aside, and returns them. For what
 * `setup` did to them: no task did it, and acceptance tests judge the tree that is committed.
 */
export async function restoreTracked(
  root: string,
  id: string,
  keep: readonly string[],
  head: string,
): Promise<string[]> {
  const worktree = await readyWorktree(root, id);
  await standAt(worktree, head);
  await clearFlags(worktree);
  return await restore(worktree, keep);
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
 * Brings tracked files back to `head`, the last commit, and removes what is untracked and not ignored, `keep` aside. For
 * what acceptance tests leave behind: the tree was committed before they ran.
 */
export async function discardChanges(
  root: string,
  id: string,
  keep: readonly string[],
  head: string,
): Promise<void> {
  const worktree = await readyWorktree(root, id);
  await standAt(worktree, head);
  await clearFlags(worktree);
  const place = placeOf(worktree);
  if ((await statusOf(worktree)).length === 0) return;
  // A file that was copied over a tracked one is no change of a test's.
  if (keep.length > 0) await restore(worktree, keep);
  else await git(worktree.path, ['reset', '--hard', '--quiet'], place);
  const kept = keep.flatMap((path) => ['-e', `/${path.replace(/[\\*?[\]!#]/g, '\\$&')}`]);
  await git(worktree.path, ['clean', '-f', '-d', '--quiet', ...kept], place);
}
