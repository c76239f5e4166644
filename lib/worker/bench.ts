import type { CheckpointState } from '../git/chain.ts';
import type { Outcome, ToolRun } from '../protocol/status.ts';
import type { Limit } from '../store/limits.ts';
import type { ToolUsage } from '../tools/adapter.ts';
import type { PastRun } from '../tools/policy.ts';
import type { Attempt } from './attempt.ts';

/** What the tasks of one attempt have in common, and what was learned on the way. */
export type Bench = {
  attempt: Attempt;
  worktree: string;
  base: string;
  /** The last checkpoint. */
  state: CheckpointState;
  /** Tools that cannot be used: not tried again in this attempt. */
  barred: Map<string, { outcome: Outcome; message: string; hint: string | null }>;
  /** Runs of agents, by the index of their task. */
  runs: Map<number, BenchRun[]>;
  /** Limits of accounts that this worker met itself, should the file of limits not take them. */
  limits: Map<string, Limit>;
};

/** One run of an agent for one task, or that it cannot be run. */
export type Turn = {
  toolRun: ToolRun;
  outcome: Outcome;
  /** One line, without keys. */
  message: string;
  /** What a person can do about a tool that cannot be used. */
  hint: string | null;
  usage: ToolUsage | null;
  retryAfterSeconds: number | null;
  signal: string | null;
  account: string;
  /** Unix seconds. */
  begunAt: number;
  /** It was begun: it may have left something in the worktree. */
  hasRun: boolean;
};

/** `turn` is null for a run of an earlier attempt. */
export type BenchRun = PastRun & { turn: Turn | null };

/** The runs of a task so far, to be added to. */
export function runsOf({ runs }: Bench, index: number): BenchRun[] {
  const known = runs.get(index) ?? [];
  runs.set(index, known);
  return known;
}

/** `3/10`: tasks with a checkpoint, of all. */
export function progressOf({ attempt, state }: Bench): string {
  const { tasks } = attempt.workstream;
  return `${tasks.filter(({ digest }) => state.done.includes(digest)).length}/${tasks.length}`;
}
