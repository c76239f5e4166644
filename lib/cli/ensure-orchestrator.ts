import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import { builtFile } from '../executors/launch.ts';
import { identify, judge } from '../process/identity.ts';
import { orchestratorLogPath } from '../protocol/layout.ts';
import type { Identity } from '../protocol/status.ts';
import type { Actor } from '../store/events.ts';
import { readPlan } from '../store/plans.ts';
import { currentOrchestrator, hasRole, type Orchestrator } from '../store/role.ts';
import { startSuccessor } from '../store/successor.ts';
import { isWorkLeft } from '../store/work-left.ts';
import { orchestratorEnvironment } from '../tools/environment.ts';

type Start = { pid: number; identity: Identity | null; at: number; count: number };
const starts = new Map<string, Start>();
const SETTLE_MS = 5_000;
const STARTS_MAX = 5;

/**
 * Starts the background orchestrator where none lives and (`always`, or) work is left. One that keeps dying is
 * not started for ever.
 * @throws OrchError START_FAILED with the place of its log.
 */
export async function ensureOrchestrator(root: string, always: boolean): Promise<void> {
  const current = await currentOrchestrator(root);
  if (current !== null && current.alive !== false) return;
  if (!always && !isWorkLeft(root, readPlan(root))) return;
  if (await isStarting(root, current)) return;
  const { at, count } = starts.get(root) ?? { at: Number.NEGATIVE_INFINITY, count: 0 };
  // What made it end at once may pass.
  if (performance.now() - at < SETTLE_MS) return;
  if (count >= STARTS_MAX) {
    const hint = `Look at ${orchestratorLogPath(root)}.`;
    throw new OrchError('START_FAILED', `the background orchestrator ended ${count} times in a row`, {
      hint,
    });
  }
  const actor: Actor = { role: 'launch', pid: process.pid };
  const env = orchestratorEnvironment(process.env);
  const pid = await startSuccessor(root, actor, { script: builtFile('orch.js'), env });
  starts.set(root, { pid, identity: await identify(pid, ''), at: performance.now(), count: count + 1 });
}

/** True while the orchestrator that this process started lives and has not written its name, however long that takes. */
async function isStarting(root: string, current: Orchestrator | null): Promise<boolean> {
  const started = starts.get(root);
  if (started === undefined || started.identity === null || current?.pid === started.pid) return false;
  return (await judge(started.pid, started.identity)) !== 'dead';
}

/** True while the orchestrator that this process started is at work, or has not written its name yet. */
export async function isStartedAtWork(root: string): Promise<boolean> {
  const started = starts.get(root);
  if (started === undefined) return false;
  const current = await currentOrchestrator(root);
  if (current?.pid === started.pid) return current.alive === true;
  return isStarting(root, current);
}

const RESIGN_BOUND_MS = 60_000;
const LOOK_MS = 50;

/** Waits until the orchestrator has cleaned up, resigned and let go of its role, or died; at most a minute. */
export async function untilResigned(root: string, signal: AbortSignal): Promise<void> {
  const bound = performance.now() + RESIGN_BOUND_MS;
  while (!signal.aborted && performance.now() < bound) {
    const current = await currentOrchestrator(root);
    const isAtIt = current !== null && (current.alive === true || (await hasRole(root, current)));
    if (!isAtIt && !(await isStarting(root, current))) return;
    await sleep(LOOK_MS);
  }
}
