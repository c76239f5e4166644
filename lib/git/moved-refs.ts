import { branchRef } from '../protocol/layout.ts';
import type { Worktree } from './admin.ts';
import { treeOf } from './commit.ts';
import { readRefs } from './refs.ts';
import { forgetRefs, lookAtRefs, type RefsNote, readNote, STASH } from './refs-note.ts';
import { git } from './run.ts';
import { chainSalvage } from './salvage-ref.ts';
import { findStrays } from './strays.ts';

/**
 * Refs outside of a workstream's branch, before and after a command of it: what is deleted, moved or new. Whose act it
 * was cannot be seen, since the user and other workers are at the same refs; so orch tells of it, keeps what nothing
 * else reaches any more, and moves nothing back. `refs/orch/` and branches of other workstreams are left out: orch
 * moves those itself.
 */

/** null: not there. Both never are. */
export type MovedRef = {
  ref: string;
  from: string | null;
  to: string | null;
  /** Somebody may miss what was there: deleted, moved other than forward, or a change of the stash. */
  matters: boolean;
};

/** `loose`: what neither a branch nor `refs/orch/` reaches, and one of these refs did or does. `note`: how it is now. */
export type MovedRefs = { moved: MovedRef[]; loose: string[]; note: RefsNote };

/** Told of before the note goes: killed in between, it is told again. `commit` holds what is loose. */
export type TellRefs = (moved: readonly MovedRef[], commit: string | null) => void;

/** Beyond so many it is not looked at whether a ref moved forward. */
const LOOKED_AT = 20;

/**
 * After a command: finds what moved since `before`, puts what is loose on the salvage ref of `attempt`, tells, and
 * removes the note. @throws OrchError GIT_FAILED; then the note stays.
 */
export async function settleRefs(
  worktree: Worktree,
  { attempt, before }: { attempt: number; before: RefsNote },
  tell: TellRefs,
): Promise<void> {
  const { moved, loose } = await movedSince(worktree, before);
  if (moved.length > 0) tell(moved, await keepLoose(worktree, attempt, loose));
  await forgetRefs(worktree);
}

async function keepLoose(worktree: Worktree, attempt: number, loose: string[]): Promise<string | null> {
  const [first] = loose;
  if (first === undefined) return null;
  const { root, id, commonDir } = worktree;
  const why = 'commits of refs that changed while a tool ran';
  const tree = await treeOf(root, first);
  return await chainSalvage(
    { root, id, attempt, why, tree, parents: loose },
    commonDir,
    await readRefs(root, id),
  );
}

/** What moved since a command began whose worker was killed; null where none was cut off. */
export async function movedSinceNoted(worktree: Worktree): Promise<MovedRefs | null> {
  const note = await readNote(worktree);
  return note === null ? null : await movedSince(worktree, note);
}

async function movedSince(worktree: Worktree, before: RefsNote): Promise<MovedRefs> {
  const { note: now, all } = await lookAtRefs(worktree);
  const own = branchRef(worktree.id);
  const started = before.get(own);
  const note = started === undefined ? now : new Map([...now, [own, started]]);
  const moved: MovedRef[] = [];
  for (const name of new Set([...before.keys(), ...now.keys()])) {
    const [from, to] = [before.get(name) ?? null, now.get(name) ?? null];
    if (name === own || from === to) continue;
    moved.push({ ref: name.split(' ')[0] ?? name, from, to, matters: true });
  }
  if (moved.length === 0) return { moved, loose: [], note };
  // Its own branch is orch's to reset: only what it stood at before the command is kept by it.
  const kept = [...all].filter(([name]) => KEEPS.test(name) && name !== own).map(([, id]) => id);
  const candidates = moved.flatMap(({ from, to }) => [from, to]).filter((id) => id !== null);
  const { heads } = await findStrays(
    worktree.root,
    candidates,
    started === undefined ? kept : [...kept, started],
  );
  await judge(worktree, moved);
  return { moved, loose: heads, note };
}

/** Refs that nobody drops by the way, as a stash or a tag is. */
const KEEPS = /^refs\/(?:heads|remotes|orch)\//;

async function judge({ root }: Worktree, moved: readonly MovedRef[]): Promise<void> {
  let looked = 0;
  for (const one of moved) {
    const { ref, from, to } = one;
    if (ref === STASH) continue;
    if (from === null || ref.startsWith('refs/remotes/')) one.matters = false;
    else if (to !== null && looked < LOOKED_AT) {
      looked += 1;
      // 128: one of them is no commit, or not there any more.
      const { code } = await git(root, ['merge-base', '--is-ancestor', from, to], { answers: [1, 128] });
      one.matters = code !== 0;
    }
  }
}
