import { setTimeout as sleep } from 'node:timers/promises';
import { failpoint } from '../failpoint.ts';
import { taskText } from '../protocol/plan.ts';
import {
  clearLimit,
  type Limit,
  type Limits,
  noteLimit,
  readLimits,
  stateHome,
  TRUST_SECONDS,
} from '../store/limits.ts';
import { accountOf } from '../tools/account.ts';
import type { AccountLimit } from '../tools/policy.ts';
import { agentEnvironmentOf } from './attempt.ts';
import type { Bench, Turn } from './bench.ts';
import { settingsIn } from './tool-request.ts';

/** Limits of accounts, as a worker heeds them. */

const LOOK_MS = 2_000;
const JITTER_MS = 2_000;

const now = (): number => Date.now() / 1000;

/** Whose limits a tool is under in this attempt. */
export function accountFor(bench: Bench, tool: string): string {
  const settings = settingsIn(bench, tool);
  return accountOf(tool, settings, agentEnvironmentOf(bench.attempt, settings));
}

/** By tool, the limit of its account that holds now: this worker's own, and what others met. */
export function limitsFor(bench: Bench, chain: readonly string[]): Map<string, AccountLimit> {
  const shared = readLimits(stateHome(), now());
  const found = new Map<string, AccountLimit>();
  for (const tool of chain) {
    const account = accountFor(bench, tool);
    const limit = limitOf(bench, account, shared);
    if (limit !== null) found.set(tool, { account, kind: limit.kind, until: limit.until });
  }
  return found;
}

/**
 * The limit that holds, null where none does. What this worker alone knows is there where the file could not be written:
 * then an entry that the file has from before, and that is over, does not undo it.
 */
function limitOf(bench: Bench, account: string, shared: Limits): Limit | null {
  const holds = (limit: Limit | undefined): limit is Limit =>
    limit !== undefined && limit.until > now() && limit.until <= now() + TRUST_SECONDS;
  const known = [shared.get(account), bench.limits.get(account)].filter(holds);
  return known.reduce<Limit | null>(
    (last, one) => (last !== null && last.until >= one.until ? last : one),
    null,
  );
}

/** What a provider that answers says of itself: that its limit is over. */
const ANSWERED: ReadonlySet<string> = new Set(['done', 'no_change', 'bad_edit', 'context_overflow']);

type LimitTurn = Pick<Turn, 'outcome' | 'account' | 'begunAt' | 'retryAfterSeconds' | 'message'>;

/** Tells all workers of the machine what a run met. */
export async function heedTurn({ limits }: Pick<Bench, 'limits'>, turn: LimitTurn): Promise<void> {
  const { outcome, account, begunAt, retryAfterSeconds, message } = turn;
  if (outcome === 'rate_limited' || outcome === 'quota') {
    const hit = { account, kind: outcome, retryAfterSeconds, why: message, begunAt };
    const { limit, isShared } = await noteLimit(stateHome(), hit, limits.get(account));
    // What is shared is looked up each time, so that whoever lifts it lifts it for all.
    if (isShared) limits.delete(account);
    else limits.set(account, limit);
  } else if (ANSWERED.has(outcome)) {
    limits.delete(account);
    await clearLimit(stateHome(), account, begunAt);
  }
}

/**
 * Waits until the limit is over, or until what is known of the account changes: somebody met it again, or it answered
 * somebody. It costs neither an attempt nor time of the task; an interruption ends it. The record says what is waited
 * for; whoever does something next says so.
 */
export async function waitOut(bench: Bench, limit: AccountLimit, index: number): Promise<void> {
  const { attempt } = bench;
  const { reporter, workstream, life } = attempt;
  const task = workstream.tasks[index];
  const { account, kind, until } = limit;
  const clock = clockOf(until);
  const what = kind === 'quota' ? 'the quota is used up' : 'rate limited';
  const message = `${what} until ${clock} (account ${account})`;
  const hint =
    'It goes on by itself. Another tool, or another account, can be named in the plan or the config.';
  await reporter.progress({
    reason: { code: kind, message, hint },
    current_task: `waiting for account ${account} until ${clock}: ${task === undefined ? '' : taskText(task)}`,
  });
  process.stdout.write(`orch: account ${account} is not to be used until ${clock} (${kind}); waiting\n`);
  failpoint('worker.limit.wait');
  while (now() < until && isUnchanged(bench, limit)) {
    if (!(await pause(life.stop, Math.min(LOOK_MS, (until - now()) * 1_000)))) return;
  }
  // All who waited must not come back at the same instant.
  await pause(life.stop, Math.random() * JITTER_MS);
  failpoint('worker.limit.over');
}

function isUnchanged(bench: Bench, { account, until }: AccountLimit): boolean {
  return limitOf(bench, account, readLimits(stateHome(), now()))?.until === until;
}

/** The time of day here, which is what a person compares with the clock. */
function clockOf(seconds: number): string {
  const date = new Date(Math.ceil(seconds) * 1_000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** False if it was interrupted. */
export async function pause(stop: AbortSignal, ms: number): Promise<boolean> {
  try {
    await sleep(Math.max(0, ms), undefined, { signal: stop });
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}
