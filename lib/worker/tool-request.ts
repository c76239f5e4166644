import { filesOfScope } from '../git/task-files.ts';
import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { ToolSettings } from '../protocol/tools.ts';
import type { TaskFiles, ToolRequest } from '../tools/adapter.ts';
import { composePrompt, type Feedback } from '../tools/prompt.ts';
import { settingsOf } from '../tools/registry.ts';
import { agentEnvironmentOf, environmentOf, supervisionOf, taskTimeoutMs } from './attempt.ts';
import type { Bench } from './bench.ts';
import { headNow } from './check.ts';
import { transcriptFromNow } from './log.ts';
import { scopeOf } from './scope.ts';

/** What the config says of a tool. */
export const settingsIn = ({ attempt }: Bench, tool: string): ToolSettings =>
  settingsOf(tool, attempt.plan.options.tools);

/** What the adapter of a `{run: …}` task gets. */
export function commandRequest({ attempt, worktree }: Bench, task: PlannedTask): ToolRequest {
  return {
    task,
    prompt: taskText(task),
    worktree,
    scratch: worktree,
    env: environmentOf(attempt),
    settings: {},
    files: { present: [], toCreate: [], isInside: () => true },
    transcript: { read: () => ({ out: '', err: '' }) },
    supervision: supervisionOf(attempt, taskTimeoutMs(attempt, task.timeoutMs)),
  };
}

export type AgentJob = { task: PlannedTask; index: number; tool: string; feedback: Feedback | null };

/** What an agent gets for one run of a task; its transcript begins now. */
export async function agentRequest(bench: Bench, job: AgentJob, scratch: string): Promise<ToolRequest> {
  const { attempt, worktree, state } = bench;
  const { task, index, tool, feedback } = job;
  const { workstream } = attempt;
  const earlier = workstream.tasks.filter(
    ({ digest }, at) => at !== index && state.done.includes(digest) && at < index,
  );
  const settings = settingsIn(bench, tool);
  return {
    task,
    prompt: composePrompt({ workstream, task, index, earlier: earlier.map(taskText), feedback }),
    worktree,
    scratch,
    env: agentEnvironmentOf(attempt, settings),
    settings,
    files: await filesOf(bench),
    transcript: transcriptFromNow(attempt),
    supervision: supervisionOf(attempt, taskTimeoutMs(attempt, task.timeoutMs)),
  };
}

async function filesOf({ attempt }: Bench): Promise<TaskFiles> {
  const { root, workstream, excluded } = attempt;
  const { present, toCreate } = await filesOfScope(root, workstream, headNow(attempt), excluded);
  const scope = scopeOf(workstream);
  const isInside = scope?.takesOut === true ? scope.isInside : () => true;
  return { present, toCreate, isInside };
}
