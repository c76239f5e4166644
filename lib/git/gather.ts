import type { Worktree } from './admin.ts';
import type { Outside } from './border.ts';
import { treeOf } from './commit.ts';
import { findNested } from './nested.ts';
import { type Border, findOutside, findUndone, takeOut } from './outside.ts';
import { readRefs } from './refs.ts';
import { chainSalvage } from './salvage-ref.ts';
import { stageAll } from './stage.ts';
import { commitsSeen, findStrays } from './strays.ts';

/** What a tool left in a worktree, as far as a checkpoint can hold it. */
export type Work = {
  tree: string;
  /** Git repositories that the tool made in the worktree: left there, in no commit. */
  nested: string[];
  outside: Outside[];
  /** The tool's own commits must not become part of the branch: they changed what is outside the scope. */
  rewrite: boolean;
};

/** `takesOut`: changes outside are taken out of the files; else they are only told. */
export type Scope = { isInside: (path: string) => boolean; takesOut: boolean };

/**
 * The tree of all that is in the worktree, less what the scope does not let pass. `keep` is called with the whole
 * before the first file is changed. `history`: the tool's last commit, where the branch may hold it.
 */
export async function gather(
  worktree: Worktree,
  from: { start: string; history: string | null; exclude: readonly string[]; scope: Scope | undefined },
  keep: (tree: string) => Promise<void>,
): Promise<Work> {
  const { start, history, exclude, scope } = from;
  let nested: string[] = [];
  const stage = async (): Promise<string> => {
    nested = await findNested(worktree, start);
    return await stageAll(worktree, { exclude, nested, keep: start });
  };
  if (scope === undefined) {
    const tree = await stage();
    return { tree, nested, outside: [], rewrite: false };
  }
  const border: Border = { start, isInside: scope.isInside };
  const { tree, outside } = scope.takesOut
    ? await takeOut(worktree, border, { stage, keep })
    : await tellOutside(worktree, border, await stage());
  const told = new Set(outside.flatMap(({ path, from: source }) => [path, source]));
  const undone = history === null ? [] : await findUndone(worktree, history, border);
  const more = undone.filter(({ path }) => !told.has(path));
  const rewrite = scope.takesOut && undone.length > 0;
  return { tree, nested, outside: [...outside, ...more], rewrite };
}

async function tellOutside(
  worktree: Worktree,
  border: Border,
  tree: string,
): Promise<{ tree: string; outside: Outside[] }> {
  const { outside } = await findOutside(worktree, tree, border);
  return { tree, outside };
}

export type StrayRequest = { root: string; id: string; attempt: number; bases: readonly (string | null)[] };

/**
 * Puts commits that the tool made and that `parent` does not reach on the salvage ref; with `files` a commit of
 * `files` on top of them in any case. Returns the commit there, or null if there was nothing.
 */
export async function keepStrays(
  request: StrayRequest,
  worktree: Worktree,
  at: { head: string | null; parent: string; tree: string; files: string | null },
): Promise<string | null> {
  const { root, id, attempt, bases } = request;
  const refs = await readRefs(root, id);
  const isCommit = (commit: string | null): commit is string => commit !== null;
  const candidates = [at.head, refs.branch, ...(await commitsSeen(worktree.commonDir, id, worktree))];
  const kept = [at.parent, ...bases, ...refs.salvages.map(({ commit }) => commit)];
  const { heads } = await findStrays(root, candidates.filter(isCommit), kept.filter(isCommit));
  if (heads.length === 0 && at.files === null) return null;
  const why = at.files === null ? 'commits that are no part of the branch' : 'changes outside the scope';
  const tree = at.files ?? (at.head === null ? at.tree : await treeOf(root, at.head));
  const parents = at.files === null ? heads : [at.head ?? at.parent, ...heads];
  return await chainSalvage({ root, id, attempt, why, tree, parents }, worktree.commonDir, refs);
}
