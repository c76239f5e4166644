import { readyWorktree } from './admin.ts';
import { attachHead, endOperations } from './head.ts';
import { breakStaleLocks } from './locks.ts';
import { findNested, mendLink, moveNestedAside } from './nested.ts';
import { dropEmptyIndex, moveBranch } from './reset.ts';
import { discardChanges } from './tidy.ts';

/**
 * Brings the worktree of `id` back to `head` after a run that counts for nothing: branch, index, tracked files, what is
 * untracked and not ignored; `keep` (copied files and what `setup` made) stays as it is. Repositories that the tool
 * made are moved aside whole; returns where they are.
 * What is lost by it has been salvaged: the caller has seen that succeed. Killed anywhere, it can be repeated.
 * Takes no lock: the caller holds the lease, with no process of the tool alive.
 */
export async function rewindWorktree(
  root: string,
  id: string,
  { head, keep }: { head: string; keep: readonly string[] },
): Promise<string[]> {
  const worktree = await readyWorktree(root, id);
  const { commonDir, admin } = worktree;
  await breakStaleLocks(commonDir, admin, id);
  await dropEmptyIndex(worktree);
  const moved = await mendLink(worktree);
  await endOperations(worktree);
  await moveBranch(root, id, commonDir, { head, fresh: false });
  await attachHead(worktree);
  const moveAside = async (): Promise<void> => {
    const nested = await findNested(worktree, head);
    moved.push(
      ...(await moveNestedAside(
        worktree,
        nested.filter((path) => !isKept(path, keep)),
      )),
    );
  };
  await moveAside();
  await discardChanges(root, id, keep, head);
  // Once more: a link that the tool had committed is an untracked repository now.
  await moveAside();
  return moved;
}

const isKept = (path: string, keep: readonly string[]): boolean =>
  keep.some((kept) => `${path}/`.startsWith(kept.endsWith('/') ? kept : `${kept}/`));
