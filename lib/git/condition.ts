import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { git, splitNul } from './run.ts';

const OPERATIONS = [
  ['merge', 'MERGE_HEAD'],
  ['rebase', 'rebase-merge'],
  ['rebase', 'rebase-apply'],
  ['cherry-pick', 'CHERRY_PICK_HEAD'],
  ['revert', 'REVERT_HEAD'],
  ['bisect', 'BISECT_LOG'],
] as const;

/** Operations that a person began in the main worktree and has not ended. */
export function openOperations(gitDir: string): string[] {
  const found = OPERATIONS.filter(([, name]) => existsSync(join(gitDir, name))).map(([what]) => what);
  return [...new Set(found)];
}

/** Paths of the submodules that the index names. */
export async function submodulesIn(root: string): Promise<string[]> {
  const { stdout } = await git(root, ['ls-files', '--stage', '-z']);
  return splitNul(stdout)
    .filter((entry) => entry.startsWith('160000 '))
    .map((entry) => entry.slice(entry.indexOf('\t') + 1));
}

/** How many worktrees the repository has, and those whose folder is gone. */
export async function worktreesOf(root: string): Promise<{ count: number; gone: string[] }> {
  const { stdout } = await git(root, ['worktree', 'list', '--porcelain', '-z']);
  const blocks = stdout.split('\0\0').filter((block) => block !== '');
  const gone = blocks
    .map((block) => block.split('\0'))
    .filter((lines) => lines.some((line) => line.startsWith('prunable')))
    .map((lines) => lines.find((line) => line.startsWith('worktree '))?.slice('worktree '.length) ?? '');
  return { count: blocks.length, gone };
}
