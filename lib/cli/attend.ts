import { orchestrate, PERMISSIONS } from '../orchestrate/loop.ts';
import { makeNewsFeed } from '../orchestrate/news.ts';
import { newMemory } from '../orchestrate/observe.ts';
import type { StatusList } from '../orchestrate/poll.ts';
import type { FrozenPlan } from '../protocol/plan.ts';
import { isAliveState } from '../protocol/status.ts';
import type { Actor } from '../store/events.ts';
import { readRecord } from '../store/records.ts';
import type { Role } from '../store/role.ts';
import { tolerateLog } from '../store/tolerate-log.ts';
import { followOnScreen } from './follow-on-screen.ts';
import { stopWorkstream } from './stop-workstream.ts';

export type Attended = { end: 'final' | 'interrupted'; list: StatusList };

type Options = { json: boolean; quiet: boolean; color?: boolean; tick?: (list: StatusList) => Promise<void> };

/** Orchestrates and shows progress until all is final, or until a signal has stopped the workers. */
export async function attend(
  root: string,
  plan: FrozenPlan,
  role: Role,
  options: Options,
): Promise<Attended> {
  // A terminal that hangs up, or a reader that has gone, costs the words, not the work.
  process.stdout.removeAllListeners('error');
  process.stderr.removeAllListeners('error');
  tolerateLog();
  const actor: Actor = { role: 'run', pid: process.pid };
  const leave = new AbortController();
  const stopped = onInterrupt(root, plan, actor, leave);
  const news = makeNewsFeed();
  const permissions = PERMISSIONS.orchestrate;
  const memory = newMemory();
  const loop = orchestrate({ root, permissions, mode: 'attached', actor, memory, news }, role, leave.signal);
  const ids = plan.workstreams.map(({ id }) => id);
  // A view stays until the workers have stopped, and shows how they do.
  const over = new AbortController();
  const shown = followOnScreen(root, {
    ...options,
    ids,
    news,
    signal: leave.signal,
    viewSignal: over.signal,
    attached: true,
  });
  // Whichever fails ends the other.
  const fail = (error: unknown): never => {
    leave.abort();
    over.abort();
    throw error;
  };
  const ended = loop.then(async () => {
    if (stopped.asked) await stopped.stopAll();
    // What it shows of a run that ends by itself, it ends by itself.
    if (stopped.asked) over.abort();
  });
  const [{ list }] = await Promise.all([shown.catch(fail), ended.catch(fail)]);
  if (!stopped.asked) return { end: 'final', list };
  // Once more: one may have been on its way when the others were stopped.
  await stopped.stopAll();
  await role.resign();
  return { end: 'interrupted', list };
}

type Interruption = { asked: boolean; stopAll: () => Promise<void> };

/**
 * The first Ctrl+C, SIGTERM or hang-up stops the workers within the grace, a second Ctrl+C or SIGTERM at once; all are
 * a person's word. A hang-up comes twice, from the kernel and from the shell, and means no hurry.
 */
function onInterrupt(root: string, plan: FrozenPlan, actor: Actor, leave: AbortController): Interruption {
  const running: Promise<void>[] = [];
  const stopLive = async (graceMs: number): Promise<void> => {
    const live = plan.workstreams.filter(({ id }) => {
      const read = readRecord(root, id);
      return read.kind === 'record' && isAliveState(read.record);
    });
    await Promise.all(live.map(({ id }) => stopWorkstream(root, id, { graceMs, presumeDead: false, actor })));
  };
  const stopAll = async (): Promise<void> => {
    await Promise.all(running);
    await stopLive(plan.options.stopGraceMs);
  };
  const state: Interruption = { asked: false, stopAll };
  const stop = (graceMs: number): void => {
    state.asked = true;
    // Nothing is launched any more from here on.
    leave.abort();
    const stopping = stopLive(graceMs);
    // Its failure is met where all are awaited.
    stopping.catch(() => undefined);
    running.push(stopping);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!state.asked) {
        process.stderr.write('orch: stopping at the next safe point; Ctrl+C again stops at once\n');
        stop(plan.options.stopGraceMs);
      } else if (signal !== 'SIGHUP') stop(0);
    });
  }
  return state;
}
