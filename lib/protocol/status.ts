import * as v from 'valibot';

/** The status record `orch.status/1`: what `.status/<id>.json` holds. Times are Unix seconds. */

export const STATUS_SCHEMA = 'orch.status/1';

export const STATES = [
  'pending',
  'blocked',
  'starting',
  'running',
  'completed',
  'failed',
  'timed_out',
  'stopped',
  'crashed',
  'merged',
  'conflict',
] as const;
export type State = (typeof STATES)[number];

export const OUTCOMES = [
  'done',
  'no_change',
  'not_installed',
  'auth',
  'rate_limited',
  'quota',
  'context_overflow',
  'bad_edit',
  'verify_failed',
  'scope_violation',
  'timeout',
  'stalled',
  'killed',
  'error',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

// Finite, and safe: 1e999 is JSON too, but would be written back as null, and 2 ** 53 + 1 as another number.
const finite = v.pipe(v.number(), v.finite());
const seconds = finite;
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A commit, whole: what else a text says (an option, a range) would mean something to git too. */
const commit = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/, 'expected the full id of a commit'),
);
const strings = v.array(v.string());

const Reason = v.object({ code: v.string(), message: v.string(), hint: v.nullable(v.string()) });
export type Reason = v.InferOutput<typeof Reason>;

/** Who a worker is; together the fields survive PID reuse, reboots and containers that share a boot id. */
const Identity = v.object({
  host: v.string(),
  boot_id: v.string(),
  pid_namespace: v.string(),
  /** Linux: clock ticks since boot, exactly as in `/proc/PID/stat`. Elsewhere: Unix seconds. */
  start_time: finite,
  /** Session id of the process, where it leads one. */
  session: v.optional(v.nullable(count), null),
  token: v.string(),
});
export type Identity = v.InferOutput<typeof Identity>;

export const isIdentity = (value: unknown): value is Identity => v.is(Identity, value);

const ToolRun = v.object({
  task: count,
  tool: v.string(),
  outcome: v.picklist(OUTCOMES),
  seconds,
  exit_code: v.nullable(finite),
  tokens: v.nullable(count),
  cost: v.nullable(finite),
  /** Byte ranges in the two logs. */
  log: v.tuple([count, count]),
  err: v.tuple([count, count]),
});
export type ToolRun = v.InferOutput<typeof ToolRun>;

export const OUTSIDE_KINDS = ['added', 'modified', 'deleted', 'renamed', 'in_the_way', 'undone'] as const;

/**
 * A change outside the scope of a workstream; see "Scope" in docs/protocol.md. `renamed`: one end at least is
 * outside. `in_the_way`: inside, but in the place of something outside that had to come back. `undone`: only in a
 * commit of the tool, and changed back later.
 */
const Violation = v.object({
  task: count,
  path: v.string(),
  change: v.picklist(OUTSIDE_KINDS),
  /** Of a rename. */
  from: v.optional(v.string()),
});
export type Violation = v.InferOutput<typeof Violation>;

const StartedProcess = v.object({ pid: count, start_time: finite });

const CheckResult = v.object({
  text: v.string(),
  kind: v.picklist(['command', 'prose']),
  /** Null: not machine-checkable. */
  passed: v.nullable(v.boolean()),
  seconds: v.nullable(seconds),
});
export type CheckResult = v.InferOutput<typeof CheckResult>;

export const isCheckResult = (value: unknown): value is CheckResult => v.is(CheckResult, value);

const common = {
  current_task: v.nullable(v.string()),
  progress: v.string(),
  last_update: seconds,
  workstream: v.string(),
  schema: v.literal(STATUS_SCHEMA),
  title: v.string(),
  run: v.string(),
  attempt: count,
  /** Automatic restarts since a person last launched or retried. */
  restarts: v.optional(count, 0),
  /** Of those, the ones that no worker has to answer for: its launcher died before it began. At most CUT_OFFS_MAX. */
  cut_offs: v.optional(count, 0),
  /** Who started the worker; null before the first. */
  launcher: v.optional(v.nullable(StartedProcess), null),
  mode: v.picklist(['attached', 'detached', 'cluster']),
  tool: v.nullable(v.string()),
  /** The session of the command at work or last at work: what it leaves behind is found by it. */
  tool_session: v.optional(v.nullable(StartedProcess), null),
  tool_runs: v.array(ToolRun),
  branch: v.string(),
  worktree: v.string(),
  base: v.nullable(commit),
  head: v.nullable(commit),
  depends_on: strings,
  blocked_by: strings,
  started_at: v.nullable(seconds),
  ended_at: v.nullable(seconds),
  signal: v.nullable(v.string()),
  reason: v.nullable(Reason),
  checks: v.array(CheckResult),
  /** Of all tasks done since the base, earlier attempts included. */
  violations: v.optional(v.array(Violation), []),
  usage: v.nullable(v.object({ tokens_in: count, tokens_out: count, cost_usd: v.nullable(finite) })),
  /** How far the sweep for leftover processes reaches; see docs/protocol.md. */
  containment: v.optional(v.string(), 'unknown'),
  /** The next attempt starts from the base, not from the checkpoint; false once its worktree is there. */
  fresh: v.optional(v.boolean(), false),
  /** SHA-256 of the definition in the plan this attempt was made for. */
  definition: v.optional(v.string(), ''),
};

