import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventsPath, recordPath, statusDir } from '../../lib/protocol/layout.ts';
import type { StatusRecord } from '../../lib/protocol/status.ts';
import type { RecordEvent } from '../../lib/protocol/transitions.ts';
import {
  changeRecord,
  createRecord,
  type Lease,
  leaseOf,
  listRecordIds,
  readRecord,
} from '../../lib/store/records.ts';
import { plainRecord } from '../protocol/arbitraries.ts';
import { endAll, makeFolder, makeRoot, runProgram } from './run-program.ts';

afterEach(endAll);

const ID = 'WS-001';
const actor = { role: 'test', pid: process.pid };
const identity = {
  host: 'h',
  boot_id: 'b',
  pid_namespace: 'n',
  start_time: 1,
  session: null,
  token: 'token-1',
};
const running = plainRecord({ status: 'running', pid: 1, identity, attempt: 2 });
const event = { type: 'progress', patch: { progress: '1/1' } } as const;

async function rootWith(record: StatusRecord): Promise<string> {
  const root = makeRoot();
  expect(await createRecord(root, actor, record)).toMatchObject({ ok: true });
  return root;
}

describe('changeRecord', () => {
  it.each<[string, Partial<Lease>]>([
    ['another run', { run: 'run-2' }],
    ['an older attempt', { attempt: 1 }],
    ['a newer attempt', { attempt: 3 }],
    ['another token', { token: 'token-2' }],
    ['no token', { token: null }],
  ])('refuses a lease of %s and writes nothing', async (_, changes) => {
    const root = await rootWith(running);
    const before = readFileSync(recordPath(root, ID), 'utf8');
    const lease = { ...leaseOf(running), ...changes };
    const refused = await changeRecord(root, ID, lease, 'worker', actor, event);
    expect(refused).toMatchObject({ ok: false, current: { kind: 'record', record: { attempt: 2 } } });
    expect(readFileSync(recordPath(root, ID), 'utf8')).toBe(before);
  });

  it('lets the right lease write, unless its guard says no', async () => {
    const root = await rootWith(running);
    const change = (guard: () => boolean) =>
      changeRecord(root, ID, leaseOf(running), 'worker', actor, event, guard);
    expect(await change(() => false)).toMatchObject({ ok: false });
    expect(await change(() => true)).toMatchObject({ ok: true, record: { progress: '1/1' } });
    expect(statSync(recordPath(root, ID)).mode & 0o777).toBe(0o600);
    expect(readdirSync(statusDir(root))).toEqual([`${ID}.json`]);
  });

  it('lets nobody leave the table, and gives the lock back', async () => {
    const root = await rootWith(running);
    const why = { code: 'x', message: 'x', hint: null };
    const block: RecordEvent = { type: 'block', blockedBy: [], reason: why };
    const change = changeRecord(root, ID, leaseOf(running), 'orchestrator', actor, block);
    await expect(change).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
    expect(await changeRecord(root, ID, leaseOf(running), 'worker', actor, event)).toMatchObject({
      ok: true,
    });
  });

  it('says what is there where there is no record, or a foreign one', async () => {
    const root = makeRoot();
    const change = () => changeRecord(root, ID, leaseOf(running), 'worker', actor, event);
    expect(await change()).toMatchObject({ ok: false, current: { kind: 'missing' } });
    writeFileSync(recordPath(root, ID), '{"status": "thinking"}');
    expect(await change()).toMatchObject({ ok: false, current: { kind: 'foreign' } });
    expect(readFileSync(recordPath(root, ID), 'utf8')).toBe('{"status": "thinking"}');
  });

  it('audits a change of state, and no progress', async () => {
    const root = await rootWith(running);
    await changeRecord(root, ID, leaseOf(running), 'worker', actor, event);
    const complete = { type: 'complete', head: 'h', reason: null } as const;
    await changeRecord(root, ID, leaseOf(running), 'worker', actor, complete);
    const events = readFileSync(eventsPath(root), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([
      { event: 'state', from: null, to: 'running', workstream: ID, actor: `test:${process.pid}` },
      { event: 'state', from: 'running', to: 'completed', at: expect.any(Number), why: expect.any(String) },
    ]);
  });

  it('loses no change of several processes, and shows none of them half a record', async () => {
    const root = await rootWith(running);
    const programs = Array.from({ length: 4 }, () => runProgram('change', [root, ID, '12']));
    for (const program of programs) expect(await program.ended, program.stderr()).toBe(0);
    expect(readRecord(root, ID)).toMatchObject({ kind: 'record', record: { progress: '48/1000' } });
    expect(readdirSync(statusDir(root))).toEqual([`${ID}.json`]);
  });

  it('is repaired by the next writer when one was killed at it', async () => {
    const root = await rootWith(running);
    const victims = Array.from({ length: 3 }, () => runProgram('change', [root, ID, '100000']));
    const count = (): number => {
      const read = readRecord(root, ID);
      if (read.kind !== 'record') throw new Error(JSON.stringify(read));
      return Number(read.record.progress.split('/')[0]);
    };
    for (const victim of victims) {
      const before = count();
      await expect.poll(count, { timeout: 30_000, interval: 3 }).toBeGreaterThan(before + 4);
      victim.signal('SIGKILL');
    }
    for (const victim of victims) await victim.ended;
    expect(await changeRecord(root, ID, leaseOf(running), 'worker', actor, event)).toMatchObject({
      ok: true,
    });
  });
});

describe('createRecord', () => {
  it('overwrites neither a record nor a foreign one, not even to rebuild', async () => {
    for (const text of [`${JSON.stringify(running)}\n`, '{"status": "thinking"}']) {
      const root = makeRoot();
      writeFileSync(recordPath(root, ID), text);
      expect(await createRecord(root, actor, plainRecord(), { rebuild: true })).toMatchObject({ ok: false });
      expect(readFileSync(recordPath(root, ID), 'utf8')).toBe(text);
    }
  });

  it('keeps what it cannot read beside the new record, each time under another name', async () => {
    const root = makeRoot();
    for (const [number, text] of [
      [1, '{"status": "runn'],
      [2, ''],
    ] as const) {
      writeFileSync(recordPath(root, ID), text);
      expect(await createRecord(root, actor, plainRecord())).toMatchObject({ ok: false });
      expect(await createRecord(root, actor, plainRecord(), { rebuild: true })).toMatchObject({ ok: true });
      expect(readFileSync(`${recordPath(root, ID)}.unreadable-${number}`, 'utf8')).toBe(text);
      expect(readRecord(root, ID).kind).toBe('record');
    }
    expect(listRecordIds(root)).toEqual([ID]);
  });
});

describe('in the place of a record', () => {
  const strange: [string, (path: string) => void][] = [
    ['a pipe', (path) => void execFileSync('mkfifo', [path])],
    ['a link', (path) => symlinkSync('/dev/zero', path)],
    ['a link to nowhere', (path) => symlinkSync('/nowhere', path)],
    ['a folder', (path) => void mkdirSync(path)],
    [
      'a huge file',
      (path) => {
        writeFileSync(path, '');
        truncateSync(path, 2 ** 33);
      },
    ],
    [
      'a name of another workstream',
      (path) => writeFileSync(path, JSON.stringify(plainRecord({ workstream: 'WS-002' }))),
    ],
  ];

  it.each(strange)('%s is unreadable, never missing, and is kept when it is rebuilt', async (_, make) => {
    const root = makeRoot();
    make(recordPath(root, ID));
    expect(readRecord(root, ID)).toMatchObject({
      kind: 'unreadable',
      message: expect.any(String),
      line: 1,
      column: 1,
    });
    expect(listRecordIds(root)).toEqual([ID]);
    expect(await changeRecord(root, ID, leaseOf(running), 'worker', actor, event)).toMatchObject({
      ok: false,
    });
    expect(await createRecord(root, actor, plainRecord(), { rebuild: true })).toMatchObject({ ok: true });
    expect(readRecord(root, ID)).toMatchObject({ kind: 'record' });
    expect(readdirSync(statusDir(root)).sort()).toEqual([`${ID}.json`, `${ID}.json.unreadable-1`]);
  });
});

describe('listRecordIds', () => {
  it('lists ids alone, sorted, and nothing where there is no folder', () => {
    const root = makeRoot();
    const names = [
      'b.json',
      'a.json',
      '_plan.json',
      '.json',
      'a.json.123',
      'a.json.unreadable-1',
      'a..b.json',
      'c.stop',
    ];
    for (const name of names) writeFileSync(join(statusDir(root), name), '');
    expect(listRecordIds(root)).toEqual(['a', 'b']);
    expect(listRecordIds(makeFolder())).toEqual([]);
  });
});
