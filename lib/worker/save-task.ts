import type { Outside } from '../git/border.ts';
import type { CheckpointState } from '../git/chain.ts';
import { type Checkpoint, commitCheckpoint } from '../git/checkpoint.ts';
import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { ToolRun } from '../protocol/status.ts';
import type { Progress } from '../protocol/transitions.ts';
import { audit, recordHistory } from '../store/events.ts';
import type { Attempt } from './attempt.ts';
import { scopeOf, tellOutside } from './scope.ts';

export type DoneTask = {
  task: PlannedTask;
  toolRun: ToolRun;
  worktree: string;
  previous: CheckpointState;
  base: string;
};

/** Writes a run of a tool into the history and, with `patch`, into the record. */
export async function noteRun(attempt: Attempt, run: ToolRun, patch: Progress = {}): Promise<void> {
  const { root, number, reporter, workstream } = attempt;
  recordHistory(root, workstream.id, { entry: 'tool_run', attempt: number, ...run });
  await reporter.progress({ ...patch, tool_runs: [...reporter.record().tool_runs, run] });
}

/**
 * Commits the checkpoint of a task whose tool has ended well; what it changed outside the scope is taken out and
 * kept first. The record tells of the run before the checkpoint is there: killed in between, the task runs again
 * and is told of anew; the other way round, a violation would be lost.
 */
export async function saveTask(
  attempt: Attempt,
  { task, toolRun, worktree, previous, base }: DoneTask,
): Promise<{ head: string; state: CheckpointState }> {
  const { root, run, number, workstream } = attempt;
  const scope = scopeOf(workstream);
  let isNoted = false;
  const note = async (outside: readonly Outside[], salvaged: string | null): Promise<void> => {
    isNoted = true;
    const isTaken = scope?.takesOut === true && outside.length > 0;
    const patch = scope ? tellOutside(attempt, toolRun.task, outside, isTaken ? salvaged : null) : {};
    await noteRun(attempt, isTaken ? { ...toolRun, outcome: 'scope_violation' } : toolRun, patch);
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
      previous,
      base,
      exclude: attempt.excluded,
      ...(scope === undefined ? {} : { scope }),
      beforeMove: ({ outside, salvaged }) => note(outside, salvaged),
    });
    auditSalvage(attempt, committed);
    const done = [...previous.done, task.digest];
    return { head: committed.commit, state: { tip: committed.commit, base, done } };
  } catch (error) {
    if (!isNoted) await noteRun(attempt, toolRun);
    throw error;
  }
}

function auditSalvage(attempt: Attempt, { salvaged, strayRefs, nested }: Checkpoint): void {
  const { root, workstream, actor } = attempt;
  const event = { event: 'salvage', workstream: workstream.id } as const;
  if (salvaged !== null) {
    audit(root, actor, { ...event, why: 'what a tool left that is not on its branch', commit: salvaged });
  }
  for (const [what, names] of Object.entries({ refs: strayRefs, repositories: nested })) {
    if (names.length === 0) continue;
    const why = `a tool left its branch or made ${what} of its own: ${names.join(', ')}`;
    audit(root, actor, { ...event, why, [what]: names });
  }
}
