import { failpoint } from '../failpoint.ts';
import type { Outside } from '../git/border.ts';
import { type CheckpointState, withCheckpoint } from '../git/chain.ts';
import { type Checkpoint, commitCheckpoint } from '../git/checkpoint.ts';
import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { StatusRecord, ToolRun } from '../protocol/status.ts';
import type { Progress } from '../protocol/transitions.ts';
import { audit, recordHistory } from '../store/events.ts';
import type { ToolUsage } from '../tools/adapter.ts';
import type { Attempt } from './attempt.ts';
import { type Bench, progressOf } from './bench.ts';
import { scopeOf, tellOutside } from './scope.ts';

type DoneTask = {
  task: PlannedTask;
  toolRun: ToolRun;
  worktree: string;
  previous: CheckpointState;
  base: string;
  /** Of an agent. */
  agent?: {
    said: RunNote;
    /** From 1, where it mends what has a checkpoint. */
    repair: number | null;
    /** The run was told of before. */
    isNoted: boolean;
  };
};

/** What a run of an agent tells beyond what the record has room for. */
type RunNote = { message: string; usage: ToolUsage | null };

/** Writes a run of a tool into the history and, with `patch`, into the record. */
export async function noteRun(
  attempt: Attempt,
  run: ToolRun,
  patch: Progress = {},
  said: RunNote | null = null,
): Promise<void> {
  const { root, number, reporter, workstream } = attempt;
  const { usage = null, message } = said ?? {};
  const told = said === null ? {} : { message, usage: usage === null ? null : usageOf(usage) };
  recordHistory(root, workstream.id, { entry: 'tool_run', attempt: number, ...run, ...told });
  const record = reporter.record();
  const sum = usage === null ? {} : { usage: addUsage(record.usage, usage) };
  await reporter.progress({ ...patch, ...sum, tool_runs: [...record.tool_runs, run] });
}

type Usage = NonNullable<StatusRecord['usage']>;

const usageOf = ({ tokensIn, tokensOut, costUsd }: ToolUsage): Usage => ({
  tokens_in: tokensIn,
  tokens_out: tokensOut,
  cost_usd: costUsd,
});

/** A run whose tool does not tell its cost adds none: the sum is what is known. */
function addUsage(sum: Usage | null, more: ToolUsage): Usage {
  const { tokens_in, tokens_out, cost_usd } = usageOf(more);
  if (sum === null) return { tokens_in, tokens_out, cost_usd };
  const cost = sum.cost_usd === null && cost_usd === null ? null : (sum.cost_usd ?? 0) + (cost_usd ?? 0);
  const add = (one: number, other: number): number => Math.min(one + other, Number.MAX_SAFE_INTEGER);
  return {
    tokens_in: add(sum.tokens_in, tokens_in),
    tokens_out: add(sum.tokens_out, tokens_out),
    cost_usd: cost,
  };
}

/**
 * Commits the checkpoint of a task whose tool has ended well; what it changed outside the scope is taken out and
 * kept first. The record tells of the run before the checkpoint is there: killed in between, the task runs again
 * and is told of anew; the other way round, a violation would be lost.
 */
async function saveTask(
  attempt: Attempt,
  { task, toolRun, worktree, previous, base, agent }: DoneTask,
): Promise<{ head: string; state: CheckpointState }> {
  const { root, run, number, workstream } = attempt;
  const scope = scopeOf(workstream);
  let isNoted = agent?.isNoted === true;
  const repair = agent?.repair ?? null;
  const work = {
    ...(agent === undefined ? {} : { tool: toolRun.tool }),
    ...(repair === null ? {} : { repair }),
  };
  const note = async (outside: readonly Outside[], salvaged: string | null): Promise<void> => {
    const isTaken = scope?.takesOut === true && outside.length > 0;
    const found = {
      number: toolRun.task,
      outside,
      commit: isTaken ? salvaged : null,
      isMore: repair !== null,
    };
    const patch = scope ? tellOutside(attempt, found) : {};
    const wasNoted = isNoted;
    isNoted = true;
    if (wasNoted) await attempt.reporter.progress(patch);
    else
      await noteRun(
        attempt,
        isTaken ? { ...toolRun, outcome: 'scope_violation' } : toolRun,
        patch,
        agent?.said,
      );
  };
  try {
    const committed = await commitCheckpoint({
      root,
      id: workstream.id,
      worktree,
      run,
      attempt: number,
      taskIndex: toolRun.task,
      taskCount: workstream.tasks.length,
      digest: task.digest,
      subject: taskText(task),
      ...work,
      previous,
      base,
      exclude: attempt.excluded,
      ...(scope === undefined ? {} : { scope }),
      beforeMove: ({ outside, salvaged }) => note(outside, salvaged),
    });
    auditSalvage(attempt, committed);
    const { commit } = committed;
    return { head: commit, state: withCheckpoint(previous, { commit, base, digest: task.digest, ...work }) };
  } catch (error) {
    if (!isNoted) await noteRun(attempt, toolRun, {}, agent?.said);
    throw error;
  }
}

function auditSalvage(attempt: Attempt, { salvaged, leftOn, nested }: Checkpoint): void {
  const { root, workstream, actor } = attempt;
  const event = { event: 'salvage', workstream: workstream.id } as const;
  if (salvaged !== null) {
    audit(root, actor, { ...event, why: 'what a tool left that is not on its branch', commit: salvaged });
  }
  if (leftOn !== null)
    audit(root, actor, { ...event, why: `a tool left its branch: ${leftOn}`, refs: [leftOn] });
  if (nested.length === 0) return;
  const why = `a tool made repositories of its own: ${nested.join(', ')}`;
  audit(root, actor, { ...event, why, repositories: nested });
}

/** Commits the checkpoint; the commit is durable before the record names it. */
export async function commitTask(
  bench: Bench,
  task: PlannedTask,
  toolRun: ToolRun,
  agent?: DoneTask['agent'],
): Promise<void> {
  const { attempt, worktree, state: previous, base } = bench;
  const done = { task, toolRun, worktree, previous, base, ...(agent === undefined ? {} : { agent }) };
  const { head, state } = await saveTask(attempt, done);
  bench.state = state;
  failpoint('worker.checkpoint.made');
  await attempt.reporter.progress({ head, progress: progressOf(bench) });
  failpoint('worker.checkpoint.told');
}
