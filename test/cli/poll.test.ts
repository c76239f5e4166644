import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { pollStatus } from '../../lib/orchestrate/poll.ts';
import { planPath, recordPath, statusDir, stopPath } from '../../lib/protocol/layout.ts';
import { requestStop, writeHold } from '../../lib/store/signs.ts';
import {
  completed,
  endAll,
  failed,
  makeRoot,
  putForeign,
  putHeartbeat,
  putPlan,
  putRecord,
  startWorker,
  workedOn,
} from './rig.ts';

afterEach(endAll);

async function only(root: string, id: string) {
  const list = await pollStatus(root, { ids: [id] });
  const [status] = list.workstreams;
  if (status === undefined || list.workstreams.length !== 1) throw new Error(`no single ${id}`);
  return status;
}

describe('the list', () => {
  it('has the shape of the contract, in plan order, then by id', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putPlan(root, ['Z', 'A', 'M']);
    await putRecord(root, 'A', completed);
    await putRecord(root, 'Z', { ...workedOn(worker), current_task: 'sed', x_extra: 'kept' });
    await putRecord(root, 'B', failed);
    putHeartbeat(root, 'Z', 1);
    const list = await pollStatus(root, { usage: true });
    expect(list).toMatchObject({
      schema: 'orch.status-list/1',
      root,
      orchestrator: null,
      summary: { total: 4, running: 1, completed: 1, pending: 1, failed: 1 },
    });
    expect(Math.abs(list.at - Date.now() / 1000)).toBeLessThan(60);
    expect(list.workstreams.map(({ workstream }) => workstream)).toEqual(['Z', 'A', 'M', 'B']);
    const [running, done, missing] = list.workstreams;
    expect(running).toMatchObject({
      alive: true,
      verdict: 'running',
      final: false,
      evidence: null,
      x_extra: 'kept',
    });
    expect(running?.heartbeat_age).toBeGreaterThanOrEqual(0.9);
    expect(running?.memory_bytes).toBeGreaterThan(1e6);
    expect(running?.cpu_percent).toBeGreaterThanOrEqual(0);
    expect(done).toMatchObject({
      alive: false,
      verdict: 'completed',
      final: true,
      cpu_percent: null,
      memory_bytes: null,
    });
    expect(missing).toMatchObject({ status: 'missing', verdict: 'pending', final: false, progress: '0/1' });
    expect(list).not.toHaveProperty('faults');
  });

  it('writes nothing', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    await worker.end();
    putForeign(root, 'F', { status: 'running' }, worker.pid);
    const seen = () =>
      readdirSync(root, { recursive: true })
        .map(String)
        .sort()
        .map((name) => `${name} ${statSync(join(root, name)).mtimeMs}`);
    const before = seen();
    expect((await pollStatus(root, { usage: true })).summary).toMatchObject({ crashed: 2 });
    expect(seen()).toEqual(before);
  });

  it('shows the records although the plan cannot be read', async () => {
    const root = makeRoot();
    writeFileSync(planPath(root), '{');
    await putRecord(root, 'A', completed);
    const list = await pollStatus(root);
    expect(list.faults).toMatchObject([{ message: expect.stringContaining('_plan.json') }]);
    expect(list.workstreams).toMatchObject([{ workstream: 'A', verdict: 'completed' }]);
  });
});

describe('a dead worker', () => {
  it('is a crash, with evidence, and not final: somebody must settle it', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    await worker.end();
    const status = await only(root, 'A');
    expect(status).toMatchObject({ status: 'running', alive: false, verdict: 'crashed', final: false });
    expect(status.reason).toMatchObject({ code: 'lost' });
    expect(status.evidence).toContain(String(worker.pid));
  });

  it('is stopped where a person had asked this attempt to stop, and no other', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    const { identity } = worker;
    for (const id of ['A', 'B']) await putRecord(root, id, { ...workedOn(worker), run: 'run-1' });
    await requestStop(root, 'A', { run: 'run-1', attempt: 1, token: identity.token });
    await requestStop(root, 'B', { run: 'run-1', attempt: 0, token: identity.token });
    expect(await only(root, 'A')).toMatchObject({ alive: true, verdict: 'running' });
    await worker.end();
    expect(await only(root, 'A')).toMatchObject({ verdict: 'stopped', reason: { code: 'stopped' } });
    expect(await only(root, 'B')).toMatchObject({ verdict: 'crashed' });
    // A sign that cannot be read hides nothing.
    mkdirSync(stopPath(root, 'C'));
    await putRecord(root, 'C', workedOn(worker));
    expect(await only(root, 'C')).toMatchObject({ alive: false, final: false });
  });

  it('of another boot is told as such; of another host it is unknown', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    const { identity } = worker;
    await putRecord(root, 'A', { ...workedOn(worker), identity: { ...identity, boot_id: 'earlier' } });
    await putRecord(root, 'B', { ...workedOn(worker), identity: { ...identity, host: 'node-7' } });
    expect(await only(root, 'A')).toMatchObject({ verdict: 'crashed', reason: { code: 'rebooted' } });
    const unknown = await only(root, 'B');
    expect(unknown).toMatchObject({
      alive: null,
      verdict: 'unknown',
      final: false,
      reason: { code: 'unknown' },
    });
    expect(unknown.evidence).toContain('node-7');
    expect(unknown.reason?.hint).toContain('--presume-dead');
  });

  it('is final only with no restarts left', async () => {
    const root = makeRoot();
    const reason = { code: 'lost', message: 'gone', hint: null };
    await putPlan(root, ['A', 'B']);
    await putRecord(root, 'A', { status: 'crashed', reason, restarts: 1 });
    await putRecord(root, 'B', { status: 'crashed', reason, restarts: 2 });
    const { workstreams } = await pollStatus(root);
    expect(workstreams.map(({ final }) => final)).toEqual([false, true]);
  });
});

