import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import { newMemory, type Observation, observe } from '../orchestrate/observe.ts';
import { recordOf, type View } from '../orchestrate/world.ts';
import { isAliveState } from '../protocol/status.ts';
import type { Actor } from '../store/events.ts';
import { planInForce } from '../store/plans.ts';
import { currentOrchestrator, type Role, takeRole } from '../store/role.ts';
import { isWorkLeft } from '../store/work-left.ts';

/**
 * What has ended is gone a moment later: a worker after its last word, an orchestrator once it has looked again. A
 * command that comes in between, such as the one behind `orch wait &&`, takes neither for somebody at work.
 */

const BUSY_MS = 2_000;
const ROLE_LEAVING_MS = 30_000;
const WORKER_LEAVING_MS = 15_000;
const LOOK_MS = 100;

/**
 * Takes the role for a command of a person. Whoever has it while work is left keeps it: that is told after 2 s. Where
 * none is left, as after `orch wait`, the orchestrator is about to end: that is waited for, at most 30 s.
 * @throws OrchError BUSY.
 */
export async function takeRoleSoon(root: string, actor: Actor): Promise<Role> {
  const bound = performance.now() + ROLE_LEAVING_MS;
  for (;;) {
    try {
      return await takeRole(root, actor, BUSY_MS);
    } catch (error) {
      const isBusy = error instanceof OrchError && error.code === 'BUSY';
      if (!isBusy || performance.now() > bound || !(await isOrchestratorLeaving(root))) throw error;
    }
    await sleep(LOOK_MS);
  }
}

/** False where nobody can tell: an orchestrator on another host, or none that is named. */
async function isOrchestratorLeaving(root: string): Promise<boolean> {
  const plan = planInForce(root);
  if (plan === null || isWorkLeft(root, plan)) return false;
  const orchestrator = await currentOrchestrator(root);
  return orchestrator !== null && orchestrator.alive !== null;
}

/** One look at everything. A worker of `which` that has had its last word is waited for, at most 15 s. */
export async function observeWithoutLeavers(
  root: string,
  which: readonly string[] | 'all',
): Promise<Observation> {
  const bound = performance.now() + WORKER_LEAVING_MS;
  for (;;) {
    const world = await observe(root, newMemory());
    const meant = world.views.filter(({ id }) => which === 'all' || which.includes(id));
    if (!meant.some(isWorkerLeaving) || performance.now() > bound) return world;
    await sleep(LOOK_MS);
  }
}

function isWorkerLeaving(view: View): boolean {
  const record = recordOf(view);
  if (record === null || view.liveWorker === null || isAliveState(record)) return false;
  return view.liveWorker.token === record.identity?.token;
}
