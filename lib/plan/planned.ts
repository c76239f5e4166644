import { createHash } from 'node:crypto';
import { OrchError } from '../errors.ts';
import {
  type Check,
  type CheckGroup,
  type CircuitBreaker,
  type PlannedWorkstream,
  type Task,
  withDigests,
} from '../protocol/plan.ts';
import { classify } from './acceptance.ts';
import { limitsOf, sandboxOf } from './containment.ts';
import { type Document, placeAt } from './document.ts';
import { parseDuration } from './durations.ts';
import { tidyPath } from './paths.ts';
import { canonicalJson, type RawMap } from './raw.ts';
import {
  DEFAULT_PRIORITY,
  priorityOf,
  type WrittenTask,
  type WrittenTest,
  type WrittenWorkstream,
} from './schema.ts';
import { stepsInOrder } from './steps.ts';

/** What turns names into more than they say: the default chain of tools, programs that the config adds. */
export type Settings = { toolChain: readonly string[]; extraPrograms: readonly string[] };

type Tool = string | string[] | undefined;
type PlacedTask = Task & { step: string | null };

/**
 * The workstream as it is frozen; `ranked` is a priority that is said outside of it, and wins. It must have
 * passed every check: a cycle of steps throws.
 */
export function plannedWorkstream(
  document: Document,
  map: RawMap,
  written: WrittenWorkstream,
  settings: Settings,
  ranked: number | null = null,
): PlannedWorkstream {
  const { tasks, checks } = workOf(written, settings);
  const priority = ranked ?? priorityOf(written.priority) ?? priorityOf(written.metadata?.['priority']);
  return {
    id: written.id,
    title: written.title ?? written.id,
    tasks: withDigests(tasks),
    checks: checks.filter((group) => group.checks.length > 0),
    files_scope: tidied(written.files_scope),
    files_create: tidied(written.files_create),
    scope: scopeOf(written),
    depends_on: [...new Set(written.depends_on ?? [])],
    tool: toolsOf(written.tool, settings),
    priority: priority ?? DEFAULT_PRIORITY,
    timeoutMs: millisecondsOf(written.timeout),
    taskTimeoutMs: millisecondsOf(written.task_timeout),
    setup: typeof written.setup === 'string' ? [written.setup] : [...(written.setup ?? [])],
    copy: tidied(written.copy),
    env: { ...written.env },
    circuit_breaker: breakerOf(written),
    limits: limitsOf(written.limits),
    sandbox: sandboxOf(written.sandbox),
    definition: createHash('sha256').update(canonicalJson(map)).digest('hex'),
    source: `${document.source}:${placeAt(document.lineStarts, map.offset).line}`,
  };
}

/** A scope that is given is enforced unless the plan says otherwise. */
function scopeOf({ scope, files_scope }: WrittenWorkstream): PlannedWorkstream['scope'] {
  if (typeof scope === 'string') return scope;
  return (files_scope ?? []).length > 0 ? 'enforce' : 'off';
}

function breakerOf({ circuit_breaker: written }: WrittenWorkstream): CircuitBreaker | null {
  if (written === undefined) return null;
  return {
    max_attempts: written.max_attempts ?? null,
    max_error_repeats: written.max_error_repeats ?? null,
    oscillation_threshold: written.oscillation_threshold ?? null,
  };
}

function workOf(
  written: WrittenWorkstream,
  settings: Settings,
): { tasks: PlacedTask[]; checks: CheckGroup[] } {
  const tasks: PlacedTask[] = (written.tasks ?? []).map((task) => taskOf(task, null, undefined, settings));
  const checks: CheckGroup[] = [];
  const steps = stepsInOrder(written.steps ?? []);
  if (steps === null)
    throw new OrchError('INTERNAL', `The steps of ${written.id} form a cycle that no check saw`);
  for (const step of steps) {
    for (const task of step.tasks) tasks.push(taskOf(task, step.id, step.tool, settings));
    checks.push({
      step: step.id,
      afterTask: tasks.length,
      checks: checksOf(step.acceptance_tests, settings),
    });
  }
  checks.push({ step: null, afterTask: tasks.length, checks: checksOf(written.acceptance_tests, settings) });
  return { tasks, checks };
}

function taskOf(task: WrittenTask, step: string | null, stepTool: Tool, settings: Settings): PlacedTask {
  if (typeof task === 'string') {
    return { kind: 'prompt', prompt: task, tool: toolsOf(stepTool, settings), timeoutMs: null, step };
  }
  const timeoutMs = millisecondsOf(task.timeout);
  if (task.run !== undefined) return { kind: 'run', run: task.run, timeoutMs, step };
  const tool = toolsOf(task.tool ?? stepTool, settings);
  return { kind: 'prompt', prompt: task.prompt ?? '', tool, timeoutMs, step };
}

/** A list is exact; a name is tried first, then the default chain. */
function toolsOf(tool: Tool, { toolChain }: Settings): string[] | null {
  if (tool === undefined) return null;
  return [...new Set(typeof tool === 'string' ? [tool, ...toolChain] : tool)];
}

function checksOf(tests: readonly WrittenTest[] | undefined, { extraPrograms }: Settings): Check[] {
  return (tests ?? []).map((test) => {
    if (typeof test === 'string') return classify(test, extraPrograms);
    if (test.run !== undefined) return { kind: 'command', text: test.run, run: test.run };
    return { kind: 'prose', text: test.prose ?? '' };
  });
}

function millisecondsOf(duration: string | number | undefined): number | null {
  return duration === undefined ? null : parseDuration(duration);
}

function tidied(paths: readonly string[] | undefined): string[] {
  return [...new Set((paths ?? []).map(tidyPath))];
}
