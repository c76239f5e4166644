import type { CircuitBreaker } from '../protocol/plan.ts';
import type { Outcome } from '../protocol/status.ts';

/** What follows a run of a tool. Pure: the worker asks, and does what it is told. */

type Move = 'accept' | 'retry' | 'retry_with_feedback' | 'next_tool' | 'wait' | 'fail' | 'interrupted';

/**
 * For each outcome what to do, first choice first; a later one where the one before cannot be. A tool is run again for
 * an outcome once (after `verify_failed` until a bound is met), `next_tool` needs one that is left and whose account is
 * free, `wait` one that is left, and the first `wait` after `rate_limited` is for a short one.
 */
const POLICY: Record<Outcome, readonly Move[]> = {
  done: ['accept'],
  // What was outside the scope is gone by then: the acceptance tests judge the rest.
  scope_violation: ['accept'],
  no_change: ['retry_with_feedback', 'next_tool', 'accept'],
  not_installed: ['next_tool', 'wait', 'fail'],
  auth: ['next_tool', 'wait', 'fail'],
  quota: ['next_tool', 'wait'],
  rate_limited: ['wait', 'next_tool', 'wait'],
  context_overflow: ['next_tool', 'wait', 'fail'],
  bad_edit: ['retry_with_feedback', 'next_tool', 'wait', 'fail'],
  verify_failed: ['retry_with_feedback', 'next_tool', 'wait', 'fail'],
  timeout: ['next_tool', 'wait', 'fail'],
  stalled: ['retry', 'next_tool', 'wait', 'fail'],
  error: ['retry', 'next_tool', 'wait', 'fail'],
  killed: ['interrupted'],
};

/** A rate limit that is over by then is waited for, although another tool is free. */
const SHORT_WAIT_SECONDS = 60;
const ERROR_BACKOFF_MS = 5_000;

export type Bounds = { [bound in keyof CircuitBreaker]: number };

const DEFAULT_BOUNDS: Bounds = { max_attempts: 6, max_error_repeats: 3, oscillation_threshold: 2 };

/** The bounds of a plan, completed by the defaults. */
export function boundsOf(breaker: CircuitBreaker | null): Bounds {
  return {
    max_attempts: breaker?.max_attempts ?? DEFAULT_BOUNDS.max_attempts,
    max_error_repeats: breaker?.max_error_repeats ?? DEFAULT_BOUNDS.max_error_repeats,
    oscillation_threshold: breaker?.oscillation_threshold ?? DEFAULT_BOUNDS.oscillation_threshold,
  };
}

/** A run of a tool for one task. */
export type PastRun = {
  tool: string;
  outcome: Outcome;
  /** What it failed with, by `fingerprintOf`. */
  fingerprint: string;
  /** Of `verify_failed`: the tree that failed. */
  tree: string | null;
  /** In an attempt before this one: it is known, and not counted. */
  isEarlier?: boolean;
};

export type AccountLimit = { account: string; kind: 'rate_limited' | 'quota'; until: number };

export type Situation = {
  /** All runs of the task, in order. */
  runs: readonly PastRun[];
  /** The tools that may do the task, first choice first. */
  chain: readonly string[];
  /** Tools that cannot be used in this attempt, and why. */
  barred: ReadonlyMap<string, Outcome>;
  /** By tool, the limit of its account; one that is over does not count. */
  limits: ReadonlyMap<string, AccountLimit>;
  bounds: Bounds;
  /** Unix seconds. */
  now: number;
};

export type Step =
  /** `run`: the index of the run whose work stands. */
  | { step: 'accept'; run: number }
  | { step: 'retry'; tool: string; afterMs: number }
  | { step: 'retry_with_feedback'; tool: string }
  | { step: 'next_tool'; tool: string }
  | ({ step: 'wait'; tool: string } & AccountLimit)
  | { step: 'fail'; code: Outcome | 'circuit_breaker'; bound: keyof Bounds | null }
  | { step: 'interrupted' };

/**
 * The next step of a task. Each run but those with `rate_limited` and `quota` brings the end nearer, so it is reached
 * after `max_attempts` runs or when each tool of the chain has had its turn, whatever comes first.
 */
export function nextStep(situation: Situation): Step {
  const { runs, chain, barred, bounds } = situation;
  const last = runs.at(-1);
  if (last !== undefined && POLICY[last.outcome][0] === 'interrupted') return { step: 'interrupted' };
  if (last !== undefined && POLICY[last.outcome][0] === 'accept')
    return { step: 'accept', run: runs.length - 1 };
  const left = [...new Set(chain)].filter((tool) => !barred.has(tool) && !isSpent(tool, runs, bounds));
  if (left.length === 0) return exhausted(situation);
  if (runs.filter(counts).length >= bounds.max_attempts)
    return { step: 'fail', code: 'circuit_breaker', bound: 'max_attempts' };
  // Whose turn it was goes first: it is here again only if it may run again.
  const own = last === undefined ? [] : left.filter((tool) => tool === last.tool);
  const step = choose([...own, ...left.filter((tool) => !own.includes(tool))], last, situation);
  // Nobody waits to hear once more that there is nothing to change.
  const isSaid =
    step.step === 'wait' && own.length === 0 && POLICY[last?.outcome ?? 'error'].includes('accept');
  return isSaid ? { step: 'accept', run: runs.length - 1 } : step;
}

