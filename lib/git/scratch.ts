import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from '../failpoint.ts';
import { readyWorktree } from './admin.ts';

/**
 * A folder for the papers of one run of a tool: its prompt, its chat history. It lies in git's own folder for the
 * worktree: outside of the worktree, visible in a sandbox (which has a `/tmp` of its own), and gone when the worktree
 * goes. Killed before it was removed: it holds nothing that anybody needs, and the next run empties it.
 */
const SCRATCH = 'orch-scratch';

/** Makes the folder, empty and 0700, and returns its path. */
export async function makeScratch(root: string, id: string): Promise<string> {
  const { admin } = await readyWorktree(root, id);
  const path = join(admin, SCRATCH);
  // A link in its place is removed, never followed.
  await rm(path, { recursive: true, force: true });
  failpoint('git.scratch.make');
  await mkdir(path, { mode: 0o700 });
  failpoint('git.scratch.made');
  return path;
}

/** Removes it, if there is one. */
export async function removeScratch(root: string, id: string): Promise<void> {
  const { admin } = await readyWorktree(root, id);
  failpoint('git.scratch.remove');
  await rm(join(admin, SCRATCH), { recursive: true, force: true });
}
