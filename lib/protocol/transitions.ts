import { OrchError } from '../errors.ts';
import type { CheckResult, Identity, Reason, State, StatusRecord, ToolRun, Violation } from './status.ts';

/** The state machine of a record: what may follow what, and who may write it. */

/**
 * Who holds the lease for a change: `orchestrator` launches, `worker` is the live worker itself, `settler` is
 * whoever proved the worker dead, `person` is a command that a person gave (`stop`, `retry`), `collect` merges.
 */
export type Writer = 'orchestrator' | 'worker' | 'settler' | 'person' | 'collect';

const TABLE: Record<State, Partial<Record<State, readonly Writer[]>>> = {
  pending: {
    pending: ['orchestrator', 'person'],
    blocked: ['orchestrator'],
    starting: ['orchestrator', 'person'],
    stopped: ['person', 'settler'],
  },
  blocked: { blocked: ['orchestrator'], pending: ['orchestrator', 'person'] },
  starting: {
    running: ['worker'],
    failed: ['worker', 'settler'],
    timed_out: ['worker', 'settler'],
    stopped: ['worker', 'settler'],
    crashed: ['worker', 'settler'],
  },
  running: {
    running: ['worker'],
    completed: ['worker'],
    failed: ['worker'],
    timed_out: ['worker', 'settler'],
    stopped: ['worker', 'settler'],
    crashed: ['worker', 'settler'],
  },
  crashed: { pending: ['orchestrator', 'person'], stopped: ['person', 'settler'] },
  completed: { pending: ['person'], merged: ['collect'], conflict: ['collect'] },
  failed: { pending: ['person'] },
  timed_out: { pending: ['person'] },
  stopped: { pending: ['person'] },
  merged: { pending: ['person'] },
  conflict: { pending: ['person'], merged: ['collect'] },
};

/** True if `writer` may take a record from one state to the other. */
export function mayAdvance(from: State, to: State, writer: Writer): boolean {
  return TABLE[from][to]?.includes(writer) ?? false;
}

export type RecordEvent =
  | {
      type: 'start';
      pid: number;
      identity: Identity;
      attempt: number;
      containment: string;
      launcher?: StatusRecord['launcher'];
    }
  | { type: 'run' }
  | { type: 'progress'; patch: Progress }
  | {
      type: 'end';
      status: 'failed' | 'timed_out' | 'stopped' | 'crashed';
      exitCode: number | null;
      signal: string | null;
      reason: Reason;
      patch?: Progress;
      /** Its launcher died before it began: the restart that follows is not counted. */
      cutOff?: boolean;
    }
  | { type: 'complete'; head: string; reason: Reason | null; patch?: Progress }
  | { type: 'requeue'; restarts: number; reason: Reason | null; again?: Again }
  | { type: 'block'; blockedBy: string[]; reason: Reason };

/** What a person's launch or retry changes in a record that existed before. */
type Again = {
  run: string;
  definition: string;
  title: string;
  depends_on: string[];
  progress: string;
  fresh: boolean;
};

/** What a live worker reports without changing its state. */
export type Progress = {
  current_task?: string | null;
  progress?: string;
  tool?: string | null;
  tool_session?: StatusRecord['tool_session'];
  tool_runs?: ToolRun[];
  checks?: CheckResult[];
  /** With its total, since a long list is cut before it is reported. */
  violations?: Violation[];
  violations_total?: number;
  base?: string | null;
  head?: string | null;
  fresh?: boolean;
  usage?: StatusRecord['usage'];
  /** Why it stands still: a limit of an account. Null once it goes on. */
  reason?: Reason | null;
};

const idle = { pid: null, identity: null, exit_code: null } as const;

/**
 * The record that follows `record` after `event`; `last_update` and times are `now` (Unix seconds).
 * @throws OrchError ILLEGAL_TRANSITION where the table does not let `writer` do it.
 */
export function advance(record: StatusRecord, event: RecordEvent, writer: Writer, now: number): StatusRecord {
  const next = dropTotals(record, apply(record, event, now));
  if (!mayAdvance(record.status, next.status, writer)) {
    throw new OrchError(
      'ILLEGAL_TRANSITION',
      `${record.workstream} cannot go from ${record.status} to ${next.status} by ${writer}`,
    );
  }
  return next;
}

/** A list that was replaced is whole again: the total of the one that did not fit on disk goes. */
function dropTotals(before: StatusRecord, after: StatusRecord): StatusRecord {
  const fields = ['tool_runs', 'checks', 'depends_on', 'blocked_by'] as const;
  const stale = fields.filter((field) => after[field] !== before[field] && `${field}_total` in after);
  if (stale.length === 0) return after;
  const next: StatusRecord = { ...after };
  for (const field of stale) delete next[`${field}_total`];
  return next;
}

function apply(record: StatusRecord, event: RecordEvent, now: number): StatusRecord {
  const touched = { ...record, last_update: now };
  switch (event.type) {
    case 'start': {
      const { pid, identity, attempt, containment, launcher = null } = event;
      const fresh = {
        tool: null,
        tool_session: null,
        tool_runs: [],
        checks: [],
        blocked_by: [],
        current_task: null,
      };
      // They belong to the tasks done, not to the attempt; a fresh one starts without either.
      const violations = record.fresh ? { violations: [], violations_total: 0 } : {};
      const times = { started_at: now, ended_at: null, signal: null, reason: null, exit_code: null };
      return {
        ...touched,
        ...fresh,
        ...violations,
        ...times,
        status: 'starting',
        pid,
        identity,
        attempt,
        containment,
        launcher,
      };
    }
    case 'run':
      if (record.status !== 'starting') return touched;
      return { ...record, last_update: now, status: 'running' };
    case 'progress':
      return { ...touched, ...event.patch } as StatusRecord;
    case 'end': {
      const { exitCode, signal, reason } = event;
      const cut_offs = record.cut_offs + (event.cutOff === true ? 1 : 0);
      const end = {
        ended_at: now,
        exit_code: exitCode,
        signal,
        reason,
        current_task: null,
        tool: null,
        cut_offs,
      };
      return { ...touched, ...event.patch, ...end, status: event.status } as StatusRecord;
    }
    case 'complete': {
      const end = { ended_at: now, exit_code: 0 as const, signal: null, reason: event.reason };
      const done = { current_task: null, tool: null, head: event.head };
      return { ...touched, ...event.patch, ...end, ...done, status: 'completed' };
    }
    case 'requeue': {
      const { restarts, reason, again } = event;
      const cut_offs = restarts === 0 ? 0 : record.cut_offs;
      const cleared = { blocked_by: [], current_task: null, signal: null, cut_offs };
      // What a run has cost stays with it, whatever becomes of its attempts; another run begins at nothing.
      const usage = again === undefined || again.run === record.run ? record.usage : null;
      return { ...touched, ...idle, ...cleared, usage, ...again, status: 'pending', restarts, reason };
    }
    case 'block':
      return { ...touched, ...idle, status: 'blocked', blocked_by: event.blockedBy, reason: event.reason };
  }
}
