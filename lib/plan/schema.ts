import * as v from 'valibot';
import { idFault } from '../protocol/ids.ts';
import { LimitsSchema, SandboxSchema } from './containment.ts';
import { parseDuration } from './durations.ts';
import { pathFault } from './paths.ts';

/**
 * What a plan file may say: types and JSON Schema come from here. The message of a schema is what was
 * expected ("a text"), that of a check the rule ("must not be empty").
 */

export const EMPTY = 'must not be empty';

const PRIORITIES: ReadonlyMap<string, number> = new Map([
  ['critical', 3],
  ['high', 2],
  ['medium', 1],
  ['low', 0],
]);
export const DEFAULT_PRIORITY = 1;

/** The number of a priority word in any case, or of a number; null for anything else. */
export function priorityOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return typeof value === 'string' ? (PRIORITIES.get(value.trim().toLowerCase()) ?? null) : null;
}

const noNul = v.check((text: string) => !text.includes('\0'), 'must not hold a NUL character');
const isMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Before `v.object` and `v.record`, which take lists for objects. */
const map = (expected: string) => v.custom<Record<string, unknown>>(isMap, expected);
const Text = v.pipe(v.string('a text'), v.regex(/\S/, EMPTY), noNul);
const Texts = v.array(Text, 'a list of texts');

const Id = v.pipe(
  v.string('a text'),
  v.check(
    (id) => idFault(id) === null,
    (issue) => idFault(issue.input) ?? '',
  ),
);
const RepoPath = v.pipe(
  v.string('a path'),
  v.check(
    (path) => pathFault(path) === null,
    (issue) => pathFault(issue.input) ?? '',
  ),
);
const RepoPaths = v.array(RepoPath, 'a list of paths inside the repository');

const Tool = v.union(
  [Text, v.pipe(Texts, v.minLength(1, EMPTY))],
  'the name of a tool (tried first) or a list of names (exact)',
);
const DURATION = 'a duration such as "90s", "30m" or "8h", or a number of seconds';
const Duration = v.pipe(
  v.union([v.string(), v.number()], DURATION),
  v.check((value) => parseDuration(value) !== null, `must be ${DURATION}, more than 0 and at most a year`),
);
const PRIORITY = 'critical, high, medium, low or a number';
const Priority = v.pipe(
  v.union([v.string(), v.number()], PRIORITY),
  v.check((value) => priorityOf(value) !== null, `must be ${PRIORITY}`),
);

const TaskObject = v.pipe(
  map('a task'),
  v.object(
    {
      run: v.optional(Text),
      prompt: v.optional(Text),
      tool: v.optional(Tool),
      timeout: v.optional(Duration),
    },
    'a task',
  ),
  v.check(
    (task) => (task.run === undefined) !== (task.prompt === undefined),
    'must have either "run" or "prompt"',
  ),
  v.check(
    (task) => task.run === undefined || task.tool === undefined,
    'must not have "tool": "run" needs none',
  ),
);
const Task = v.union([Text, TaskObject], 'a text (a prompt), {"prompt": ...} or {"run": "shell command"}');
const Tasks = v.array(Task, 'a list of tasks');

const CheckObject = v.pipe(
  map('an acceptance test'),
  v.object({ run: v.optional(Text), prose: v.optional(Text) }, 'an acceptance test'),
  v.check(
    (test) => (test.run === undefined) !== (test.prose === undefined),
    'must have either "run" or "prose"',
  ),
);
const AcceptanceTest = v.union([Text, CheckObject], 'a text, {"run": "shell command"} or {"prose": ...}');
const AcceptanceTests = v.array(AcceptanceTest, 'a list of acceptance tests');

const STEP = 'a step: {"id": ..., "tasks": [...]}';
const Step = v.pipe(
  map(STEP),
  v.object(
    {
      id: Text,
      description: v.optional(v.string('a text')),
      tasks: v.pipe(Tasks, v.minLength(1, EMPTY)),
      depends_on: v.optional(Texts),
      tool: v.optional(Tool),
      acceptance_tests: v.optional(AcceptanceTests),
    },
    STEP,
  ),
);

const EnvName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name of letters, digits and "_" that starts with no digit'),
  v.check((name) => !/^(?:ORCH|GIT)_/.test(name), 'must not begin with ORCH_ or GIT_, which are set by orch'),
);
const EnvValue = v.pipe(v.string('a text (put numbers and true or false in quotes)'), noNul);
const Env = v.pipe(map('an object of names and texts'), v.record(EnvName, EnvValue));

const count = v.optional(
  v.pipe(v.number('a whole number'), v.integer('must be a whole number'), v.minValue(1, 'must be 1 or more')),
);
const CircuitBreaker = v.pipe(
  map('an object'),
  v.object({ max_attempts: count, max_error_repeats: count, oscillation_threshold: count }),
);

/** A list or an object under this name is a mistaken `files_scope`: a fault of the key, told elsewhere. */
const Scope = v.union(
  [
    v.picklist(['enforce', 'warn', 'off']),
    v.custom<object>((value) => typeof value === 'object' && value !== null),
  ],
  'enforce, warn or off',
);

export const WorkstreamSchema = v.object(
  {
    id: Id,
    title: v.optional(Text),
    tasks: v.optional(Tasks),
    steps: v.optional(v.array(Step, 'a list of steps')),
    files_scope: v.optional(RepoPaths),
    files_create: v.optional(RepoPaths),
    scope: v.optional(Scope),
    acceptance_tests: v.optional(AcceptanceTests),
    depends_on: v.optional(Texts),
    tool: v.optional(Tool),
    priority: v.optional(Priority),
    timeout: v.optional(Duration),
    task_timeout: v.optional(Duration),
    setup: v.optional(v.union([Text, Texts], 'a shell command or a list of them')),
    copy: v.optional(RepoPaths),
    env: v.optional(Env),
    circuit_breaker: v.optional(CircuitBreaker),
    limits: v.optional(LimitsSchema),
    sandbox: v.optional(SandboxSchema),
    metadata: v.optional(v.pipe(map('an object'), v.record(v.string(), v.unknown()))),
  },
  'a workstream',
);
export type WrittenWorkstream = v.InferOutput<typeof WorkstreamSchema>;
export type WrittenTask = v.InferOutput<typeof Task>;
export type WrittenTest = v.InferOutput<typeof AcceptanceTest>;
export type WrittenStep = v.InferOutput<typeof Step>;

/** The schema of a plan file. Its JSON Schema leaves rules that it cannot say (ids, paths) to the reader. */
export const PlanSchema = v.union([
  WorkstreamSchema,
  v.array(WorkstreamSchema),
  v.object({ workstreams: v.array(WorkstreamSchema) }),
]);
