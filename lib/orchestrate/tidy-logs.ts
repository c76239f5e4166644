import { messageOf } from '../errors.ts';
import { eventsPath, logLockPath, logsLockPath, orchestratorLogPath } from '../protocol/layout.ts';
import { DEFAULT_LOG_LIMITS, type LogLimits } from '../protocol/log-parts.ts';
import { type Actor, audit } from '../store/events.ts';
import { mayBeHeld } from '../store/lock.ts';
import { type LogEntry, logEntries, surplusParts } from '../store/log-folder.ts';
import { givePartUp, moveAsideIfDue, rotateIfDue, settleIfCutOff, unlessHeld } from '../store/rotate.ts';
import { isPassing } from './act.ts';
import type { World } from './world.ts';

/** What keeps the folder of logs within its bounds where no worker does. */

/** How large logs may grow in the run at hand. */
const logLimitsOf = ({ plan }: Pick<World, 'plan'>): LogLimits => plan?.options.logs ?? DEFAULT_LOG_LIMITS;

/** True where somebody may still write: a live worker, what one left running, or what nobody can judge. And for the logs of foreign programs. */
function mayWrite({ byId }: Pick<World, 'byId'>, id: string): boolean {
  const view = byId.get(id);
  if (view === undefined) return false;
  // A program of somebody else says nothing of how it writes its log, nor how it names it.
  if (view.read.kind === 'foreign') return true;
  return view.liveWorker !== null || view.leftovers.length > 0 || (view.liveness ?? 'dead') !== 'dead';
}

/** True for the logs that orch itself opened: a program of somebody else need not append, and a cut would hurt it. */
function isOwn({ byId }: Pick<World, 'byId'>, id: string | null): boolean {
  const view = id === null ? undefined : byId.get(id);
  if (view === undefined) return false;
  return view.read.kind === 'record' || (view.planned !== null && view.read.kind !== 'foreign');
}

/** What is removed so that all logs together are within their bound. */
export function dueForTotal(world: World): LogEntry[] {
  return surplusParts(logEntries(world.root), logLimitsOf(world), (id) => mayWrite(world, id));
}

const lockOf = (root: string, id: string | null): string =>
  id === null ? logsLockPath(root) : logLockPath(root, id);

/** What rotations left that were cut off; those that somebody may be at are not among them. */
export async function cutOffRotations(root: string): Promise<LogEntry[]> {
  const open = logEntries(root).filter(({ isPrepared, partOf }) => isPrepared && partOf !== null);
  const held = await Promise.all(open.map(({ id }) => mayBeHeld(lockOf(root, id))));
  return open.filter((_, at) => held[at] === false);
}

/** Finishes or undoes one that was cut off. True if that was done. */
export async function settleRotation(root: string, { partOf, id }: LogEntry): Promise<boolean> {
  return partOf !== null && (await settleIfCutOff(partOf, lockOf(root, id)));
}

export const WHY_TOTAL = 'the logs together are larger than logs.max_total';

/**
 * Rotates the orchestrator's log and the audit trail, and the logs of workers that do not do it themselves: they are
 * dead, or stand still, and what they left goes on printing. Then it removes parts until all are within their bound.
 * Whoever else is at it, has it.
 */
async function tidyLogs(world: World, actor: Actor): Promise<void> {
  const { root } = world;
  const limits = logLimitsOf(world);
  const own = orchestratorLogPath(root);
  for (const rotation of await cutOffRotations(root)) await settleRotation(root, rotation);
  for (const { path, id, size, partOf, name } of logEntries(root)) {
    // A live worker rotates long before that.
    const isLarge =
      isOwn(world, id) && partOf === null && size > limits.maxBytes && /\.(log|err)$/.test(name);
    if (isLarge || path === own) tell(root, actor, id, await rotateIfDue(path, lockOf(root, id), limits));
  }
  tell(root, actor, null, await moveAsideIfDue(eventsPath(root), logsLockPath(root), limits));
  for (const entry of dueForTotal(world)) await removeSurplus(root, entry, actor);
}

/** Gives up one part. True if that was done. */
export async function removeSurplus(
  root: string,
  { path, partOf, id }: LogEntry,
  actor: Actor,
): Promise<boolean> {
  if (partOf === null) return false;
  const done = await unlessHeld(lockOf(root, id), async () => {
    givePartUp(path, partOf);
    return true;
  });
  if (done === null) return false;
  audit(root, actor, { event: 'remove', workstream: id, why: WHY_TOTAL, path });
  return true;
}

function tell(root: string, actor: Actor, id: string | null, rotated: { removed: string[] } | null): void {
  for (const path of rotated?.removed ?? []) {
    audit(root, actor, {
      event: 'remove',
      workstream: id,
      why: 'older than the parts of a log that are kept',
      path,
    });
  }
}

const TIDY_MS = 1_000;

/** As `tidyLogs`, at most once a second, for a loop: a fault that may pass is told and tried again. */
export function makeTidy(actor: Actor): (world: World) => Promise<void> {
  let tidiedAt = Number.NEGATIVE_INFINITY;
  return async (world) => {
    if (performance.now() - tidiedAt < TIDY_MS) return;
    tidiedAt = performance.now();
    try {
      await tidyLogs(world, actor);
    } catch (error) {
      if (!isPassing(error)) throw error;
      process.stderr.write(`orch: logs could not be kept within their bounds: ${messageOf(error)}\n`);
    }
  };
}
