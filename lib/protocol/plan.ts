import { createHash } from 'node:crypto';
import type { ContainmentWish, Limits, Sandbox } from './containment.ts';
import type { LogLimits } from './log-parts.ts';
import type { Notifier } from './notify.ts';
import type { ToolSettings } from './tools.ts';

/** The frozen plan: what `lib/plan` makes of a person's files and `.status/_plan.json` keeps. */

export type Task =
  | { kind: 'run'; run: string; timeoutMs: number | null }
  | { kind: 'prompt'; prompt: string; tool: string[] | null; timeoutMs: number | null };

export type Check = { kind: 'command'; text: string; run: string } | { kind: 'prose'; text: string };

/** A task in its place: `digest` names it in git, so that an edited plan does not confuse finished work. */
export type PlannedTask = Task & { digest: string; step: string | null };

/** Acceptance tests that are due once the first `afterTask` tasks are done. */
export type CheckGroup = { step: string | null; afterTask: number; checks: Check[] };

/** Bounds on the tool runs of one task; null where the plan sets none. */
export type CircuitBreaker = {
  max_attempts: number | null;
  max_error_repeats: number | null;
  oscillation_threshold: number | null;
};

/**
 * Word of a launch that a workstream begins anew: so that whoever orchestrates can finish what a cut-off launch began.
 * `seen`: `last_update` of the record that it saw, which names it; null where there was none. `fresh`: from the base.
 */
export type Anew = { seen: number | null; fresh: boolean };

export type PlannedWorkstream = {
  id: string;
  title: string;
  /** `tasks`, then those of `steps` in dependency order. */
  tasks: PlannedTask[];
  /** Step checks in step order, the workstream's own last. Groups without checks are left out. */
  checks: CheckGroup[];
  files_scope: string[];
  files_create: string[];
  /** What becomes of a change outside `files_scope` and `files_create`. */
  scope: 'enforce' | 'warn' | 'off';
  depends_on: string[];
  tool: string[] | null;
  /** Larger goes first; critical 3, high 2, medium 1, low 0, or the number that the plan gives. */
  priority: number;
  timeoutMs: number | null;
  taskTimeoutMs: number | null;
  setup: string[];
  copy: string[];
  env: Record<string, string>;
  circuit_breaker: CircuitBreaker | null;
  /** Null or absent: what the config says. */
  limits?: Limits | null;
  sandbox?: Sandbox | null;
  /** SHA-256 of what the person wrote, so that a changed definition is seen. */
  definition: string;
  /** Where it was read, for messages: `file:line`. */
  source: string;
  /** Absent where the launch kept or adopted what was there, and in plans of versions that did not say. */
  anew?: Anew;
};

export type PlanOptions = {
  maxParallel: number;
  timeoutMs: number;
  taskTimeoutMs: number;
  stallTimeoutMs: number;
  heartbeatMs: number;
  stopGraceMs: number;
  restart: number;
  tool: string[] | null;
  /** File of `NAME=value` lines that workers get, absolute; null if there is none. It is read at each launch. */
  envFile: string | null;
  /** Names of variables without which no worker is started. */
  requireEnv: string[];
  /** Absent in plans that were frozen before there was the choice. */
  containment?: ContainmentWish;
  limits?: Limits | null;
  sandbox?: Sandbox | null;
  /** How large logs may grow; absent: the defaults. */
  logs?: LogLimits;
  /** What the config says of tools, by name. */
  tools?: Record<string, ToolSettings>;
  /** Who is told of what; absent in plans that were frozen before there was the choice. */
  notify?: Notifier[];
};

export type FrozenPlan = {
  schema: 'orch.plan-frozen/1';
  run: string;
  created_at: number;
  /** The commit that `--base` named when the run was launched. */
  base: string;
  mode: 'attached' | 'detached';
  options: PlanOptions;
  workstreams: PlannedWorkstream[];
  /** The mark of the hold that the launch found and lifts; null or absent: none. */
  lifts?: string | null;
};

export const DEFAULT_OPTIONS: PlanOptions = {
  maxParallel: 3,
  timeoutMs: 8 * 3_600_000,
  taskTimeoutMs: 2 * 3_600_000,
  stallTimeoutMs: 30 * 60_000,
  heartbeatMs: 5_000,
  stopGraceMs: 10_000,
  restart: 2,
  tool: null,
  envFile: null,
  requireEnv: [],
  containment: 'auto',
  limits: null,
  sandbox: null,
  tools: {},
  notify: [],
};

/**
 * The tasks with their digests. A digest is SHA-256 (hex) over what the task says and how many equal tasks
 * stand before it, so that the same command twice is two tasks.
 */
export function withDigests(tasks: readonly (Task & { step: string | null })[]): PlannedTask[] {
  const seen = new Map<string, number>();
  return tasks.map((task) => {
    const text = task.kind === 'run' ? `run\0${task.run}` : `prompt\0${task.prompt}`;
    const earlier = seen.get(text) ?? 0;
    seen.set(text, earlier + 1);
    const digest = createHash('sha256').update(`${text}\0${earlier}`).digest('hex');
    return { ...task, digest };
  });
}

/** What a person reads as the name of a task: its prompt or its command. */
export function taskText(task: Task): string {
  return task.kind === 'run' ? task.run : task.prompt;
}
