import type { FrozenPlan } from '../protocol/plan.ts';
import { isFinal } from '../protocol/status.ts';
import { readRecord } from './records.ts';
import { isHeld } from './signs.ts';

/**
 * True while an orchestrator is needed: something in the plan is not final, or has no record that can be read,
 * and launches are not forbidden.
 */
export function isWorkLeft(root: string, plan: FrozenPlan | null): boolean {
  if (plan === null || isHeld(root)) return false;
  return plan.workstreams.some(({ id }) => {
    const read = readRecord(root, id);
    if (read.kind === 'record') return !isFinal(read.record, plan.options.restart);
    return read.kind !== 'foreign';
  });
}
