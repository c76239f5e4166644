import { join } from 'node:path';
import { kindOf, readyWorktree } from './admin.ts';
import { capture } from './capture.ts';
import { treeOf } from './commit.ts';
import { mendLink, placeOf } from './nested.ts';
import { git, splitNul } from './run.ts';

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

/** Regular files of the worktree that are not ignored, sorted; paths relative to it. */
export async function listFiles(root: string, id: string): Promise<string[]> {
  const worktree = await readyWorktree(root, id);
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const listed = splitNul((await git(worktree.path, args, placeOf(worktree))).stdout);
  const kinds = await Promise.all(listed.map((path) => kindOf(join(worktree.path, path))));
  return listed.filter((_, at) => kinds[at] === 'file').sort();
}
