import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { kindOf, readText, type Worktree } from './admin.ts';
import { git } from './run.ts';

/**
 * Checks a submodule of the worktree out at `commit`, which must not lose an edit: true if that was done. Only
 * one whose repository lies in the worktree's own admin folder: a tool may have pointed `.git` at the user's.
 */
export async function putBackSubmodule(worktree: Worktree, path: string, commit: string): Promise<boolean> {
  const folder = join(worktree.path, path);
  const link = join(folder, '.git');
  if ((await realpath(folder)) !== folder || (await kindOf(link)) !== 'file') return false;
  const named = /^gitdir: (.*)\n?$/.exec((await readText(link)) ?? '')?.[1];
  if (named === undefined) return false;
  const gitDir = resolve(folder, named);
  const modules = join(worktree.admin, 'modules') + sep;
  if (!gitDir.startsWith(modules) || (await realpath(gitDir)) !== gitDir) return false;
  const args = ['checkout', '--quiet', '--detach', commit];
  const { code } = await git(folder, args, { gitDir, workTree: folder, answers: [1, 128] });
  return code === 0;
}