/** It ran, and neither the account nor the machine was in the way. */
function counts({ outcome, isEarlier = false }: PastRun): boolean {
  return !isEarlier && outcome !== 'rate_limited' && outcome !== 'quota' && outcome !== 'not_installed';
}

/** True for a tool that has had its turn with this task. */
function isSpent(tool: string, runs: readonly PastRun[], bounds: Bounds): boolean {
  const own = runs.filter((run) => run.tool === tool);
  return boundMet(tool, runs, bounds) !== null || own.some(({ outcome }) => turnIsOver(outcome, own));
}

function turnIsOver(outcome: Outcome, own: readonly PastRun[]): boolean {
  switch (POLICY[outcome][0]) {
    case 'retry':
    case 'retry_with_feedback':
      // A failing test may say something else each time; only its bounds end that.
      return outcome !== 'verify_failed' && own.filter((run) => run.outcome === outcome).length > 1;
    case 'next_tool':
      return outcome !== 'quota';
    default:
      return false;
  }
}

/** The bound on repetition that a tool has met, or null. */
function boundMet(tool: string, runs: readonly PastRun[], bounds: Bounds): keyof Bounds | null {
  const repeats = new Map<string, number>();
  for (const run of runs) {
    if (run.tool !== tool || !counts(run) || POLICY[run.outcome][0] === 'accept') continue;
    const what = `${run.outcome} ${run.fingerprint}`;
    repeats.set(what, (repeats.get(what) ?? 0) + 1);
  }
  if (Math.max(0, ...repeats.values()) >= bounds.max_error_repeats) return 'max_error_repeats';
  const seen = new Set<string>();
  let returns = 0;
  for (const { tree, tool: by } of runs) {
    if (tree === null) continue;
    if (by === tool && seen.has(tree)) returns += 1;
    seen.add(tree);
  }
  return returns > bounds.oscillation_threshold ? 'oscillation_threshold' : null;
}

/** No tool is left. */
function exhausted({ runs, chain, barred, bounds }: Situation): Step {
  // A tool that cannot be used says nothing about what the one before it said.
  const said = runs.findLastIndex(({ outcome }) => outcome !== 'not_installed' && outcome !== 'auth');
  if (runs[said]?.outcome === 'no_change') return { step: 'accept', run: said };
  const last = runs.at(-1);
  const bound = last === undefined ? null : boundMet(last.tool, runs, bounds);
  if (bound !== null) return { step: 'fail', code: 'circuit_breaker', bound };
  const code = last?.outcome ?? barred.get(chain.at(-1) ?? '') ?? 'not_installed';
  return { step: 'fail', code, bound: null };
}

/** `tools` in the order of preference, not empty. */
function choose(tools: readonly string[], last: PastRun | undefined, { limits, now }: Situation): Step {
  const limitOf = (tool: string): AccountLimit | null => {
    const limit = limits.get(tool);
    return limit === undefined || limit.until <= now ? null : limit;
  };
  const waits = tools.flatMap((tool) => {
    const limit = limitOf(tool);
    return limit === null ? [] : [{ step: 'wait', tool, ...limit } as const];
  });
  const [first = ''] = tools;
  const own = waits.find(({ tool }) => tool === first);
  if (own !== undefined && own.kind === 'rate_limited' && own.until - now <= SHORT_WAIT_SECONDS) return own;
  const free = tools.find((tool) => limitOf(tool) === null);
  if (free !== undefined) return run(free, last);
  return waits.reduce((earliest, one) => (one.until < earliest.until ? one : earliest));
}

function run(tool: string, last: PastRun | undefined): Step {
  if (last?.tool !== tool) return { step: 'next_tool', tool };
  if (POLICY[last.outcome][0] === 'retry_with_feedback') return { step: 'retry_with_feedback', tool };
  return { step: 'retry', tool, afterMs: last.outcome === 'error' ? ERROR_BACKOFF_MS : 0 };
}

const FINGERPRINT_LENGTH = 4_000;
/** Of which it is made: more than the output of all failed tests that a tool is told. */
const READ_LENGTH = 16_384;

/** A text without what differs each time that the same thing happens: numbers, times, ids in hex, paths. */
export function fingerprintOf(text: string): string {
  return text
    .slice(0, READ_LENGTH)
    .replaceAll(/(?<![\w.@~+-])[\w.@~+-]*(?:\/[\w.@~+-]+)+\/?/g, '<path>')
    .replaceAll(/\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{6,}\b/gi, '#')
    .replaceAll(/\d+(?:[.:,-]\d+)*/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, FINGERPRINT_LENGTH);
}
