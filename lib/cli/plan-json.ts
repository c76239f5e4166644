import type { Fault } from '../plan/fault.ts';
import { wavesOf } from '../plan/graph.ts';
import type { Limits, Sandbox } from '../protocol/containment.ts';
import type { Check, PlannedTask, PlannedWorkstream } from '../protocol/plan.ts';
import { toolsFor } from '../tools/registry.ts';

/** What a mask shows of a value of `env`, which may be a secret. */
const MASK = '***';

/** The machine form of `orch plan`, in the words of plan files; times in seconds, `env` masked. */
export function planJson(
  workstreams: readonly PlannedWorkstream[],
  warnings: readonly Fault[],
  tool: string[] | null,
) {
  return {
    schema: 'orch.plan/1',
    workstreams: workstreams.map((one) => workstreamJson(one, tool)),
    waves: wavesOf(workstreams),
    warnings: warnings.map(({ file, line, column, code, message, hint }) => ({
      file,
      line,
      column,
      code,
      message,
      hint,
    })),
  };
}

function workstreamJson(workstream: PlannedWorkstream, tool: string[] | null) {
  const { tasks, checks, timeoutMs, taskTimeoutMs, env, limits, sandbox, ...rest } = workstream;
  return {
    ...rest,
    tool: rest.tool ?? tool,
    tasks: tasks.map((task) => taskJson(task, rest.tool, tool)),
    acceptance_tests: checks.flatMap(({ step, checks: group }) =>
      group.map((check) => checkJson(check, step)),
    ),
    timeout: secondsOf(timeoutMs),
    task_timeout: secondsOf(taskTimeoutMs),
    limits: limitsJson(limits ?? null),
    sandbox: sandboxJson(sandbox ?? null),
    env: Object.fromEntries(Object.keys(env).map((name) => [name, MASK])),
  };
}

function limitsJson(limits: Limits | null) {
  if (limits === null) return null;
  const { memoryBytes: memory, cpuPercent, bestEffort: best_effort } = limits;
  return { memory, cpu: cpuPercent === null ? null : `${cpuPercent}%`, best_effort };
}

function sandboxJson(sandbox: Sandbox | null) {
  return sandbox?.kind === 'bwrap' ? { ...sandbox, network: sandbox.network ? 'on' : 'off' } : sandbox;
}

function taskJson(task: PlannedTask, own: string[] | null, tool: string[] | null) {
  const { kind, step, timeoutMs } = task;
  const what = task.kind === 'run' ? { run: task.run } : { prompt: task.prompt };
  return { kind, ...what, step, tool: toolsFor(task, own, tool), timeout: secondsOf(timeoutMs) };
}

function checkJson({ kind, text }: Check, step: string | null) {
  return { kind, text, step };
}

function secondsOf(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds / 1_000;
}
