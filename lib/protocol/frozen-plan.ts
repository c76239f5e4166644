import { isId } from './ids.ts';
import { isNotifier } from './notify.ts';
import type { FrozenPlan } from './plan.ts';
import { RULE_OUTCOMES } from './tools.ts';

/**
 * What a frozen plan must be for a program to go by it: its ids become paths, its texts arguments of git, its
 * numbers bounds. Fields of a later version are let pass. Not valibot: that cost `orch status` 32 ms per 1,000
 * workstreams, this 14 ms.
 */

type Test = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Test>>;

const text: Test = (value) => typeof value === 'string';
/** 1e999 is JSON too. */
const number: Test = (value) => typeof value === 'number' && Number.isFinite(value);
const bound: Test = (value) => number(value) && Number(value) >= 0;
const count: Test = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const commit: Test = (value) => typeof value === 'string' && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(value);
const id: Test = (value) => typeof value === 'string' && isId(value);
const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const orNull =
  (test: Test): Test =>
  (value) =>
    value === null || test(value);
const oneOf =
  (...words: unknown[]): Test =>
  (value) =>
    words.includes(value);
const absentOr =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const shaped =
  (shape: Shape): Test =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([name, test]) => test(value[name]));
const env: Test = (value) => isObject(value) && Object.values(value).every(text);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const placed = { digest: text, step: orNull(text), timeoutMs: orNull(bound) };
const runTask = shaped({ kind: oneOf('run'), run: text, ...placed });
const promptTask = shaped({ kind: oneOf('prompt'), prompt: text, tool: orNull(listOf(text)), ...placed });
const command = shaped({ kind: oneOf('command'), text, run: text });
const prose = shaped({ kind: oneOf('prose'), text });
const checks = listOf((value) => command(value) || prose(value));

const workstream = shaped({
  id,
  title: text,
  tasks: listOf((value) => runTask(value) || promptTask(value)),
  checks: listOf(shaped({ step: orNull(text), afterTask: count, checks })),
  files_scope: listOf(text),
  files_create: listOf(text),
  // Absent in plans of the version that had no scopes.
  scope: oneOf('enforce', 'warn', 'off', undefined),
  depends_on: listOf(id),
  tool: orNull(listOf(text)),
  priority: number,
  timeoutMs: orNull(bound),
  taskTimeoutMs: orNull(bound),
  setup: listOf(text),
  copy: listOf(text),
  env,
  definition: text,
  source: text,
  // Absent in plans of the version whose launches could not be finished by others.
  anew: absentOr(shaped({ seen: orNull(number), fresh: oneOf(true, false) })),
});

/** Absent in plans of the version that ran commands alone. Programs and their arguments come from here. */
const tools: Test = (value) =>
  isObject(value) &&
  Object.values(value).every(
    shaped({
      executable: absentOr(text),
      model: absentOr(text),
      args: absentOr(listOf(text)),
      env: absentOr(env),
      account: absentOr(text),
      registered: absentOr(
        shaped({
          prompt: oneOf('stdin', 'file', 'argument'),
          outcomes: listOf(
            shaped({
              outcome: oneOf(...RULE_OUTCOMES),
              exitCode: absentOr(number),
              pattern: absentOr(text),
              json: absentOr(shaped({ path: text, equals: () => true })),
            }),
          ),
          usage: absentOr(
            shaped({ tokensIn: absentOr(text), tokensOut: absentOr(text), costUsd: absentOr(text) }),
          ),
        }),
      ),
    }),
  );

const options = shaped({
  maxParallel: count,
  timeoutMs: bound,
  taskTimeoutMs: bound,
  stallTimeoutMs: bound,
  heartbeatMs: (value) => bound(value) && Number(value) >= 1,
  stopGraceMs: bound,
  restart: count,
  tool: orNull(listOf(text)),
  envFile: orNull(text),
  requireEnv: listOf(text),
  tools: absentOr(tools),
  // Absent in plans of the version whose logs grew without bound.
  logs: (value) => value === undefined || shaped({ maxBytes: count, keep: count, totalBytes: count })(value),
  notify: (value) => value === undefined || listOf(isNotifier)(value),
});

const plan = shaped({
  schema: oneOf('orch.plan-frozen/1'),
  run: text,
  created_at: number,
  base: commit,
  mode: oneOf('attached', 'detached'),
  options,
  lifts: absentOr(orNull(text)),
  workstreams: (value) => listOf(workstream)(value) && areUnique(value as { id: string }[]),
});

/** Ids become file names: those that differ in case alone are the same. */
function areUnique(workstreams: readonly { id: string }[]): boolean {
  return new Set(workstreams.map((one) => one.id.toLowerCase())).size === workstreams.length;
}

/** True for what a launch may have written. */
export function isFrozenPlan(value: unknown): value is FrozenPlan {
  return plan(value);
}
