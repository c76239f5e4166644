import { branchRef, checkpointRef } from '../protocol/layout.ts';
import { foreignWorktree, readyWorktree, type Worktree } from './admin.ts';
import type { Outside } from './border.ts';
import type { CheckpointState } from './chain.ts';
import { commitTree, treeOf } from './commit.ts';
import { gather, keepStrays, type Scope } from './gather.ts';
import { attachHead, endOperations, headOf, headRef } from './head.ts';
import { breakStaleLocks } from './locks.ts';
import { mendLink, placeOf } from './nested.ts';
import { moveRefs, readRefs } from './refs.ts';
import { git } from './run.ts';
import { checkpointMessage } from './trailers.ts';

export type CheckpointRequest = {
  root: string;
  id: string;
  worktree: string;
  run: string;
  attempt: number;
  /** From 1. */
  taskIndex: number;
  taskCount: number;
  digest: string;
  subject: string;
  /** The agent whose work it is. */
  tool?: string;
  /** From 1, where it mends the work of a task that has a checkpoint. */
  repair?: number;
  previous: CheckpointState;
  /** Used for the first checkpoint; later ones keep the base of their chain. */
  base: string;
  /** Copied files, relative to the worktree: they enter no commit. */
  exclude: readonly string[];
  /** What the task may change; anything if not given. */
  scope?: Scope;
  /** Called once all that was taken out is safe and before a ref moves. */
  beforeMove?: (found: { outside: Outside[]; salvaged: string | null }) => Promise<void>;
};

export type Checkpoint = {
  commit: string;
  /** False if the tree is that of the checkpoint before. */
  changed: boolean;
  /** The commit that holds what is no part of the branch: commits of the tool, changes outside the scope. */
  salvaged: string | null;
  /** A branch other than the workstream's own that the tool left the worktree on. */
  leftOn: string | null;
  /** Git repositories that the tool made in the worktree: left there, in no commit. */
  nested: string[];
  /** Where a `.git` went that the tool had put in place of the worktree's own. */
  kept: string[];
};

/**
 * Commits all that is in the worktree, as it is, after the tool has ended, and moves branch and checkpoint
 * ref to it together; HEAD is on the branch afterwards, no file is touched. The tool's own commits stay part
 * of the branch if they stand on the checkpoint before, on the branch or a detached HEAD, and none of them
 * holds an excluded file; else they go to the salvage ref first. Durable when it returns. Killed before
 * the refs moved, nothing has happened but objects; after it, all has but HEAD, which `prepareWorktree` mends.
 * With a `scope` that takes out, neither the files nor the commit nor a commit of the tool that stays holds a
 * change outside it; the whole of what the tool left is on the salvage ref before the first file is touched.
 * Throws WORKTREE_FAILED, GIT_FAILED (also if a ref is not where `previous` says).
 * Takes no lock: the caller holds the lease, with no process of the tool alive; only its own refs move.
 */
export async function commitCheckpoint(request: CheckpointRequest): Promise<Checkpoint> {
  const { root, id, previous } = request;
  const worktree = await readyWorktree(root, id);
  if (worktree.path !== request.worktree)
    throw foreignWorktree(`${request.worktree} is not the worktree of ${id}`);
  await breakStaleLocks(worktree.commonDir, worktree.admin, id);
  const { branch } = await readRefs(root, id);
  const start = previous.tip ?? request.base;
  const replaced = await mendLink(worktree);
  const [head, on] = [await headOf(worktree), await headRef(worktree)];
  const leftOn = on === branchRef(id) ? null : on;
  const { exclude, scope } = request;
  const history =
    head !== null && leftOn === null && (await mayStay(worktree, head, start, exclude)) ? head : null;
  const strays = { root, id, attempt: request.attempt, bases: [request.base, previous.base] };
  let salvaged: string | null = null;
  const keep = async (parent: string, tree: string, files: string | null): Promise<void> => {
    salvaged = (await keepStrays(strays, worktree, { head, parent, tree, files })) ?? salvaged;
  };
  const work = await gather(worktree, { start, history, exclude, scope }, (all) => keep(start, all, all));
  const { tree, nested, outside } = work;
  const parent = history === null || work.rewrite ? start : history;
  await keep(parent, tree, null);
  await request.beforeMove?.({ outside, salvaged });
  const changed = tree !== (await treeOf(root, start));
  const message = checkpointMessage(request.subject, {
    workstream: id,
    run: request.run,
    attempt: request.attempt,
    task: request.digest,
    index: `${request.taskIndex}/${request.taskCount}`,
    previous: previous.tip,
    base: previous.base ?? request.base,
    ...(request.tool === undefined ? {} : { tool: request.tool }),
    ...(request.repair === undefined ? {} : { repair: request.repair }),
  });
  const commit = await commitTree(root, { tree, parents: [parent], message });
  const changes = [
    { ref: branchRef(id), from: branch, to: commit },
    { ref: checkpointRef(id), from: previous.tip, to: commit },
  ];
  await moveRefs(root, worktree.commonDir, changes, { gitDir: worktree.admin, why: 'orch: checkpoint' });
  await endOperations(worktree);
  await attachHead(worktree);
  return { commit, changed, salvaged, leftOn, nested, kept: replaced };
}

/** True if the tool's commits up to `head`, on the branch or a detached HEAD, may become part of the branch. */
async function mayStay(
  worktree: Worktree,
  head: string,
  start: string,
  exclude: readonly string[],
): Promise<boolean> {
  if (head === start) return true;
  const place = placeOf(worktree);
  const ancestor = ['merge-base', '--is-ancestor', start, head];
  if ((await git(worktree.path, ancestor, { ...place, answers: [1] })).code === 1) return false;
  if (exclude.length === 0) return true;
  // History counts, not the difference: a copied secret that was committed and removed again is still in it.
  const touching = ['rev-list', '--max-count=1', '--full-history', `${start}..${head}`, '--', ...exclude];
  return (await git(worktree.path, ['--literal-pathspecs', ...touching], place)).stdout === '';
}
