import { messageOf, OrchError } from '../errors.ts';
import { type Found, findWorktree, foreignWorktree } from './admin.ts';
import { capture } from './capture.ts';
import { commitTree, treeOf } from './commit.ts';
import { headOf } from './head.ts';
import { breakStaleLocks } from './locks.ts';
import { movedSinceNoted, type TellRefs } from './moved-refs.ts';
import { readRefs, type WorkstreamRefs } from './refs.ts';
import { forgetRefs, writeNote } from './refs-note.ts';
import { commonDirOf } from './repository.ts';
import { git } from './run.ts';
import { chainSalvage } from './salvage-ref.ts';
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
  /**
   * Told of refs that moved while a command ran whose worker was killed; without it they are kept, and told of by the
   * next who asks.
   */
  tellRefs?: TellRefs;
};

/**
 * Keeps what the workstream's worktree and branch hold beyond the last checkpoint: changed, deleted and
 * untracked files, what was only staged, commits that HEAD, the branch or a reflog names, and what was lost by refs
 * that moved while a command ran whose worker was killed. Returns the commit on
 * `refs/orch/salvage/<id>/<attempt>`, or null if there is nothing. Reads the worktree, changes nothing in it.
 * Ignored and copied files are not kept; nested repositories are not either, but stay where they are.
 * Durable when it returns. Throws SALVAGE_FAILED: then nothing may be cleaned.
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
    const refs = worktree === null ? null : await movedSinceNoted(worktree);
    const commit = await salvageFound(request, commonDir, found, refs?.loose ?? []);
    if (worktree !== null && refs !== null && request.tellRefs !== undefined) {
      if (refs.moved.length > 0) request.tellRefs(refs.moved, refs.loose.length > 0 ? commit : null);
      // Of a tool that still lives there may be more to come.
      await (request.commitsOnly ? writeNote(worktree, refs.note) : forgetRefs(worktree));
    }
    return commit;
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

async function salvageFound(
  request: SalvageRequest,
  commonDir: string,
  found: Found,
  loose: readonly string[],
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
  const candidates = [head, refs.branch, refs.checkpoint, ...(files?.heads ?? []), ...loose, ...seen];
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
