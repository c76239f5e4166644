import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { OrchError } from '../../lib/errors.ts';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import {
  isFinal,
  STATES,
  type State,
  type StatusRecord,
  StatusRecordSchema,
} from '../../lib/protocol/status.ts';
import { advance, mayAdvance, type RecordEvent, type Writer } from '../../lib/protocol/transitions.ts';
import { anyRecord, check, identity, plainRecord, reason, text, toolRun } from './arbitraries.ts';

const WRITERS: readonly Writer[] = ['orchestrator', 'worker', 'settler', 'person', 'collect'];

/** The diagram of section 4 of the contract, and the lines below it. */
const DIAGRAM: Record<State, readonly State[]> = {
  pending: ['starting', 'blocked', 'stopped'],
  blocked: ['pending'],
  starting: ['running', 'crashed', 'failed', 'timed_out', 'stopped'],
  running: ['completed', 'failed', 'timed_out', 'stopped', 'crashed'],
  completed: ['merged', 'conflict', 'pending'],
  conflict: ['merged', 'pending'],
  merged: ['pending'],
  failed: ['pending'],
  timed_out: ['pending'],
  stopped: ['pending'],
  // A death under a person's stop is `stopped`, whoever settles it.
  crashed: ['pending', 'stopped'],
};

/** A record may be written again in the states that last. */
const REWRITTEN: readonly State[] = ['pending', 'blocked', 'running'];

describe('mayAdvance', () => {
  it.each(STATES)('goes on from %s as in the contract', (from) => {
    for (const to of STATES) {
      const allowed = WRITERS.filter((writer) => mayAdvance(from, to, writer));
      const expected = DIAGRAM[from].includes(to) || (from === to && REWRITTEN.includes(from));
      expect(allowed.length > 0, `${from} → ${to}`).toBe(expected);
    }
  });

  it('keeps the lease rules of section 1', () => {
    for (const from of STATES) {
      for (const to of STATES) {
        const allowed = WRITERS.filter((writer) => mayAdvance(from, to, writer));
        const mustNot = (...writers: Writer[]): void => {
          for (const writer of writers) expect(allowed, `${from} → ${to}`).not.toContain(writer);
        };
        if (to === 'merged' || to === 'conflict') mustNot('orchestrator', 'worker', 'settler', 'person');
        else mustNot('collect');
        if (['pending', 'blocked', 'starting'].includes(to)) mustNot('worker', 'settler');
        if (to === 'running' || to === 'completed') mustNot('orchestrator', 'settler', 'person');
        if (to === 'crashed') mustNot('orchestrator', 'person');
      }
    }
  });

  it('leaves a final state to a person, and to collect', () => {
    for (const status of STATES) {
      const record = plainRecord({ status, restarts: 2 });
      if (!isFinal(record, 2) || status === 'blocked' || status === 'crashed') continue;
      for (const to of STATES) {
        for (const writer of ['orchestrator', 'worker', 'settler'] as const) {
          expect(mayAdvance(status, to, writer), `${status} → ${to} by ${writer}`).toBe(false);
        }
      }
      expect(mayAdvance(status, 'pending', 'person')).toBe(true);
    }
  });
});

