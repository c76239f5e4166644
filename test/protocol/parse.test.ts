import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import { anyRecord, plainRecord } from './arbitraries.ts';

describe('parseRecord of what cannot be read', () => {
  it.each([
    ['', 1, 1],
    ['{', 1, 2],
    ['{"status": "running"', 1, 21],
    ['{"status": "run', 1, 16],
    ['{\n  "status": x\n}', 2, 13],
    ['{\n  "status": "running",\n  "progress": "1/2",,\n}', 3, 21],
    ['{"a": 1}}', 1, 9],
    ['{"list": [1, 2,]}', 1, 16],
    ['{\n"a": 01}', 2, 7],
    ['\ufeff{"status": "running"}', 1, 1],
    ['null', 1, 1],
    ['[]', 1, 1],
    ['"running"', 1, 1],
    ['{}', 1, 1],
    ['{\n "progress": "1/4",\n "status": 5}', 3, 2],
  ])('tells where %j goes wrong', (text, line, column) => {
    expect(parseRecord(text)).toMatchObject({
      kind: 'unreadable',
      message: expect.any(String),
      line,
      column,
    });
  });

  it('names the field of ours that is wrong, and where it is', () => {
    const text = JSON.stringify(plainRecord({ attempt: 'one' }), null, 2);
    const parsed = parseRecord(text);
    const line = text.split('\n').findIndex((one) => one.includes('"attempt"')) + 1;
    expect(parsed).toMatchObject({ kind: 'unreadable', line, column: 3 });
    expect(parsed.kind === 'unreadable' && parsed.message).toContain('attempt');
  });

  it('does not take a record of another version of orch for one of its own', () => {
    const text = JSON.stringify(plainRecord({ schema: 'orch.status/2' }));
    expect(parseRecord(text)).toMatchObject({
      kind: 'unreadable',
      message: expect.stringContaining('schema'),
    });
  });

  it('refuses states whose fields do not fit', () => {
    for (const changes of [
      { status: 'running' },
      { status: 'completed', exit_code: 0 },
      { status: 'completed', exit_code: 1, head: 'h' },
      { status: 'failed', reason: null },
      { status: 'pending', pid: 1 },
      { status: 'merged' },
      { status: 'unknown' },
    ]) {
      expect(parseRecord(JSON.stringify(plainRecord(changes))).kind).toBe('unreadable');
    }
  });
});

describe('parseRecord of foreign records', () => {
  it('reads as little as the design document asks for', () => {
    const parsed = parseRecord('{"status": "running", "progress": "1/4", "last_update": 1764400000.1}');
    expect(parsed).toEqual({
      kind: 'foreign',
      record: {
        status: 'running',
        current_task: null,
        progress: '1/4',
        last_update: 1764400000.1,
        exit_code: null,
        fields: { status: 'running', progress: '1/4', last_update: 1764400000.1 },
      },
    });
  });

  it('keeps status words that orch does not know, and takes no wrong type for a value', () => {
    const parsed = parseRecord(
      '{"status": "Réfléchit…", "progress": 3, "last_update": "now", "exit_code": "0"}',
    );
    expect(parsed).toMatchObject({
      kind: 'foreign',
      record: { status: 'Réfléchit…', progress: null, last_update: null, exit_code: null },
    });
  });

  it('never reads an unknown exit code as 0', () => {
    for (const code of ['null', '"0"', 'false', '""', '[]', '1e999']) {
      expect(parseRecord(`{"status": "completed", "exit_code": ${code}}`)).toMatchObject({
        kind: 'foreign',
        record: { exit_code: null },
      });
    }
  });
});

describe('parseRecord', () => {
  it('reads every record that was written', () => {
    fc.assert(fc.property(anyRecord, (record) => parseRecord(encodeRecord(record)).kind === 'record'));
  });

  it('never throws, on any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), cutOrBent()), (text) => {
        const parsed = parseRecord(text);
        expect(['record', 'foreign', 'unreadable']).toContain(parsed.kind);
        if (parsed.kind !== 'unreadable') return;
        const lines = text.split('\n');
        expect(parsed.line).toBeGreaterThanOrEqual(1);
        expect(parsed.line).toBeLessThanOrEqual(lines.length);
        expect(parsed.column).toBeGreaterThanOrEqual(1);
        expect(parsed.column).toBeLessThanOrEqual((lines[parsed.line - 1] ?? '').length + 1);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    '['.repeat(500_000),
    `${'['.repeat(500_000)}x`,
    `{"status": "running", "a": ${'['.repeat(200_000)}`,
  ])('survives a deeply nested text', (text) => {
    expect(parseRecord(text).kind).toBe('unreadable');
  });

  it('is not misled by keys that name the prototype', () => {
    const evil =
      '{"__proto__": {"status": "running", "schema": "orch.status/1"}, "constructor": {"prototype": {"polluted": 1}}}';
    expect(parseRecord(evil).kind).toBe('unreadable');
    const withStatus = parseRecord(`{"status": "running", ${evil.slice(1)}`);
    expect(withStatus.kind).toBe('foreign');
    const ours = JSON.stringify(plainRecord()).replace(
      '{',
      '{"__proto__": {"polluted": 1, "restarts": 99}, ',
    );
    const parsed = parseRecord(ours);
    expect(parsed.kind).toBe('record');
    if (parsed.kind === 'record') {
      expect(Object.getPrototypeOf(parsed.record)).toBe(Object.prototype);
      expect(parsed.record['polluted']).toBeUndefined();
      expect(parsed.record.restarts).toBe(0);
      expect(() => encodeRecord(parsed.record)).not.toThrow();
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

/** A record that was cut off, or in which one character was replaced. */
function cutOrBent(): fc.Arbitrary<string> {
  return fc
    .tuple(anyRecord, fc.nat(4096), fc.constantFrom(null, '"', '{', ',', 'x', '\n', '\u0000'))
    .map(([record, at, put]) => {
      const whole = encodeRecord(record);
      const where = at % whole.length;
      return put === null ? whole.slice(0, where) : whole.slice(0, where) + put + whole.slice(where + 1);
    });
}
