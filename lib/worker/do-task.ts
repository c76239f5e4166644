import { failpoint } from '../failpoint.ts';
import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { ToolRun } from '../protocol/status.ts';
import { command } from '../tools/command.ts';
import type { Bench } from './bench.ts';
import { type Conclusion, endOf, quote, retryHint } from './conclusion.ts';
import { logSizes } from './log.ts';
import { watchingRefs } from './moved-refs.ts';
import { runAgents } from './run-agents.ts';
import { commitTask, noteRun } from './save-task.ts';
import { commandRequest } from './tool-request.ts';

/** Does a task and commits its checkpoint; null, or how the workstream ended. */
export async function doTask(bench: Bench, index: number): Promise<Conclusion | null> {
  const { workstream } = bench.attempt;
  const task = workstream.tasks[index];
  if (task === undefined) throw new Error(`${workstream.id} has no task ${index + 1}`);
  process.stdout.write(`orch: task ${index + 1}/${workstream.tasks.length}: ${taskText(task)}\n`);
  return task.kind === 'run' ? runCommand(bench, task, index) : runAgents(bench, task, index, null);
}

/** A command of the plan: one run. */
async function runCommand(bench: Bench, task: PlannedTask, index: number): Promise<Conclusion | null> {
  const { attempt } = bench;
  await attempt.reporter.progress({ current_task: taskText(task), tool: command.name });
  const before = logSizes();
  const begun = performance.now();
  failpoint('worker.tool.before');
  const result = await watchingRefs(attempt, () => command.run(commandRequest(bench, task)));
  failpoint('worker.tool.after');
  const after = logSizes();
  const { outcome, exitCode, signal } = result;
  const toolRun: ToolRun = {
    task: index + 1,
    tool: command.name,
    outcome,
    seconds: Math.round(performance.now() - begun) / 1000,
    exit_code: exitCode,
    tokens: null,
    cost: null,
    log: [before.out, after.out],
    err: [before.err, after.err],
  };
  if (outcome === 'done') {
    await commitTask(bench, task, toolRun);
    return null;
  }
  await noteRun(attempt, toolRun);
  if (outcome === 'killed') return { status: 'interrupted' };
  const message = `task ${index + 1}, ${quote(taskText(task))}: ${result.message}`;
  const reason = { code: outcome, message, hint: retryHint(attempt.workstream) };
  return { status: endOf(outcome), exitCode, signal, reason };
}
