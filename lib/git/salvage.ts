import { messageOf, OrchError } from '../errors.ts';
import { salvageRef } from '../protocol/layout.ts';
import { type Found, findWorktree, foreignWorktree } from './admin.ts';
import { capture } from './capture.ts';
import { commitTree, treeOf } from './commit.ts';
import { headOf } from './head.ts';
import { breakStaleLocks } from './locks.ts';
import { moveRefs, readRefs, type WorkstreamRefs } from './refs.ts';
import { commonDirOf } from './repository.ts';
import { git } from './run.ts';
import { commitsSeen, findStrays } from './strays.ts';

export type SalvageRequest = {
  root: string;
  id: string;
  /** The attempt that left it behind. */
  attempt: number;
  /** For the commit message. */
  why: string;
  /** Copied files, besides those that the worktree was prepared with: they enter no commit. */
  exclude?: readonly string[];
  /** Where the workstream started; needed only where neither a checkpoint nor a worktree tells. */
  base?: string;
  /** Keeps the checkpoints as well, because their ref is about to go. */
  abandon?: boolean;
  /** Looks at no file, runs no filter and breaks no lock: processes of the attempt may still live. */
  commitsOnly?: boolean;
};

/**
 * Keeps what the workstream's worktree and branch hold beyond the last checkpoint: changed, deleted and
 * untracked files, what was only staged, and commits that HEAD, the branch or a reflog names. Returns the
 * commit on `refs/orch/salvage/<id>/<attempt>`, or null if there is nothing. Reads the worktree, changes
 * nothing in it. Ignored and copied files are not kept; nested repositories are not either, but stay where
 * they are. Durable when it returns. Throws SALVAGE_FAILED: then nothing may be cleaned.
 * Takes no lock: the caller holds the lease, with no process of it alive; only its own refs move.
 */
export async function salvage(request: SalvageRequest): Promise<string | null> {
  const { root, id } = request;
  try {
    const commonDir = await commonDirOf(root);
    const found = await findWorktree(root, commonDir, id);
    if (found.kind === 'foreign') throw foreignWorktree(found.why);
    const worktree = found.kind === 'ready' ? found.worktree : null;
    if (request.commitsOnly !== true) await breakStaleLocks(commonDir, worktree?.admin ?? null, id);
    return await salvageFound(request, commonDir, found);
  } catch (cause) {
    throw new OrchError('SALVAGE_FAILED', `what ${id} left behind could not be kept: ${messageOf(cause)}`, {
      hint:
        (cause instanceof OrchError ? cause.hint : null) ?? 'Nothing was removed. Mend that, then run again.',
      cause,
    });
  }
}

/** The highest attempt with a salvage ref, 0 if there is none. */
export async function highestAttempt(root: string, id: string): Promise<number> {
  return (await readRefs(root, id)).salvages.at(-1)?.attempt ?? 0;
}

/** Puts a commit with this tree and these parents, and all earlier salvage as one more, on the salvage ref. */
export async function chainSalvage(
  request: {
    root: string;
    id: string;
    attempt: number;
    why: string;
    tree: string;
    parents: readonly string[];
  },
  commonDir: string,
  refs: WorkstreamRefs,
): Promise<string> {
  const { root, id, attempt, why, tree, parents } = request;
  const here = refs.salvages.find((one) => one.attempt === attempt)?.commit ?? null;
  const highest = refs.salvages.at(-1)?.commit;
  const [first, ...rest] = parents;
  const earlier = [highest, here].filter((commit) => typeof commit === 'string');
  const commit = await commitTree(root, {
    tree,
    parents: [...(first === undefined ? [] : [first]), ...earlier, ...rest],
    message: `Salvage of ${id}, attempt ${attempt}: ${why.replaceAll(/\s+/g, ' ').slice(0, 200)}\n`,
  });
  const ref = salvageRef(id, attempt);
  await moveRefs(root, commonDir, [{ ref, from: here, to: commit }], { why: 'orch: salvage' });
  return commit;
}

async function salvageFound(
  request: SalvageRequest,
  commonDir: string,
  found: Found,
): Promise<string | null> {
  const { root, id, attempt } = request;
  const refs = await readRefs(root, id);
  const ready = found.kind === 'ready' ? found : null;
  const start = refs.checkpoint ?? ready?.marker.base ?? request.base ?? null;
  const exclude = [...(ready?.marker.exclude ?? []), ...(request.exclude ?? [])];
  const head = ready ? await headOf(ready.worktree) : null;
  const files =
    ready?.folder && request.commitsOnly !== true
      ? await capture(ready.worktree, { exclude, keep: start })
      : null;
  const seen = await commitsSeen(commonDir, id, ready?.worktree ?? null);
  const candidates = [head, refs.branch, refs.checkpoint, ...(files?.heads ?? []), ...seen];
  const { heads } = await findStrays(
    root,
    candidates.filter((commit) => typeof commit === 'string'),
    keptCommits(request, refs, ready?.marker.base ?? null),
  );
  const reference = head ?? start;
  const clean = reference === null ? null : await treeOf(root, reference);
  const dirty = files !== null && files.tree !== clean;
  const staged = files?.staged && files.staged !== clean && files.staged !== files.tree ? files.staged : null;
  if (!dirty && staged === null && heads.length === 0) return null;
  const tree = dirty ? files.tree : await treeOf(root, head ?? heads[0] ?? start ?? 'HEAD');
  const before = refs.salvages.find((one) => one.attempt === attempt)?.commit;
  // Killed after it was salvaged and before it was cleaned: the same again needs no second commit.
  if (before && heads.length === 0 && (await holds(root, before, tree, staged))) return before;
  const parents = [...(head === null ? [] : [head]), ...heads];
  if (staged !== null) {
    const message = `Staged in the worktree of ${id}\n`;
    parents.push(await commitTree(root, { tree: staged, parents: head === null ? [] : [head], message }));
  }
  return await chainSalvage({ ...request, tree, parents }, commonDir, refs);
}

/** Commits that stay reachable by themselves. */
function keptCommits(request: SalvageRequest, refs: WorkstreamRefs, prepared: string | null): string[] {
  const tip = request.abandon ? null : refs.checkpoint;
  const commits = [tip, prepared, request.base, ...refs.salvages.map(({ commit }) => commit)];
  return commits.filter((commit) => typeof commit === 'string');
}

async function holds(root: string, salvaged: string, tree: string, staged: string | null): Promise<boolean> {
  if ((await treeOf(root, salvaged)) !== tree) return false;
  if (staged === null) return true;
  const args = ['rev-list', '--no-walk', '--no-commit-header', '--format=%T', `${salvaged}^@`];
  return (await git(root, args)).stdout.split('\n').includes(staged);
}
