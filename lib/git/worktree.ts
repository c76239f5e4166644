import { join } from 'node:path';
import { OrchError } from '../errors.ts';
import { branchOf, branchRef, worktreePath } from '../protocol/layout.ts';
import {
  dismantle,
  type Found,
  findWorktree,
  foreignWorktree,
  kindOf,
  makingReason,
  markReady,
  readText,
  sweepHalfMade,
  type Worktree,
} from './admin.ts';
import { type CheckpointState, NONE, readChain } from './chain.ts';
import { sync } from './durable.ts';
import { breakStaleLocks } from './locks.ts';
import type { TellRefs } from './moved-refs.ts';
import { moveAside, placeOf } from './nested.ts';
import { takeBack } from './put-back.ts';
import { readRefs } from './refs.ts';
import { commonDirOf } from './repository.ts';
import { keepForeignGit, moveBranch, resetWorktree } from './reset.ts';
import { git } from './run.ts';
import { salvage } from './salvage.ts';

export type PrepareRequest = {
  root: string;
  id: string;
  /** The commit that a workstream without a checkpoint starts from. */
  base: string;
  attempt: number;
  /** Start over: what there is goes to the salvage ref, checkpoints too. */
  fresh: boolean;
  /** Files that will be copied in, relative to the worktree; remembered, so that no salvage holds them. */
  exclude?: readonly string[];
  /** Told of refs that moved while a command of an earlier attempt ran whose worker was killed. */
  tellRefs?: TellRefs;
};

export type Prepared = {
  path: string;
  /** What is checked out: the checkpoint, or the base where there is none. */
  head: string;
  checkpoint: CheckpointState;
  /** The commit that holds what earlier attempts left behind, if there was anything. */
  salvaged: string | null;
  created: boolean;
  /** Git repositories found in the worktree: where they have been moved to. */
  kept: string[];
};

/**
 * Makes `.worktrees/<id>` on branch `orch/<id>` stand exactly at the last checkpoint (or the base), whatever
 * an earlier attempt, or an earlier call that was killed, left there. What it left is salvaged first; ignored
 * files stay. Killed at any instruction, it can be repeated. Throws WORKTREE_FAILED where the place or the
 * branch is somebody else's, SALVAGE_FAILED (nothing is changed then), GIT_FAILED.
 * Takes no lock: the caller holds `.status/_git.lock` and the lease, with no process of the workstream alive.
 */
export async function prepareWorktree(request: PrepareRequest): Promise<Prepared> {
  const { root, id, base, fresh } = request;
  const commonDir = await commonDirOf(root);
  const found = await findWorktree(root, commonDir, id);
  if (found.kind === 'foreign') throw foreignWorktree(found.why);
  const admin = found.kind === 'ready' ? found.worktree.admin : null;
  await breakStaleLocks(commonDir, admin, id);
  await sweepHalfMade(commonDir, id);
  if (found.kind === 'half-made') await dismantle(found.worktree);
  await refuseIfElsewhere(root, id, admin);
  const tip = (await readRefs(root, id)).checkpoint;
  const checkpoint = fresh || tip === null ? NONE : await readChain(root, id, tip);
  const head = checkpoint.tip ?? base;
  // A base that is no commit must be found out before anything moves to it.
  await git(root, ['rev-parse', '--verify', '--quiet', `${head}^{commit}`]);
  if (found.kind === 'ready' && found.folder)
    await takeBack(found.worktree, found.marker, tip ?? found.marker.base ?? base);
  const salvaged = await salvage({
    root,
    id,
    attempt: leftBy(found, request.attempt),
    why: `found before attempt ${request.attempt}`,
    base,
    abandon: fresh,
    ...(request.tellRefs === undefined ? {} : { tellRefs: request.tellRefs }),
  });
  const ready = found.kind === 'ready' && found.folder ? found.worktree : null;
  if (found.kind === 'ready' && !found.folder) await dismantle(found.worktree);
  const kept = ready ? await resetWorktree(ready, head, fresh) : [];
  const worktree = ready ?? (await createWorktree({ root, id, commonDir, head, fresh }));
  const marker = {
    base: checkpoint.base ?? base,
    attempt: request.attempt,
    exclude: [...(request.exclude ?? [])],
  };
  await markReady(worktree, marker);
  return { path: worktree.path, head, checkpoint, salvaged, created: ready === null, kept };
}

