import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { branchRef, checkpointRef } from '../protocol/layout.ts';
import type { Worktree } from './admin.ts';
import { attachHead, endOperations } from './head.ts';
import { clearFlags } from './index-flags.ts';
import { findNested, mendLink, moveNestedAside, placeOf } from './nested.ts';
import { moveRefs, readRefs } from './refs.ts';
import { git } from './run.ts';

/** Brings branch, index and files to `head`. All that is lost by it has been salvaged. */
export async function resetWorktree(worktree: Worktree, head: string, fresh: boolean): Promise<string[]> {
  const { root, id, commonDir, path } = worktree;
  const place = placeOf(worktree);
  await dropEmptyIndex(worktree);
  const kept = await keepForeignGit(worktree);
  await endOperations(worktree);
  await moveBranch(root, id, commonDir, { head, fresh });
  await attachHead(worktree);
  // A reset passes over files whose edits a flag hides.
  await clearFlags(worktree);
  await git(path, ['reset', '--hard', '--quiet', head], place);
  // Once more: a link that the tool had committed is an untracked repository now.
  kept.push(...(await moveNestedAside(worktree, await findNested(worktree, head))));
  // One -f: git itself leaves untracked repositories alone, should one have been missed.
  await git(path, ['clean', '-f', '-d', '--quiet'], place);
  return kept;
}

/** Moves nested repositories, and a `.git` that the tool put in place of the worktree's own, out of the way. */
export async function keepForeignGit(worktree: Worktree): Promise<string[]> {
  const replaced = await mendLink(worktree);
  const nested = await moveNestedAside(worktree, await findNested(worktree, null));
  return [...replaced, ...nested];
}

/** An index of no bytes, as a power loss leaves it, is worse than none. */
export async function dropEmptyIndex(worktree: Worktree): Promise<void> {
  const index = join(worktree.admin, 'index');
  try {
    if ((await stat(index)).size === 0) await rm(index);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Moves the branch to `head`; `fresh` drops the checkpoints with it, together or not at all. */
export async function moveBranch(
  root: string,
  id: string,
  commonDir: string,
  to: { head: string; fresh: boolean },
): Promise<void> {
  const { branch, checkpoint } = await readRefs(root, id);
  const changes = [{ ref: branchRef(id), from: branch, to: to.head as string | null }];
  if (to.fresh) changes.push({ ref: checkpointRef(id), from: checkpoint, to: null });
  await moveRefs(root, commonDir, changes, { why: 'orch: prepare' });
}
