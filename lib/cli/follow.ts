import { setTimeout as sleep } from 'node:timers/promises';
import type { NewsFeed } from '../orchestrate/news.ts';
import { HOLDS, pollStatus, type StatusList } from '../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../orchestrate/verdict.ts';
import { isHeldBack } from '../protocol/status.ts';
import { jsonLine } from '../protocol/text.ts';
import { requireShown } from './known.ts';
import { changeLine, screenOf } from './render.ts';

const TICK_MS = 1_000;
/** Several writes come together; one look sees them all. */
const DEBOUNCE_MS = 100;
/** A look with CPU and memory reads the whole process table. */
const DEBOUNCE_USAGE_MS = 500;
/** What a moment can change (a launch that is under way, a probe that failed once) must last this long. */
const LASTS_MS = 2_000;

type Watch = (onHint: () => void) => { close(): Promise<void> };

/**
 * Looks now, soon after each hint of `watch`, at least every second, and at `boundMs` (of `performance.now`), until
 * a look says that it was the last or `signal` aborts. Returns what the last look saw. Hints may get lost: that
 * delays a look and loses nothing.
 */
export async function lookUntil<T>(
  watch: Watch,
  look: () => Promise<{ seen: T; last: boolean }>,
  signal: AbortSignal,
  boundMs = Number.POSITIVE_INFINITY,
  debounceMs = DEBOUNCE_MS,
): Promise<T> {
  let bell = new AbortController();
  const ring = (): void => bell.abort();
  const watcher = watch(ring);
  signal.addEventListener('abort', ring);
  try {
    for (;;) {
      bell = new AbortController();
      const { seen, last } = await look();
      if (last || signal.aborted) return seen;
      const leftMs = Math.max(boundMs - performance.now(), 0);
      await pause(Math.min(debounceMs, leftMs), signal);
      if (!bell.signal.aborted) await pause(Math.min(TICK_MS, leftMs) - debounceMs, bell.signal);
      if (signal.aborted) return seen;
    }
  } finally {
    signal.removeEventListener('abort', ring);
    await watcher.close();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** True for a workstream with which nothing more happens until a person acts, though it is not final. */
function isWaitingForPerson({ verdict, reason }: WorkstreamStatus): boolean {
  return verdict === 'unknown' || HOLDS.some((code) => code === reason?.code);
}

/** What has to change for a workstream to be told again. */
export function changeKey(status: WorkstreamStatus): string {
  const { verdict, progress, current_task, reason } = status;
  return JSON.stringify([status.status, verdict, progress, current_task, reason, status['attempt']]);
}

export type FollowOptions = {
  ids?: readonly string[];
  json: boolean;
  quiet: boolean;
  signal: AbortSignal;
  timeoutMs?: number;
  /** False for people who want none; colours are for terminals alone in any case. */
  color?: boolean;
  tick?: (list: StatusList) => Promise<void>;
  /** What attached workers of this process tell: a reason to look. */
  news?: NewsFeed;
  /** Sees every look, with CPU and memory, in place of the lines that tell each change. */
  show?: (list: StatusList) => Promise<void>;
  /** Whether an orchestrator that this process started has not ended yet. */
  isAtWork?: () => Promise<boolean>;
};

export type Followed = { end: 'final' | 'aborted' | 'timeout'; list: StatusList };

/**
 * Polls until nothing more happens without a person: every workstream is final, or unknown, or held, the latter
 * two for 2 s. Each change is told on stdout, as a line for people or, with `json`, as an event a line; `quiet`
 * keeps the lines for people back. `tick` sees each list in which something goes on. `timeoutMs` counts awake time.
 * @throws OrchError NO_STATE or NO_WORKSTREAM where there is nothing to follow, and what `tick` throws.
 */
export async function followUntilFinal(root: string, options: FollowOptions): Promise<Followed> {
  const { ids = [], signal } = options;
  const { watchStatus } = await import('../store/watch.ts');
  const boundMs = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  const told = new Map<string, string>();
  const isOver = overForGood();
  const look = async (): Promise<{ seen: Followed; last: boolean }> => {
    const list = await pollStatus(root, { ids, current: true, usage: options.show !== undefined });
    requireShown(list, ids);
    await options.show?.(list);
    for (const status of options.show === undefined ? list.workstreams : []) {
      const key = changeKey(status);
      if (told.get(status.workstream) !== key) tellChange(status, list.at, options);
      told.set(status.workstream, key);
    }
    const isIdle = await waitsForPerson(list, options);
    if (!isIdle) await options.tick?.(list);
    if (isOver(list, isIdle)) return { seen: { end: 'final', list }, last: true };
    const late = performance.now() >= boundMs;
    return { seen: { end: late ? 'timeout' : 'aborted', list }, last: late };
  };
  const watch: Watch = (onHint) => {
    const watcher = watchStatus(root, onHint);
    const unsubscribe = options.news?.subscribe((_id, { type }) => type === 'record' && onHint());
    return {
      close: async () => {
        unsubscribe?.();
        await watcher.close();
      },
    };
  };
  const debounceMs = options.show === undefined ? DEBOUNCE_MS : DEBOUNCE_USAGE_MS;
  return lookUntil(watch, look, signal, boundMs, debounceMs);
}

/** True if nothing goes on without a person. What was held back may begin with a newcomer, who tries again. */
async function waitsForPerson({ workstreams }: StatusList, options: FollowOptions): Promise<boolean> {
  if (!workstreams.every((status) => status.final || isWaitingForPerson(status))) return false;
  return !(workstreams.some(isHeldBack) && (await options.isAtWork?.()) === true);
}

/** Tells whether nothing more happens in the lists that it is shown one after the other. */
function overForGood(): (list: StatusList, isIdle: boolean) => boolean {
  let idleSince: number | null = null;
  return ({ workstreams }, isIdle) => {
    if (workstreams.every(({ final }) => final)) return true;
    idleSince = isIdle ? (idleSince ?? performance.now()) : null;
    return idleSince !== null && performance.now() - idleSince >= LASTS_MS;
  };
}

/** Tells where a workstream is, as a line for people or as an event. */
export function tellChange(
  status: WorkstreamStatus,
  at: number,
  options: Pick<FollowOptions, 'json' | 'quiet' | 'color'>,
): void {
  if (options.json) {
    const { workstream, verdict, progress, current_task, reason } = status;
    const event = {
      schema: 'orch.event/1',
      at,
      workstream,
      status: status.status,
      verdict,
      progress,
      current_task,
      reason,
    };
    process.stdout.write(jsonLine(event));
  } else if (!options.quiet) {
    process.stdout.write(`${changeLine(status, at, screenOf(options.color ?? true))}\n`);
  }
}
