import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRecord, RECORD_MAX_BYTES, TEXT_MAX_BYTES } from '../../lib/protocol/encode.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import { KNOWN_FIELDS, type StatusRecord } from '../../lib/protocol/status.ts';
import { cutText } from '../../lib/protocol/text.ts';
import { anyRecord, plainRecord } from './arbitraries.ts';

const LISTS = ['tool_runs', 'checks', 'violations', 'depends_on', 'blocked_by'] as const;

function readBack(text: string): StatusRecord {
  const parsed = parseRecord(text);
  if (parsed.kind !== 'record') throw new Error(`not a record: ${JSON.stringify(parsed)}`);
  return parsed.record;
}

const toolRun = (task: number): object => ({
  task,
  tool: 'command',
  outcome: 'done',
  seconds: 1,
  exit_code: 0,
  tokens: null,
  cost: null,
  log: [0, 1],
  err: [0, 1],
});

describe('encodeRecord', () => {
  it('is tested with all fields that there are', () => {
    expect(Object.keys(plainRecord()).sort()).toEqual([...KNOWN_FIELDS].sort());
    const fields = (record: StatusRecord): string[] => Object.keys(record).sort();
    for (const record of fc.sample(anyRecord, 20)) expect(fields(record)).toEqual([...KNOWN_FIELDS].sort());
  });

  it('fits in one block and reads back, whatever the record holds', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const text = encodeRecord(record);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(RECORD_MAX_BYTES);
        expect(text.endsWith('}\n')).toBe(true);
        const back = readBack(text);
        for (const field of [
          'status',
          'workstream',
          'run',
          'attempt',
          'pid',
          'identity',
          'head',
          'exit_code',
        ] as const) {
          expect(back[field]).toEqual(record[field]);
        }
        expect(back.worktree).toBe(record.worktree);
        for (const field of LISTS) {
          const total = back[`${field}_total`] ?? back[field].length;
          expect(total).toBe(record[field].length);
          if (`${field}_total` in back) expect(back[field].length).toBeLessThan(record[field].length);
        }
      }),
      { numRuns: 250 },
    );
  });

  it('says the same when what was read back is written again', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const once = readBack(encodeRecord(record));
        expect(readBack(encodeRecord(once))).toEqual(once);
      }),
      { numRuns: 150 },
    );
  });

  it('changes nothing in a record that fits', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        fc.pre(Buffer.byteLength(JSON.stringify(record)) < RECORD_MAX_BYTES);
        fc.pre(!hasLongText(record));
        expect(readBack(encodeRecord(record))).toEqual(JSON.parse(JSON.stringify(record)));
      }),
      { numRuns: 150 },
    );
  });

  it('cuts texts at 256 bytes, but never the path of the worktree', () => {
    const worktree = `/${'deep/'.repeat(100)}`;
    const back = readBack(encodeRecord(plainRecord({ title: 'é'.repeat(200), worktree })));
    expect(back.title).toBe(cutText('é'.repeat(200), TEXT_MAX_BYTES));
    expect(back.worktree).toBe(worktree);
  });

  it('keeps the latest tool runs and the first dependencies', () => {
    const tool_runs = Array.from({ length: 60 }, (_, task) => toolRun(task));
    const depends_on = Array.from({ length: 300 }, (_, number) => `WS-${number}`);
    const back = readBack(encodeRecord(plainRecord({ tool_runs, depends_on })));
    expect(back['tool_runs_total']).toBe(60);
    expect(back.tool_runs.at(-1)?.task).toBe(59);
    expect(back['depends_on_total']).toBe(300);
    expect(back.depends_on[0]).toBe('WS-0');
    expect(back.depends_on.length).toBeGreaterThan(10);
  });

  it('has no trouble with the runs of a night of rate limits', () => {
    const tool_runs = Array.from({ length: 20_000 }, (_, task) => toolRun(task));
    const begun = process.cpuUsage();
    const text = encodeRecord(plainRecord({ tool_runs }));
    // Written out once for each run that goes, it takes minutes.
    expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000);
    const back = readBack(text);
    expect([back['tool_runs_total'], back.tool_runs.at(-1)?.task]).toEqual([20_000, 19_999]);
    // One more would have had no room.
    const next = Buffer.byteLength(`${JSON.stringify(toolRun(10_000))},`);
    expect(Buffer.byteLength(text) + next).toBeGreaterThan(RECORD_MAX_BYTES);
  });

  it('keeps fields that it does not know', () => {
    const back = readBack(encodeRecord(plainRecord({ note_of_a_monitor: { seen: true } })));
    expect(back['note_of_a_monitor']).toEqual({ seen: true });
  });

  it('gives up foreign fields before it gives up the record', () => {
    const back = readBack(
      encodeRecord(plainRecord({ note: Array.from({ length: 5000 }, () => 'x'), small: 1 })),
    );
    expect(back.workstream).toBe('WS-001');
    expect(back['note']).toBeUndefined();
  });

  it('still writes a record whose texts are all control characters, six bytes each in JSON', () => {
    const loud = '\u001b'.repeat(300);
    const reason = { code: 'lost', message: loud, hint: loud };
    const back = readBack(encodeRecord(plainRecord({ title: loud, current_task: loud, reason })));
    expect(back.title.startsWith('\u001b')).toBe(true);
    expect(back.reason?.message.startsWith('\u001b')).toBe(true);
  });

  it('says RECORD_TOO_LARGE rather than write what a full disk could cut', () => {
    const worktree = `/${'x'.repeat(4000)}`;
    expect(() => encodeRecord(plainRecord({ worktree }))).toThrowError(
      expect.objectContaining({ code: 'RECORD_TOO_LARGE' }),
    );
  });
});

function hasLongText(value: unknown): boolean {
  if (typeof value === 'string') return Buffer.byteLength(value) > TEXT_MAX_BYTES;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasLongText);
}
