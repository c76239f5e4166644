import { readyWorktree } from './admin.ts';
import { capture } from './capture.ts';
import { treeOf } from './commit.ts';
import { mendLink } from './nested.ts';

/**
 * True if the files of the worktree differ from those of the commit `head`, by what git would commit: ignored files and
 * `exclude` do not count, nor do commits that changed nothing in the end. No file and no index is changed.
 */
export async function differsFrom(
  root: string,
  id: string,
  head: string,
  exclude: readonly string[],
): Promise<boolean> {
  const worktree = await readyWorktree(root, id);
  await mendLink(worktree);
  const { tree } = await capture(worktree, { exclude, keep: head });
  return tree !== (await treeOf(root, head));
}
