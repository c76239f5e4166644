import { leftToBegin } from '../protocol/anew.ts';
import type { FrozenPlan } from '../protocol/plan.ts';
import { isFinal } from '../protocol/status.ts';
import { readRecord } from './records.ts';
import { isHeld } from './signs.ts';

/**
 * True while an orchestrator is needed: something in the plan is not final, or is to begin anew, or has no record
 * that can be read, and launches are not forbidden.
 */
export function isWorkLeft(root: string, plan: FrozenPlan | null): boolean {
  if (plan === null || isHeld(root, plan)) return false;
  return plan.workstreams.some((planned) => {
    const read = readRecord(root, planned.id);
    if (read.kind !== 'record') return read.kind !== 'foreign';
    const { record } = read;
    return !isFinal(record, plan.options.restart) || leftToBegin(plan.run, planned, record) !== null;
  });
}
