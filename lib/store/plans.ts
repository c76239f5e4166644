import { OrchError } from '../errors.ts';
import { isFrozenPlan } from '../protocol/frozen-plan.ts';
import { planPath } from '../protocol/layout.ts';
import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import { writeDurably } from './durable.ts';
import { readDamaged } from './open.ts';

const PLAN_MAX_BYTES = 64 * 1024 * 1024;

/** Freezes a plan; the caller holds the orchestrator's lock. */
export async function writePlan(root: string, plan: FrozenPlan): Promise<void> {
  await writeDurably(planPath(root), `${JSON.stringify(plan)}\n`);
}

/**
 * The frozen plan, or null if nothing was ever launched here.
 * @throws OrchError IO where it is there and cannot be read, PLAN_INVALID where it makes no sense.
 */
export function readPlan(root: string): FrozenPlan | null {
  const path = planPath(root);
  const file = readDamaged(path, PLAN_MAX_BYTES);
  if (file === null) return null;
  const hint = 'Run `orch launch` with your plan again: finished work is kept.';
  if ('why' in file) throw new OrchError('PLAN_INVALID', `${path} is no frozen plan: ${file.why}`, { hint });
  let value: unknown;
  try {
    value = JSON.parse(file.text);
  } catch (cause) {
    throw new OrchError('PLAN_INVALID', `${path} is not JSON`, { hint, cause });
  }
  if (!isFrozenPlan(value)) {
    throw new OrchError('PLAN_INVALID', `${path} is not a frozen plan of this version of orch`, { hint });
  }
  return value;
}

/**
 * The plan that work is launched by. A damaged one is as none: what runs goes on and what died is settled, but
 * nothing begins until another launch writes it anew.
 * @throws OrchError IO where it is there and cannot be read.
 */
export function planInForce(root: string): FrozenPlan | null {
  try {
    return readPlan(root);
  } catch (error) {
    if (error instanceof OrchError && error.code === 'PLAN_INVALID') return null;
    throw error;
  }
}

/** The workstream `id` of a plan, or null. */
export function plannedWorkstream(plan: FrozenPlan | null, id: string): PlannedWorkstream | null {
  return plan?.workstreams.find((workstream) => workstream.id === id) ?? null;
}
