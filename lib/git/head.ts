import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from '../failpoint.ts';
import { branchRef } from '../protocol/layout.ts';
import type { Worktree } from './admin.ts';
import { git } from './run.ts';

/** The commit that HEAD of the worktree names; null on a branch without commits. */
export async function headOf(worktree: Worktree): Promise<string | null> {
  const args = ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'];
  const { stdout } = await git(worktree.root, args, { gitDir: worktree.admin, answers: [1] });
  return stdout === '' ? null : stdout.trim();
}

/** The branch that HEAD of the worktree is on, or null if it is detached. */
export async function headRef(worktree: Worktree): Promise<string | null> {
  const args = ['symbolic-ref', '--quiet', 'HEAD'];
  const { stdout } = await git(worktree.root, args, { gitDir: worktree.admin, answers: [1] });
  return stdout === '' ? null : stdout.trim();
}

/** Puts HEAD of the worktree on the workstream's branch; no file is touched. */
export async function attachHead(worktree: Worktree): Promise<void> {
  const args = ['symbolic-ref', '-m', 'orch: back to the branch', 'HEAD', branchRef(worktree.id)];
  if ((await headRef(worktree)) !== branchRef(worktree.id))
    await git(worktree.root, args, { gitDir: worktree.admin });
}

const OPERATIONS = [
  ['MERGE_HEAD', 'MERGE_MSG', 'MERGE_MODE', 'MERGE_RR', 'MERGE_AUTOSTASH', 'AUTO_MERGE', 'SQUASH_MSG'],
  ['CHERRY_PICK_HEAD', 'REVERT_HEAD', 'REBASE_HEAD', 'rebase-merge', 'rebase-apply', 'sequencer'],
  [
    'BISECT_LOG',
    'BISECT_START',
    'BISECT_NAMES',
    'BISECT_TERMS',
    'BISECT_EXPECTED_REV',
    'BISECT_ANCESTORS_OK',
  ],
].flat();

/** Forgets a merge, rebase, pick or bisect that a tool left unfinished; what it named is salvaged before. */
export async function endOperations(worktree: Worktree): Promise<void> {
  failpoint('git.operations.end');
  for (const name of OPERATIONS) await rm(join(worktree.admin, name), { recursive: true, force: true });
}
