import { copyFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { Worktree } from './admin.ts';
import { findNested, nestedHeads } from './nested.ts';
import { isUnmerged, stageAll, unstage, writeTree } from './stage.ts';

export type Capture = { tree: string; staged: string | null; heads: string[] };

/** The worktree's files as a tree, by way of a copy of its index, which stays as it is. */
export async function capture(
  worktree: Worktree,
  options: { exclude: readonly string[]; keep: string | null },
): Promise<Capture> {
  const index = join(worktree.admin, 'orch-salvage-index');
  try {
    await copyIndex(worktree, index);
    failpoint('git.salvage-index.copied');
    const nested = await findNested(worktree, options.keep, index);
    const staging = { ...options, nested, index };
    await unstage(worktree, staging);
    const staged = (await isUnmerged(worktree, index)) ? null : await writeTree(worktree, index);
    const tree = await stageAll(worktree, staging);
    return { tree, staged, heads: await nestedHeads(worktree, nested) };
  } finally {
    await rm(index, { force: true });
  }
}

/** No index, or one of no bytes (a power loss), holds nothing: then all files count as untracked. */
async function copyIndex(worktree: Worktree, to: string): Promise<void> {
  const from = join(worktree.admin, 'index');
  await rm(to, { force: true });
  await rm(`${to}.lock`, { force: true });
  try {
    const { size, mtimeMs } = await stat(from);
    if (size === 0) return;
    await copyFile(from, to);
    // Git trusts an entry's size and times only if the file is older than the index. With a younger copy a
    // file that was written in the same tick as the index would pass for unchanged.
    const seconds = Math.floor(mtimeMs / 1000) - 1;
    await utimes(to, seconds, seconds);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
