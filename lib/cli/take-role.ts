import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import type { Actor } from '../store/events.ts';
import { planInForce } from '../store/plans.ts';
import { currentOrchestrator, type Role, takeRole } from '../store/role.ts';
import { isWorkLeft } from '../store/work-left.ts';

const BUSY_MS = 2_000;
const LEAVING_MS = 30_000;
const LOOK_MS = 100;

/**
 * Takes the role for a command of a person. Whoever has it while work is left keeps it: that is told after 2 s. Where
 * none is left, as after `orch wait`, the orchestrator is about to end: that is waited for, at most 30 s.
 * @throws OrchError BUSY.
 */
export async function takeRoleSoon(root: string, actor: Actor): Promise<Role> {
  const bound = performance.now() + LEAVING_MS;
  for (;;) {
    try {
      return await takeRole(root, actor, BUSY_MS);
    } catch (error) {
      const isBusy = error instanceof OrchError && error.code === 'BUSY';
      if (!isBusy || performance.now() > bound || !(await isLeaving(root))) throw error;
    }
    await sleep(LOOK_MS);
  }
}

/** False where nobody can tell: an orchestrator on another host, or none that is named. */
async function isLeaving(root: string): Promise<boolean> {
  const plan = planInForce(root);
  if (plan === null || isWorkLeft(root, plan)) return false;
  const orchestrator = await currentOrchestrator(root);
  return orchestrator !== null && orchestrator.alive !== null;
}
