import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { ToolRequest } from '../tools/adapter.ts';
import type { Supervision } from '../tools/supervise.ts';
import { type Attempt, environmentOf } from './attempt.ts';

/** What the adapter of a `{run: …}` task gets. */
export function toolRequest(
  attempt: Attempt,
  task: PlannedTask,
  worktree: string,
  supervision: Supervision,
): ToolRequest {
  return {
    task,
    prompt: taskText(task),
    worktree,
    scratch: worktree,
    env: environmentOf(attempt),
    settings: {},
    files: { present: [], toCreate: [], isInside: () => true },
    transcript: { read: () => ({ out: '', err: '' }) },
    supervision,
  };
}
