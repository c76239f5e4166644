import { OrchError } from '../errors.ts';
import { knownIds, type StatusList } from '../orchestrate/poll.ts';
import { readPlan } from '../store/plans.ts';

/** How many edits make `a` into `b`. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const SHOWN = 3;

/** The known ids that a person may have meant, nearest first. */
export function nearIds(id: string, known: readonly string[]): string[] {
  const wanted = id.toLowerCase().slice(0, 100);
  const scored = known.map((one) => {
    const name = one.toLowerCase();
    const part = wanted !== '' && (name.startsWith(wanted) || name.includes(wanted));
    return { one, score: part ? 0.5 : distance(wanted, name) };
  });
  const near = scored.filter(({ score, one }) => score <= Math.max(1, Math.floor(one.length / 4)));
  // Array.sort is stable: equals keep the order of the plan.
  return near
    .sort((a, b) => a.score - b.score)
    .slice(0, SHOWN)
    .map(({ one }) => one);
}

/** The refusal of an id that neither a plan nor a record names. */
export function noWorkstream(id: string, known: readonly string[]): OrchError {
  const near = nearIds(id, known);
  const hint =
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : '`orch status` lists those there are.';
  return new OrchError('NO_WORKSTREAM', `there is no workstream ${JSON.stringify(id)}`, { hint });
}

/**
 * Makes sure that a list shows something, and all that was asked for.
 * @throws OrchError NO_WORKSTREAM, NO_STATE where nothing was ever launched, or what is wrong with the plan.
 */
export function requireShown(list: StatusList, ids: readonly string[]): void {
  const shown = new Set(list.workstreams.map(({ workstream }) => workstream));
  const absent = ids.find((id) => !shown.has(id));
  if (shown.size === 0 && knownIds(list.root).length === 0) {
    // A plan that cannot be read is no proof that there was none: this throws what is wrong with it.
    readPlan(list.root);
    throw new OrchError('NO_STATE', `nothing was ever launched in ${list.root}`, {
      hint: 'Start with `orch launch PLAN`, or try `orch demo`.',
    });
  }
  if (absent !== undefined) throw noWorkstream(absent, knownIds(list.root));
}
