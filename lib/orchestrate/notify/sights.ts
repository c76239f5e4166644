import { leftToBegin } from '../../protocol/anew.ts';
import { isFinal } from '../../protocol/status.ts';
import type { StatusList } from '../poll.ts';
import { recordOf, type World } from '../world.ts';
import type { Sight } from './due.ts';

/** The workstreams of the plan in force, as the orchestrator's look shows them. */
export function sightsOfWorld(world: World): Sight[] {
  const limit = world.plan?.options.restart ?? 0;
  return world.views
    .filter(({ planned }) => planned !== null)
    .map((view) => {
      const record = recordOf(view);
      if (record === null)
        return { id: view.id, run: null, attempt: 0, state: 'missing', final: false, reason: null };
      const { run, attempt, reason } = record;
      const isUnknown = view.liveness === 'unknown';
      const state = isUnknown ? 'unknown' : record.status;
      const isLeft = leftToBegin(world.plan?.run ?? null, view.planned, record) !== null;
      const final = !isUnknown && !isLeft && isFinal(record, limit);
      return { id: view.id, run, attempt, state, final, reason };
    });
}

/** The same as `orch status` shows it. */
export function sightsOfList(list: StatusList): Sight[] {
  return list.workstreams
    .filter(({ planned }) => planned)
    .map(({ workstream, verdict, final, reason, ...fields }) => ({
      id: workstream,
      run: typeof fields['run'] === 'string' ? fields['run'] : null,
      attempt: typeof fields['attempt'] === 'number' ? fields['attempt'] : 0,
      state: verdict,
      final,
      reason,
    }));
}
