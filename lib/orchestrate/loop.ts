import { messageOf, OrchError } from '../errors.ts';
import type { News } from '../protocol/news.ts';
import type { Actor } from '../store/events.ts';
import type { Role } from '../store/role.ts';
import { watchStatus } from '../store/watch.ts';
import { act, type Done, isPassing } from './act.ts';
import { type Action, decide, isOpen } from './decide.ts';
import { listenTo, type NewsFeed } from './news.ts';
import { makeCourier } from './notify/courier.ts';
import { type Memory, newMemory, type Observation, observe } from './observe.ts';
import { makeTidy } from './tidy-logs.ts';
import type { Permissions, World } from './world.ts';

/** What the roles may do: one loop, other permissions. */
export const PERMISSIONS = {
  orchestrate: { launch: true, restart: true },
  once: { launch: false, restart: true },
  repair: { launch: false, restart: false },
} as const satisfies Record<string, Permissions>;

const TICK_MS = 2_000;
/** Looks cost time where there are many processes: at most about a tenth of this process's time goes there. */
const REST_FACTOR = 9;
const REST_MIN_MS = 50;

export type PassOptions = {
  root: string;
  permissions: Permissions;
  mode: 'attached' | 'detached';
  actor: Actor;
  memory: Memory;
  onDone?: (done: Done) => void;
  /** Where the news of attached workers goes, beside being a reason to look. */
  news?: NewsFeed;
  /** Once aborted, nothing more is done, not even of the round at hand: it was decided before. */
  stop?: AbortSignal;
};

/** `lookMs`: what the look at files and processes took. */
export type Pass = { world: Observation; done: Done[]; planned: Action[]; lookMs: number };

/** One round: look, decide, act. */
export async function pass(options: PassOptions): Promise<Pass> {
  const { root, permissions, mode, actor, memory, onDone } = options;
  const begun = performance.now();
  const world = await observe(root, memory);
  const lookMs = performance.now() - begun;
  const planned = decide(world, permissions);
  const done: Done[] = [];
  for (const action of planned) {
    if (options.stop?.aborted === true) break;
    const result = await tolerantAct(world, action, mode, actor);
    done.push(result);
    onDone?.(result);
  }
  return { world, done, planned, lookMs };
}

/** One action that cannot be done now (a full disk, a busy lock) does not keep the others from being done. */
export async function tolerantAct(...[world, action, mode, actor]: Parameters<typeof act>): Promise<Done> {
  try {
    return await act(world, action, mode, actor);
  } catch (error) {
    if (!isPassing(error)) throw error;
    return { action, ok: false, note: messageOf(error), error };
  }
}

/** For commands that do not try again: throws the first fault that kept an action from being done. */
export function throwFault(done: readonly Done[]): void {
  const failed = done.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
}

/**
 * Orchestrates until nothing is left that could go on without a person, then resigns. The caller holds the role.
 * Faults that may pass (a full disk, a busy lock) are told and tried again at the next tick.
 */
export async function orchestrate(options: PassOptions, role: Role, stop: AbortSignal): Promise<void> {
  const { root, mode } = options;
  const tidy = makeTidy(options.actor);
  const bell = makeBell();
  const own: PassOptions = { ...options, stop, onDone };
  const courier = makeCourier(root, options.actor, bell.ring);
  const watcher = watchStatus(root, bell.ring);
  stop.addEventListener('abort', bell.ringNow, { once: true });
  function onDone(done: Done): void {
    const { action, child } = done;
    const { id } = action;
    if (child !== undefined && id !== null) {
      const onNews = (news: News): void => {
        options.news?.publish(id, news);
        if (news.type === 'record') bell.ring();
      };
      listenTo(child, onNews, bell.ringNow);
    }
    options.onDone?.(done);
  }
  try {
    await role.announce(mode);
    while (!stop.aborted) {
      const { world, open, lookMs } = await tolerantPass(own, tidy);
      if (world !== null) courier.consider(world);
      if (!open && courier.isIdle() && (await mayResign(own, role))) return;
      await bell.wait(TICK_MS, Math.max(REST_MIN_MS, lookMs * REST_FACTOR));
    }
  } finally {
    await watcher.close();
    await courier.close();
  }
}

async function tolerantPass(
  options: PassOptions,
  tidy: (world: World) => Promise<void>,
): Promise<{ world: World | null; open: boolean; lookMs: number }> {
  try {
    const { world, done, lookMs } = await pass(options);
    await tidy(world);
    // What was just done changes the world: look again before concluding anything.
    return { world, open: done.some(({ ok }) => ok) || isOpen(world), lookMs };
  } catch (error) {
    if (!isPassing(error)) throw error;
    process.stderr.write(`orch: ${new Date().toISOString()} ${messageOf(error)}; trying again\n`);
    if (error instanceof OrchError && error.code === 'LEASE_LOST') throw error;
    return { world: null, open: true, lookMs: 0 };
  }
}

/**
 * Says in the file that it is ending, then looks once more: whoever added work before saw an orchestrator and
 * relied on it, whoever adds work after sees none and starts one.
 */
async function mayResign(options: PassOptions, role: Role): Promise<boolean> {
  await role.resign();
  const { world, done } = await pass({ ...options, memory: newMemory() });
  if (!isOpen(world) && !done.some(({ ok }) => ok)) return true;
  await role.announce(options.mode);
  return false;
}

type Bell = {
  /** A reason to look soon: after the rest. */
  ring: () => void;
  /** A reason to look at once, of which there are few. */
  ringNow: () => void;
  wait: (atMostMs: number, atLeastMs: number) => Promise<void>;
};

function makeBell(): Bell {
  let rung: 'no' | 'soon' | 'now' = 'no';
  let wake: (() => void) | null = null;
  /** Until `ms` have passed or, sooner, until `isEnough` of what was rung. */
  const pause = (ms: number, isEnough: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        wake = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      wake = () => {
        if (isEnough()) end();
      };
      wake();
    });
  const note = (how: 'soon' | 'now'): void => {
    if (rung !== 'now') rung = how;
    wake?.();
  };
  return {
    ring: () => note('soon'),
    ringNow: () => note('now'),
    async wait(atMostMs, atLeastMs) {
      const rest = Math.min(atLeastMs, atMostMs);
      // A rest that hints do not cut short, then until a hint or the tick.
      await pause(rest, () => rung === 'now');
      await pause(atMostMs - rest, () => rung !== 'no');
      rung = 'no';
    },
  };
}
