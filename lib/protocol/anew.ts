import type { Anew, PlannedWorkstream } from './plan.ts';
import { isAliveState, type StatusRecord } from './status.ts';

/**
 * What the launch of plan `run` was to do with a record and did not come to, since it was cut off; null where nothing
 * is left to do. A record that anybody has written since (a person stopped it) is not the one that the launch saw.
 */
export function leftToBegin(
  run: string | null,
  planned: PlannedWorkstream | null,
  record: StatusRecord,
): Anew | null {
  const anew = planned?.anew ?? null;
  if (anew === null || record.run === run || isAliveState(record)) return null;
  return anew.seen === record.last_update ? anew : null;
}
