import fc from 'fast-check';
import { isId } from '../../lib/protocol/ids.ts';
import {
  type Identity,
  OUTCOMES,
  OUTSIDE_KINDS,
  type Reason,
  STATES,
  STATUS_SCHEMA,
  type State,
  type StatusRecord,
} from '../../lib/protocol/status.ts';

/** Generated records: whatever the schema allows, with texts that are hostile to a limit in bytes. */

/** Texts of every kind that grows when encoded: quotes, controls, astral characters, lone surrogates. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('\u001b', '"', '\\', '\n'), maxLength: 400 }) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: fc.constantFrom('é', '€', '😀', '\ud800', 'a'), maxLength: 400 }),
  },
);

export const id: fc.Arbitrary<string> = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/).filter(isId);

const time = fc.double({ min: 0, max: 4e9, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const count = fc.nat({ max: 1e9 });
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const hash = fc.stringMatching(/^[0-9a-f]{40}$/);

export const identity: fc.Arbitrary<Identity> = fc.record({
  host: fc.string({ maxLength: 64 }),
  boot_id: fc.uuid(),
  pid_namespace: fc.constantFrom('4026531836', 'ps', ''),
  start_time: fc.nat(),
  session: orNull(count),
  token: fc.stringMatching(/^[0-9a-f]{32}$/),
});

export const reason: fc.Arbitrary<Reason> = fc.record({
  code: fc.constantFrom('lost', 'timeout', 'scope_violation'),
  message: text,
  hint: orNull(text),
});

export const toolRun = fc.record({
  task: count,
  tool: fc.string({ maxLength: 20 }),
  outcome: fc.constantFrom(...OUTCOMES),
  seconds: time,
  exit_code: orNull(fc.integer({ min: -1, max: 255 })),
  tokens: orNull(count),
  cost: orNull(time),
  log: fc.tuple(count, count),
  err: fc.tuple(count, count),
});

export const check = fc.record({
  text,
  kind: fc.constantFrom('command' as const, 'prose' as const),
  passed: orNull(fc.boolean()),
  seconds: orNull(time),
});

const violation = fc.record(
  { task: count, path: text, change: fc.constantFrom(...OUTSIDE_KINDS), from: text },
  { requiredKeys: ['task', 'path', 'change'] },
);

const common = {
  current_task: orNull(text),
  progress: fc.tuple(fc.nat(99), fc.nat(99)).map(([done, all]) => `${done}/${all}`),
  last_update: time,
  workstream: id,
  schema: fc.constant(STATUS_SCHEMA),
  title: text,
  run: fc.stringMatching(/^[0-9a-z-]{1,36}$/),
  attempt: fc.nat(1000),
  restarts: fc.nat(5),
  cut_offs: fc.nat(12),
  launcher: orNull(fc.record({ pid: count, start_time: fc.nat() })),
  mode: fc.constantFrom('attached' as const, 'detached' as const, 'cluster' as const),
  tool: orNull(fc.string({ maxLength: 20 })),
  tool_session: orNull(fc.record({ pid: count, start_time: fc.nat() })),
  tool_runs: fc.array(toolRun, { maxLength: 30 }),
  branch: id.map((name) => `orch/${name}`),
  worktree: fc.string({ maxLength: 60 }).map((name) => `/repo/.worktrees/${name}`),
  base: orNull(hash),
  head: orNull(hash),
  depends_on: fc.array(id, { maxLength: 40 }),
  blocked_by: fc.array(id, { maxLength: 40 }),
  started_at: orNull(time),
  ended_at: orNull(time),
  signal: orNull(fc.constantFrom('SIGKILL', 'SIGTERM')),
  reason: orNull(reason),
  checks: fc.array(check, { maxLength: 30 }),
  violations: fc.array(violation, { maxLength: 30 }),
  usage: orNull(fc.record({ tokens_in: count, tokens_out: count, cost_usd: orNull(time) })),
  containment: fc.constantFrom('none yet', 'session+marker+cwd'),
  fresh: fc.boolean(),
  definition: fc.stringMatching(/^[0-9a-f]{64}$/),
};

const idle = { pid: fc.constant(null), identity: fc.constant(null), exit_code: fc.constant(null) };
const alive = { pid: count, identity, exit_code: fc.constant(null) };
const ended = {
  pid: orNull(count),
  identity: orNull(identity),
  exit_code: orNull(fc.integer({ min: -1, max: 255 })),
};

const BY_STATE: Record<State, Record<string, fc.Arbitrary<unknown>>> = {
  pending: idle,
  blocked: { ...idle, reason },
  starting: alive,
  running: alive,
  completed: { ...ended, exit_code: fc.constant(0), head: hash },
  failed: { ...ended, reason },
  timed_out: { ...ended, reason },
  stopped: { ...ended, reason },
  crashed: { ...ended, reason },
  merged: { ...ended, head: hash },
  conflict: { ...ended, head: hash, reason },
};

function recordIn(state: State): fc.Arbitrary<StatusRecord> {
  const fields = { ...common, ...BY_STATE[state], status: fc.constant(state) };
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<unknown> as fc.Arbitrary<StatusRecord>;
}

export const anyRecord: fc.Arbitrary<StatusRecord> = fc.constantFrom(...STATES).chain(recordIn);

/** One plain record, for tables. */
export function plainRecord(changes: Record<string, unknown> = {}): StatusRecord {
  const record = {
    status: 'pending',
    current_task: null,
    progress: '0/1',
    last_update: 1764400000.5,
    exit_code: null,
    workstream: 'WS-001',
    schema: STATUS_SCHEMA,
    title: 'a title',
    run: 'run-1',
    attempt: 0,
    restarts: 0,
    cut_offs: 0,
    launcher: null,
    mode: 'detached',
    pid: null,
    identity: null,
    tool: null,
    tool_session: null,
    tool_runs: [],
    branch: 'orch/WS-001',
    worktree: '/repo/.worktrees/WS-001',
    base: null,
    head: null,
    depends_on: [],
    blocked_by: [],
    started_at: null,
    ended_at: null,
    signal: null,
    reason: null,
    checks: [],
    violations: [],
    usage: null,
    containment: 'none yet',
    fresh: false,
    definition: 'd',
    ...changes,
  };
  return record as unknown as StatusRecord;
}