const idle = { pid: v.null(), identity: v.null(), exit_code: v.null() };
const alive = { pid: count, identity: Identity, exit_code: v.null() };
/** An ended attempt keeps the identity of its worker: leftovers are found by it. */
const ended = { pid: v.nullable(count), identity: v.nullable(Identity), exit_code: v.nullable(finite) };
const explained = { reason: Reason };

/** The schema of a record; types are made from it, and a JSON Schema can be. */
export const StatusRecordSchema = v.variant('status', [
  v.looseObject({ status: v.literal('pending'), ...common, ...idle }),
  v.looseObject({ status: v.literal('blocked'), ...common, ...idle, ...explained }),
  v.looseObject({ status: v.literal('starting'), ...common, ...alive }),
  v.looseObject({ status: v.literal('running'), ...common, ...alive }),
  v.looseObject({
    status: v.literal('completed'),
    ...common,
    ...ended,
    exit_code: v.literal(0),
    head: commit,
  }),
  v.looseObject({ status: v.literal('failed'), ...common, ...ended, ...explained }),
  v.looseObject({ status: v.literal('timed_out'), ...common, ...ended, ...explained }),
  v.looseObject({ status: v.literal('stopped'), ...common, ...ended, ...explained }),
  v.looseObject({ status: v.literal('crashed'), ...common, ...ended, ...explained }),
  v.looseObject({ status: v.literal('merged'), ...common, ...ended, head: commit }),
  v.looseObject({ status: v.literal('conflict'), ...common, ...ended, head: commit, ...explained }),
]);

const BY_STATUS = new Map<unknown, (typeof StatusRecordSchema.options)[number]>(
  StatusRecordSchema.options.map((option) => [option.entries.status.literal, option]),
);

/** Checks a value against the schema of its own state, which is four times as fast as trying them all. */
export function checkRecord(
  value: object,
): { success: true; output: StatusRecord } | { success: false; issue: v.BaseIssue<unknown> } {
  const option = 'status' in value ? BY_STATUS.get(value.status) : undefined;
  const checked = v.safeParse(option ?? StatusRecordSchema, value);
  return checked.success
    ? { success: true, output: checked.output }
    : { success: false, issue: checked.issues[0] };
}

/** All fields of the schema; a record may hold others, which orch keeps. */
export const KNOWN_FIELDS: ReadonlySet<string> = new Set(['status', ...Object.keys({ ...common, ...idle })]);

export type StatusRecord = v.InferOutput<typeof StatusRecordSchema>;
export type RecordOf<S extends State> = Extract<StatusRecord, { status: S }>;
export type AliveRecord = RecordOf<'starting' | 'running'>;

/** States in which a worker should be alive. */
export function isAliveState(record: StatusRecord): record is AliveRecord {
  return record.status === 'starting' || record.status === 'running';
}

/** So that a launcher that dies each time does not go on for ever. */
const CUT_OFFS_MAX = 10;

/** Automatic restarts that a workstream has in all; a launch that was cut off costs none of `restartLimit`. */
export function allowedRestarts(record: StatusRecord, restartLimit: number): number {
  return restartLimit + Math.min(record.cut_offs, CUT_OFFS_MAX);
}

/** True once nothing more happens to the record without a person; `restartLimit` is `--restart`. */
export function isFinal(record: StatusRecord, restartLimit: number): boolean {
  switch (record.status) {
    case 'pending':
    case 'starting':
    case 'running':
      return false;
    case 'crashed':
      return record.restarts >= allowedRestarts(record, restartLimit);
    case 'blocked':
    case 'completed':
    case 'failed':
    case 'timed_out':
    case 'stopped':
    case 'merged':
    case 'conflict':
      return true;
  }
}

const HELD_BACK_BY: ReadonlySet<string> = new Set(['environment', 'containment', 'spawn_failed']);

/** True for what could begin and does not, until a person mends what whoever orchestrates wrote down as its reason. */
export function isHeldBack({ status, reason }: { status: string; reason: Reason | null }): boolean {
  return status === 'pending' && HELD_BACK_BY.has(reason?.code ?? '');
}

/** True if dependents may start from this record's `head`. */
export function isSuccess(record: StatusRecord): record is RecordOf<'completed' | 'merged'> {
  return record.status === 'completed' || record.status === 'merged';
}

/** What follows a crash, for its reason; `restartLimit` is `--restart`. */
export function hintOfCrash(record: StatusRecord, restartLimit: number): string {
  return record.restarts < allowedRestarts(record, restartLimit)
    ? 'Whoever orchestrates restarts it from its last checkpoint; where nobody does, run `orch reattach`.'
    : `No restarts are left. Look at \`orch logs ${record.workstream} --stderr\`, then run \`orch retry ${record.workstream}\`.`;
}
