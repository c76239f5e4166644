import { git, splitNul } from './run.ts';

/** Untracked paths that are not ignored, folders as a whole; relative to the worktree. */
export async function untrackedPaths(worktree: string): Promise<string[]> {
  const { stdout } = await git(worktree, [
    'status',
    '--porcelain',
    '-z',
    '--untracked-files=normal',
    '--no-renames',
  ]);
  return splitNul(stdout)
    .filter((entry) => entry.startsWith('?? '))
    .map((entry) => entry.slice(3));
}

/**
 * Brings tracked files back to the last commit and removes what is untracked and not ignored, `keep` aside. For
 * what acceptance tests leave behind: the tree was committed before they ran.
 */
export async function discardChanges(worktree: string, keep: readonly string[]): Promise<void> {
  const { stdout } = await git(worktree, [
    'status',
    '--porcelain',
    '-z',
    '--untracked-files=normal',
    '--no-renames',
  ]);
  if (stdout === '') return;
  await git(worktree, ['reset', '--hard', '--quiet']);
  const kept = keep.flatMap((path) => ['-e', `/${path.replace(/[\\*?[\]!#]/g, '\\$&')}`]);
  await git(worktree, ['clean', '-f', '-d', '--quiet', ...kept]);
}
