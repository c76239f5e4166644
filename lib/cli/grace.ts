import { OrchError } from '../errors.ts';
import { DEFAULT_OPTIONS } from '../protocol/plan.ts';
import { planInForce } from '../store/plans.ts';

/** The grace that the plan in force was launched with; a plan that cannot be read must not hinder a stop. */
export function graceOf(root: string): number {
  try {
    return planInForce(root)?.options.stopGraceMs ?? DEFAULT_OPTIONS.stopGraceMs;
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    return DEFAULT_OPTIONS.stopGraceMs;
  }
}
