import { OrchError } from '../errors.ts';
import { knownIds, type StatusList } from '../orchestrate/poll.ts';
import { nearNames } from '../protocol/near.ts';
import { readPlan } from '../store/plans.ts';

/** The refusal of an id that neither a plan nor a record names. */
export function noWorkstream(id: string, known: readonly string[]): OrchError {
  const near = nearNames(id, known);
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

/**
 * Makes sure that the workstreams are named, or meant by `option`, and not both: one of them would be passed over.
 * @throws OrchError USAGE.
 */
export function refuseUnclear(ids: readonly string[] | undefined, option: string, isGiven: boolean): void {
  const isNamed = (ids ?? []).length > 0;
  if (isNamed !== isGiven) return;
  const message = isNamed ? `${option} does not go with names of workstreams` : 'which workstreams?';
  const hint = isNamed ? `Leave one of them away: the names, or ${option}.` : `Name them, or use ${option}.`;
  throw new OrchError('USAGE', message, { hint });
}