/**
 * Removes the worktree; branch, checkpoints and salvage stay. What it holds beyond the checkpoint is salvaged
 * first, ignored files go. Returns false if there was none. Throws WORKTREE_FAILED where something else stands
 * in its place or a person has locked it (`git worktree lock`), SALVAGE_FAILED.
 * Takes no lock: the caller holds `.status/_git.lock` and the lease, with no process of the workstream alive.
 */
export async function removeWorktree(
  root: string,
  id: string,
): Promise<{ removed: boolean; salvaged: string | null; kept: string[] }> {
  const commonDir = await commonDirOf(root);
  const found = await findWorktree(root, commonDir, id);
  switch (found.kind) {
    case 'foreign':
      throw foreignWorktree(found.why);
    case 'absent':
      return { removed: false, salvaged: null, kept: [] };
    case 'half-made':
      await dismantle(found.worktree);
      return { removed: true, salvaged: null, kept: [] };
    case 'ready': {
      const { worktree, lockedBy, folder } = found;
      if (lockedBy !== null) throw lockedWorktree(worktree.path, lockedBy);
      const { checkpoint } = await readRefs(root, id);
      const stood = checkpoint ?? found.marker.base;
      if (folder && stood !== null) await takeBack(worktree, found.marker, stood);
      const why = 'found before its worktree was removed';
      const salvaged = await salvage({ root, id, attempt: leftBy(found, 2), why });
      const kept = folder ? await keepForeignGit(worktree) : [];
      // Clones of submodules live in the admin folder and would go with it.
      const modules = join(worktree.admin, 'modules');
      if ((await kindOf(modules)) !== 'absent') kept.push(await moveAside(worktree, modules, 'modules'));
      await dismantle(worktree);
      return { removed: true, salvaged, kept };
    }
  }
}

/** The attempt that what was found belongs to. */
function leftBy(found: Found, attempt: number): number {
  return (found.kind === 'ready' ? found.marker.attempt : null) ?? Math.max(1, attempt - 1);
}

type Creation = { root: string; id: string; commonDir: string; head: string; fresh: boolean };

/** Killed on the way it leaves an entry that says so (`locked`), which is removed before the next try. */
async function createWorktree({ root, id, commonDir, head, fresh }: Creation): Promise<Worktree> {
  await moveBranch(root, id, commonDir, { head, fresh });
  const path = worktreePath(root, id);
  const lock = ['--lock', '--reason', makingReason(id)];
  await git(root, ['worktree', 'add', '--quiet', '--no-checkout', ...lock, path, branchOf(id)]);
  const found = await findWorktree(root, commonDir, id);
  if (found.kind !== 'half-made') throw foreignWorktree(`${path} is not as git has just made it`);
  const { worktree } = found;
  await git(path, ['reset', '--hard', '--quiet', head], placeOf(worktree));
  // Before the marker can be: after a power loss it would vouch for files that are empty.
  const made = ['gitdir', 'HEAD', 'commondir', 'index', ''].map((name) => join(worktree.admin, name));
  for (const file of [...made, join(path, '.git'), path]) await sync(file);
  return worktree;
}

/** The user may look at the branch in a checkout of their own: it must not move under them. */
async function refuseIfElsewhere(root: string, id: string, admin: string | null): Promise<void> {
  const own = admin === null ? null : (await readText(join(admin, 'gitdir')))?.trim().replace(/\/\.git$/, '');
  const { stdout } = await git(root, ['worktree', 'list', '--porcelain', '-z']);
  for (const entry of stdout.split('\0\0')) {
    const lines = entry.split('\0');
    const path = lines[0]?.slice('worktree '.length);
    if (!lines.includes(`branch ${branchRef(id)}`) || path === own) continue;
    throw new OrchError('WORKTREE_FAILED', `branch ${branchOf(id)} is checked out in ${path}`, {
      hint: 'Switch that checkout to another branch, then run again.',
    });
  }
}

function lockedWorktree(path: string, why: string): OrchError {
  return new OrchError('WORKTREE_FAILED', `${path} is locked${why === '' ? '' : `: ${why}`}`, {
    hint: `Unlock it with \`git worktree unlock ${path}\`, then run again.`,
  });
}
