import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BRANCH_PREFIX } from '../protocol/layout.ts';
import { readyWorktree } from './admin.ts';

/**
 * What a confined command needs of git to commit on its own branch, and what it must not touch: `writable` folders,
 * and in them `fixed` files and folders, by which orch and git tell what is whose. Everything else of the repository
 * (other refs, packed refs, config, hooks) is for reading. Loose objects lie in a folder that must be writable.
 */
export type Confines = { commonDir: string; admin: string; writable: string[]; fixed: string[] };

/** Throws WORKTREE_FAILED where the worktree is not ready to work in. */
export async function confinesOf(root: string, id: string): Promise<Confines> {
  const { path, admin, commonDir } = await readyWorktree(root, id);
  const branches = join(commonDir, 'refs/heads', BRANCH_PREFIX);
  const reflogs = join(commonDir, 'logs/refs/heads', BRANCH_PREFIX);
  // Git removes them when they are empty, after `git pack-refs`.
  for (const folder of [branches, reflogs]) mkdirSync(folder, { recursive: true });
  const objects = join(commonDir, 'objects');
  const fixed = [
    join(objects, 'pack'),
    join(objects, 'info'),
    ...['commondir', 'gitdir', 'orch-ready', 'locked', 'config.worktree'].map((name) => join(admin, name)),
    join(path, '.git'),
  ];
  return { commonDir, admin, writable: [objects, branches, reflogs, admin], fixed: fixed.filter(existsSync) };
}
