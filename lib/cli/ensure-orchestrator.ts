import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import { builtFile } from '../executors/launch.ts';
import { startOrchestrator } from '../process/background.ts';
import { probe } from '../process/system.ts';
import { orchestratorLogPath } from '../protocol/layout.ts';
import { readPlan } from '../store/plans.ts';
import { currentOrchestrator, hasRole } from '../store/role.ts';
import { isWorkLeft } from '../store/work-left.ts';
import { orchestratorEnvironment } from '../tools/environment.ts';

const starts = new Map<string, { pid: number; at: number; count: number }>();
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
  const last = starts.get(root) ?? { pid: 0, at: Number.NEGATIVE_INFINITY, count: 0 };
  // The one that was just started needs a moment to write its name.
  if (performance.now() - last.at < SETTLE_MS) return;
  if (last.count >= STARTS_MAX) {
    const hint = `Look at ${orchestratorLogPath(root)}.`;
    throw new OrchError('START_FAILED', `the background orchestrator ended ${last.count} times in a row`, {
      hint,
    });
  }
  const pid = await startOrchestrator({
    script: builtFile('orch.js'),
    root,
    env: orchestratorEnvironment(process.env),
    logPath: orchestratorLogPath(root),
  });
  starts.set(root, { pid, at: performance.now(), count: last.count + 1 });
}

/** True while the orchestrator that this process started is at work, or has not written its name yet. */
export async function isStartedAtWork(root: string): Promise<boolean> {
  const started = starts.get(root);
  if (started === undefined) return false;
  const current = await currentOrchestrator(root);
  if (current?.pid === started.pid) return current.alive === true;
  return (await probe(started.pid)) !== 'gone';
}

const RESIGN_BOUND_MS = 60_000;
const LOOK_MS = 50;

/** Waits until the orchestrator has cleaned up, resigned and let go of its role, or died; at most a minute. */
export async function untilResigned(root: string, signal: AbortSignal): Promise<void> {
  const bound = performance.now() + RESIGN_BOUND_MS;
  const started = starts.get(root);
  while (!signal.aborted && performance.now() < bound) {
    const current = await currentOrchestrator(root);
    // Ours may not have written its name yet.
    const isOurs =
      started === undefined || current?.pid === started.pid || performance.now() - started.at > SETTLE_MS;
    const isAtIt = current !== null && (current.alive === true || (await hasRole(root, current)));
    if (isOurs && !isAtIt) return;
    await sleep(LOOK_MS);
  }
}