describe('a live worker', () => {
  it('whose heart does not beat stays running, with a reason', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    // The clock stands still, so that its age is what is said here, however long a look takes.
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    putHeartbeat(root, 'A', 14);
    expect(await only(root, 'A')).toMatchObject({ verdict: 'running', reason: null });
    putHeartbeat(root, 'A', 60);
    expect(await only(root, 'A')).toMatchObject({
      alive: true,
      verdict: 'running',
      evidence: null,
      reason: { code: 'stale_heartbeat' },
    });
  });
});

describe('foreign and unreadable records', () => {
  it('judges a foreign worker by its PID file alone', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    const gone = await startWorker();
    await gone.end();
    const record = { status: 'running', progress: '1/4', last_update: 1764400000.1, colour: 'blue' };
    putForeign(root, 'LIVE', record, worker.pid);
    putForeign(root, 'DEAD', record, gone.pid);
    putForeign(root, 'NONE', record);
    putForeign(
      root,
      'WORD',
      { status: 'thinking', verdict: 'completed', alive: true, reason: 'deep' },
      worker.pid,
    );
    putForeign(root, 'DONE', { status: 'completed', exit_code: 0 });
    // Younger than its PID file: the number belongs to somebody else by now.
    putForeign(root, 'REUSED', record, worker.pid);
    utimesSync(join(root, '.pids/REUSED.pid'), 1_000, 1_000);
    expect(await only(root, 'LIVE')).toMatchObject({
      alive: true,
      verdict: 'running',
      progress: '1/4',
      colour: 'blue',
    });
    expect(await only(root, 'LIVE')).toMatchObject({
      pid: worker.pid,
      last_update: 1764400000.1,
      final: false,
    });
    expect(await only(root, 'DEAD')).toMatchObject({ alive: false, verdict: 'crashed', final: true });
    expect((await only(root, 'DEAD')).evidence).toContain(String(gone.pid));
    expect(await only(root, 'NONE')).toMatchObject({ alive: null, verdict: 'unknown', final: false });
    expect(await only(root, 'WORD')).toMatchObject({ status: 'thinking', alive: true, verdict: 'unknown' });
    expect(await only(root, 'DONE')).toMatchObject({ verdict: 'completed', final: true });
    expect(await only(root, 'REUSED')).toMatchObject({ alive: false, verdict: 'crashed' });
  });

  it('shows where a record cannot be read, and all the others', async () => {
    const root = makeRoot();
    writeFileSync(recordPath(root, 'BAD'), '{\n  "status": nonsense\n}');
    writeFileSync(recordPath(root, 'LIST'), '[]');
    mkdirSync(recordPath(root, 'FOLDER'));
    await putRecord(root, 'A', completed);
    const { workstreams, summary } = await pollStatus(root);
    expect(summary).toEqual({ total: 4, completed: 1, unknown: 3 });
    const bad = workstreams.find(({ workstream }) => workstream === 'BAD');
    expect(bad).toMatchObject({
      status: 'unreadable',
      verdict: 'unknown',
      alive: null,
      line: 2,
      final: false,
    });
    expect(bad).toMatchObject({
      file: recordPath(root, 'BAD'),
      column: expect.any(Number),
      message: expect.any(String),
    });
    expect(bad?.evidence).toContain(`${recordPath(root, 'BAD')}:2:`);
    expect(readFileSync(recordPath(root, 'BAD'), 'utf8')).toContain('nonsense');
  });
});

describe('what waits for a person', () => {
  it('is told: held, not planned, behind something that cannot be judged', async () => {
    const root = makeRoot();
    await putPlan(root, ['U', ['V', ['U']], ['W', ['V']], 'X']);
    putForeign(root, 'U', { status: 'running' });
    for (const id of ['V', 'W', 'X', 'OLD']) await putRecord(root, id);
    const codes = async () =>
      Object.fromEntries(
        (await pollStatus(root)).workstreams.map((one) => [one.workstream, one.reason?.code ?? null]),
      );
    expect(await codes()).toEqual({
      U: 'unknown',
      V: 'dependency_unknown',
      W: 'dependency_unknown',
      X: null,
      OLD: 'not_planned',
    });
    await writeHold(root);
    expect(await codes()).toMatchObject({ V: 'held', X: 'held', OLD: 'held' });
  });
});

describe('many records', () => {
  it('does not hang on 1,000 of them, and reads each once', async () => {
    const root = makeRoot();
    await putRecord(root, 'WS-0', completed);
    const text = readFileSync(recordPath(root, 'WS-0'), 'utf8');
    for (let number = 1; number < 1_000; number += 1) {
      writeFileSync(recordPath(root, `WS-${number}`), text.replaceAll('"WS-0"', `"WS-${number}"`));
    }
    await pollStatus(root);
    const begun = process.cpuUsage();
    const list = await pollStatus(root, { usage: true });
    const { user, system } = process.cpuUsage(begun);
    expect(list.summary).toEqual({ total: 1_000, completed: 1_000 });
    expect(readdirSync(statusDir(root))).toHaveLength(1_000);
    // About 40 ms where nothing else runs; a scan of the process table for each would take seconds.
    expect((user + system) / 1_000).toBeLessThan(500);
  });
});
