import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import type { StatusRecord } from '../protocol/status.ts';
import type { Actor } from '../store/events.ts';
import { type Change, changeRecord, leaseOf } from '../store/records.ts';
import { withdrawStop } from '../store/signs.ts';

/**
 * Makes a record pending by a person's word, a launch or a retry: the next attempt is of the run of `plan`, and goes
 * from the last checkpoint or (`fresh`) from the base. Refused where `isSame` does not hold of what is there now.
 */
export async function beginAnew(
  root: string,
  plan: FrozenPlan,
  planned: PlannedWorkstream,
  record: StatusRecord,
  fresh: boolean,
  actor: Actor,
  isSame: (current: StatusRecord) => boolean = () => true,
): Promise<Change> {
  const { id, title, depends_on, definition, tasks } = planned;
  const progress = fresh ? `0/${tasks.length}` : record.progress;
  const again = { run: plan.run, title, depends_on, definition, progress, fresh };
  const event = { type: 'requeue', restarts: 0, reason: null, again } as const;
  const guard = async (current: StatusRecord): Promise<boolean> => {
    if (!isSame(current)) return false;
    await withdrawStop(root, id);
    return true;
  };
  return changeRecord(root, id, leaseOf(record), 'person', actor, event, guard);
}
