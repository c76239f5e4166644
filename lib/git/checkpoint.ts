import { branchRef, checkpointRef } from '../protocol/layout.ts';
import { foreignWorktree, readyWorktree, type Worktree } from './admin.ts';
import type { CheckpointState } from './chain.ts';
import { commitTree, treeOf } from './commit.ts';
import { attachHead, endOperations, headOf, headRef } from './head.ts';
import { breakStaleLocks } from './locks.ts';
import { findNested, mendLink, placeOf } from './nested.ts';
import { moveRefs, readRefs, type WorkstreamRefs } from './refs.ts';
import { git } from './run.ts';
import { chainSalvage } from './salvage.ts';
import { stageAll } from './stage.ts';
import { commitsSeen, findStrays, refsAt } from './strays.ts';
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
  previous: CheckpointState;
  /** Used for the first checkpoint; later ones keep the base of their chain. */
  base: string;
  /** Copied files, relative to the worktree: they enter no commit. */
  exclude: readonly string[];
};

export type Checkpoint = {
  commit: string;
  /** False if the tree is that of the checkpoint before. */
  changed: boolean;
  /** Where commits of the tool went that are no part of the branch. */
  salvaged: string | null;
  /** Branches other than the workstream's own on which the tool seems to have been. */
  strayRefs: string[];
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
 * Throws WORKTREE_FAILED, GIT_FAILED (also if a ref is not where `previous` says).
 * Takes no lock: the caller holds the lease, with no process of the tool alive; only its own refs move.
 */
export async function commitCheckpoint(request: CheckpointRequest): Promise<Checkpoint> {
  const { root, id, previous } = request;
  const worktree = await readyWorktree(root, id);
  if (worktree.path !== request.worktree)
    throw foreignWorktree(`${request.worktree} is not the worktree of ${id}`);
  await breakStaleLocks(worktree.commonDir, worktree.admin, id);
  const refs = await readRefs(root, id);
  const start = previous.tip ?? request.base;
  const replaced = await mendLink(worktree);
  const nested = await findNested(worktree, start);
  const tree = await stageAll(worktree, { exclude: request.exclude, nested, keep: start });
  const head = await headOf(worktree);
  const parent = head !== null && (await mayStay(worktree, head, start, request.exclude)) ? head : start;
  const { salvaged, strayRefs } = await keepStrays(request, worktree, refs, { head, parent, tree });
  const changed = tree !== (await treeOf(root, start));
  const message = checkpointMessage(request.subject, {
    workstream: id,
    run: request.run,
    attempt: request.attempt,
    task: request.digest,
    index: `${request.taskIndex}/${request.taskCount}`,
    previous: previous.tip,
    base: previous.base ?? request.base,
  });
  const commit = await commitTree(root, { tree, parents: [parent], message });
  const changes = [
    { ref: branchRef(id), from: refs.branch, to: commit },
    { ref: checkpointRef(id), from: previous.tip, to: commit },
  ];
  await moveRefs(root, worktree.commonDir, changes, { gitDir: worktree.admin, why: 'orch: checkpoint' });
  await endOperations(worktree);
  await attachHead(worktree);
  return { commit, changed, salvaged, strayRefs, nested, kept: replaced };
}

/** True if the tool's commits up to `head` may become part of the branch. */
async function mayStay(
  worktree: Worktree,
  head: string,
  start: string,
  exclude: readonly string[],
): Promise<boolean> {
  if (head === start) return true;
  const ref = await headRef(worktree);
  if (ref !== null && ref !== branchRef(worktree.id)) return false;
  const place = placeOf(worktree);
  const ancestor = ['merge-base', '--is-ancestor', start, head];
  if ((await git(worktree.path, ancestor, { ...place, answers: [1] })).code === 1) return false;
  if (exclude.length === 0) return true;
  // History counts, not the difference: a copied secret that was committed and removed again is still in it.
  const touching = ['rev-list', '--max-count=1', '--full-history', `${start}..${head}`, '--', ...exclude];
  return (await git(worktree.path, ['--literal-pathspecs', ...touching], place)).stdout === '';
}

async function keepStrays(
  request: CheckpointRequest,
  worktree: Worktree,
  refs: WorkstreamRefs,
  at: { head: string | null; parent: string; tree: string },
): Promise<{ salvaged: string | null; strayRefs: string[] }> {
  const { root, id, attempt, previous } = request;
  const seen = await commitsSeen(worktree.commonDir, id, worktree);
  const candidates = [at.head, refs.branch, ...seen].filter((commit) => typeof commit === 'string');
  const salvages = refs.salvages.map(({ commit }) => commit);
  const bases = [request.base, previous.base].filter((commit) => typeof commit === 'string');
  const { heads, all } = await findStrays(root, candidates, [at.parent, ...bases, ...salvages]);
  const on = await headRef(worktree);
  const elsewhere = on !== null && on !== branchRef(id) ? [on] : [];
  const strayRefs = [...new Set([...elsewhere, ...(await refsAt(root, id, all))])];
  if (heads.length === 0) return { salvaged: null, strayRefs };
  const why = 'commits that are no part of the branch';
  const tree = at.head === null ? at.tree : await treeOf(root, at.head);
  const parents = [...heads];
  const salvaged = await chainSalvage({ root, id, attempt, why, tree, parents }, worktree.commonDir, refs);
  return { salvaged, strayRefs };
}