const progress = fc.record(
  {
    current_task: fc.option(text, { nil: null }),
    progress: fc.constantFrom('1/2', '2/2'),
    tool: fc.option(fc.constantFrom('aider'), { nil: null }),
    tool_runs: fc.array(toolRun, { maxLength: 25 }),
    checks: fc.array(check, { maxLength: 25 }),
    head: fc.constant('b'.repeat(40)),
    fresh: fc.boolean(),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const event: fc.Arbitrary<RecordEvent> = fc.oneof(
  fc.record({
    type: fc.constant('start' as const),
    pid: fc.nat(),
    identity,
    attempt: fc.nat(9),
    containment: fc.constant('session'),
  }),
  fc.constant({ type: 'run' as const }),
  fc.record({ type: fc.constant('progress' as const), patch: progress }),
  fc.record({
    type: fc.constant('end' as const),
    status: fc.constantFrom('failed' as const, 'timed_out' as const, 'stopped' as const, 'crashed' as const),
    exitCode: fc.option(fc.integer({ min: 0, max: 255 }), { nil: null }),
    signal: fc.option(fc.constant('SIGKILL'), { nil: null }),
    reason,
    patch: progress,
  }),
  fc.record({
    type: fc.constant('complete' as const),
    head: fc.constant('a'.repeat(40)),
    reason: fc.option(reason, { nil: null }),
    patch: progress,
  }),
  fc.record({
    type: fc.constant('requeue' as const),
    restarts: fc.nat(3),
    reason: fc.option(reason, { nil: null }),
  }),
  fc.record({
    type: fc.constant('block' as const),
    blockedBy: fc.array(fc.constantFrom('A', 'B'), { minLength: 1, maxLength: 2 }),
    reason,
  }),
);

describe('advance', () => {
  it('never leaves the table nor the schema, over any sequence of events', () => {
    // Mostly by one who may, or few would get anywhere.
    const step = fc.tuple(event, fc.constantFrom(...WRITERS), fc.nat(5), fc.nat(1e9));
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyRecord, fc.array(step, { maxLength: 30 }), (first, steps) => {
        let record = first;
        for (const [next, anyone, luck, now] of steps) {
          const writer = luck === 0 ? anyone : usualWriter(next);
          const before: StatusRecord = structuredClone(record);
          try {
            const after = advance(record, next, writer, now);
            expect(mayAdvance(before.status, after.status, writer)).toBe(true);
            expect(
              v.is(StatusRecordSchema, after),
              `${before.status} → ${after.status} by ${next.type}`,
            ).toBe(true);
            expect(after.last_update).toBe(now);
            expect([after.workstream, after.schema]).toEqual([before.workstream, before.schema]);
            seen.add(`${before.status} ${after.status}`);
            expect(record).toEqual(before);
            record = readBack(after);
          } catch (error) {
            if (!(error instanceof OrchError)) throw error;
            expect(error.code).toBe('ILLEGAL_TRANSITION');
            expect(record).toEqual(before);
          }
        }
      }),
      { numRuns: 1_500 },
    );
    // The sequences are worth something only if they get around.
    const wanted = [
      'pending starting',
      'starting running',
      'running completed',
      'running crashed',
      'crashed pending',
    ];
    for (const edge of [...wanted, 'pending blocked', 'blocked pending']) expect([...seen]).toContain(edge);
  });

  it('forgets the worker when it goes back to pending, and keeps it when it ends', () => {
    const worker = { host: 'h', boot_id: 'b', pid_namespace: 'n', start_time: 1, session: 7, token: 't' };
    const why = { code: 'lost', message: 'm', hint: null };
    const running = plainRecord({ status: 'running', pid: 7, identity: worker, attempt: 3 });
    const end = { type: 'end', status: 'crashed', exitCode: null, signal: null, reason: why } as const;
    const crashed = advance(running, end, 'settler', 5);
    expect(crashed).toMatchObject({
      status: 'crashed',
      pid: 7,
      identity: worker,
      exit_code: null,
      ended_at: 5,
    });
    const pending = advance(crashed, { type: 'requeue', restarts: 1, reason: null }, 'orchestrator', 6);
    expect(pending).toMatchObject({ status: 'pending', pid: null, identity: null, attempt: 3, restarts: 1 });
  });

  it('keeps what a run has cost over its attempts, and begins another run at nothing', () => {
    const usage = { tokens_in: 5, tokens_out: 6, cost_usd: 0.1 };
    const why = { code: 'x', message: 'm', hint: null };
    const failed = plainRecord({ status: 'failed', exit_code: 1, reason: why, usage, run: 'r' });
    const again = { definition: '', title: '', depends_on: [], progress: '0/1', fresh: false };
    const requeued = (run: string): StatusRecord =>
      advance(failed, { type: 'requeue', restarts: 0, reason: null, again: { ...again, run } }, 'person', 1);
    expect(requeued('r').usage).toEqual(usage);
    expect(requeued('s').usage).toBeNull();
  });

  it('drops the total of a list that it replaces, and keeps those of the others', () => {
    const many = Array.from({ length: 300 }, (_, number) => `WS-${number}`);
    const blocked = plainRecord({
      status: 'blocked',
      depends_on: many,
      blocked_by: many,
      reason: { code: 'x', message: 'm', hint: null },
    });
    const stored = readBack(blocked);
    expect(stored['blocked_by_total']).toBe(300);
    const why = { code: 'dependency', message: 'm', hint: null };
    const next = readBack(
      advance(stored, { type: 'block', blockedBy: ['WS-1'], reason: why }, 'orchestrator', 1),
    );
    expect(next['blocked_by_total']).toBeUndefined();
    expect(next['depends_on_total']).toBe(300);
  });
});

function usualWriter(next: RecordEvent): Writer {
  if (next.type === 'end') return 'settler';
  return ['run', 'progress', 'complete'].includes(next.type) ? 'worker' : 'orchestrator';
}

function readBack(record: StatusRecord): StatusRecord {
  const parsed = parseRecord(encodeRecord(record));
  if (parsed.kind !== 'record') throw new Error(JSON.stringify(parsed));
  return parsed.record;
}
