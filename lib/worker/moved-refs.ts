import { readyWorktree, type Worktree } from '../git/admin.ts';
import { type MovedRef, settleRefs, type TellRefs } from '../git/moved-refs.ts';
import { noteRefs } from '../git/refs-note.ts';
import { salvageRef } from '../protocol/layout.ts';
import type { Reason } from '../protocol/status.ts';
import { cutText, escapeControls } from '../protocol/text.ts';
import { type Actor, audit, recordHistory } from '../store/events.ts';
import type { Attempt } from './attempt.ts';

/**
 * What follows from refs outside of the branch that changed while a command ran: history, events and the log name
 * them, and the record where somebody may miss what was there. Nothing is moved back: it may be the user's own doing.
 */

const IN_HISTORY = 1_000;
const IN_EVENT = 100;

const places = new WeakMap<Attempt, Worktree>();
const seen = new WeakMap<Attempt, MovedRef[]>();

/** Runs a command of the plan, and afterwards keeps and tells what became of refs meanwhile. */
export async function watchingRefs<T>(attempt: Attempt, command: () => Promise<T>): Promise<T> {
  const { root, number, workstream } = attempt;
  const worktree = places.get(attempt) ?? (await readyWorktree(root, workstream.id));
  places.set(attempt, worktree);
  const before = await noteRefs(worktree);
  const result = await command();
  // The next attempt is at work in the same place: the note there may be its own.
  if (attempt.life.interruption()?.cause === 'lease_lost') return result;
  await settleRefs(worktree, { attempt: number, before }, tellOf(attempt));
  return result;
}

/** Tells of them for a live worker; its record says so at the end. */
export function tellOf(attempt: Attempt): TellRefs {
  return (moved, commit) => {
    seen.set(attempt, [...(seen.get(attempt) ?? []), ...moved.filter(({ matters }) => matters)]);
    tellRefs(attempt.root, attempt.workstream.id, attempt, moved, commit);
  };
}

/** Tells of them in the history, the events, and on stderr. */
export function tellRefs(
  root: string,
  id: string,
  { number, actor }: { number: number; actor: Actor },
  found: readonly MovedRef[],
  commit: string | null,
): void {
  const moved = found.toSorted((a, b) => Number(b.matters) - Number(a.matters));
  const kept = commit === null ? '' : `; what no branch reaches is kept in ${commit.slice(0, 12)}`;
  const why = `${textOf(moved)}${kept}`;
  process.stderr.write(`orch: ${why}\n`);
  const refs = moved.map(({ ref, from, to }) => ({ ref: cutText(ref, 1_024), from, to }));
  const told = { attempt: number, commit, refs_total: refs.length };
  recordHistory(root, id, { entry: 'refs_moved', ...told, refs: refs.slice(0, IN_HISTORY) });
  audit(root, actor, { event: 'refs_moved', workstream: id, why, ...told, refs: refs.slice(0, IN_EVENT) });
}

/** The reason of a workstream that is done all the same, or null where nothing that was there may be missed. */
export function refsReason(attempt: Attempt): Reason | null {
  const moved = seen.get(attempt) ?? [];
  const [first] = moved;
  if (first === undefined) return null;
  const { workstream, number } = attempt;
  const see = `git log -p ${salvageRef(workstream.id, number)}`;
  const hint = `It may have been somebody else. \`orch logs ${workstream.id} --stderr\` has the old commits; what no branch reaches is in \`${see}\`.`;
  return { code: 'refs_moved', message: textOf(moved), hint };
}

function textOf(moved: readonly MovedRef[]): string {
  const names = moved.slice(0, 5).map(phraseOf);
  const more = moved.length > names.length ? ` and ${moved.length - names.length} more` : '';
  return `while a tool ran, refs outside its branch changed: ${names.join(', ')}${more}`;
}

function phraseOf({ ref, from, to }: MovedRef): string {
  const name = escapeControls(cutText(ref.replace(/^refs\/(?:heads\/|(?=stash$))/, ''), 100));
  if (from === null) return `${name} new (${to?.slice(0, 12)})`;
  return to === null
    ? `${name} deleted (was ${from.slice(0, 12)})`
    : `${name} moved from ${from.slice(0, 12)} to ${to.slice(0, 12)}`;
}
