import { existsSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  BOUND_MS,
  checkpointsOf,
  expectAllDone,
  killHard,
  orchestratorOf,
  release,
  runsOf,
  salvagedText,
  statusOf,
  stepsOf,
  tool,
  untilRuns,
  verdictsOf,
} from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

const PLAN = { workstreams: [stepsOf('A', ['one', 'two:go'])] };
const STOPPED = { status: 'stopped', exit_code: null, progress: '1/2', reason: { code: 'stopped' } };

async function launchUntilTwo(rig: Rig): Promise<number> {
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  await untilRuns(rig, 'A', 'two');
  return rig.pid('A');
}

/** Stopped for good: nothing runs, what was done is kept, what was half done is salvaged, nothing is restarted. */
async function expectStopped(rig: Rig): Promise<void> {
  expect(rig.record('A')).toMatchObject({ ...STOPPED, attempt: 1 });
  expect(checkpointsOf(rig, 'A')).toHaveLength(1);
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
  expect(rig.record('A')).toMatchObject({ ...STOPPED, attempt: 1 });
  expect(runsOf(rig)).toHaveLength(2);
  await until(() => rig.processes().length === 0, { what: 'the end of everything' });
  for (const file of ['.pids/A.pid', '.status/A.heartbeat', '.status/A.stop']) {
    expect([file, existsSync(join(rig.root, file))]).toEqual([file, false]);
  }
}

/** Gives the lock of A's record to its worker: see lib/store/lock.ts. */
function holdLock(rig: Rig): void {
  const { pid, identity } = rig.record('A') as { pid: number; identity: Record<string, string | number> };
  const { start_time, boot_id, pid_namespace, host } = identity;
  const parts = ['0'.repeat(32), pid, start_time, boot_id, pid_namespace, host];
  rmSync(join(rig.root, '.status/A.lock'), { recursive: true, force: true });
  rig.write(`.status/A.lock/${parts.map((part) => encodeURIComponent(String(part))).join('~')}`, '');
}

/** The next attempt goes on from the checkpoint. */
async function expectGoesOn(rig: Rig): Promise<void> {
  release(rig, 'go');
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, ['A']);
  expect(rig.record('A')).toMatchObject({ attempt: 2, restarts: 0 });
  expect(runsOf(rig).map(({ task }) => task)).toEqual(['one', 'two', 'two']);
}

describe('SIGTERM from somebody else', () => {
  it.concurrent.for(['SIGTERM', 'SIGINT'] as const)(
    '%s ends the attempt as terminated, and a new one goes on',
    async (name, context) => {
      const rig = rigFor(context, PLAN);
      const worker = await launchUntilTwo(rig);
      const orchestrator = await orchestratorOf(rig);
      // Nobody else settles or restarts before this test has looked.
      signal(orchestrator, 'SIGSTOP');
      signal(worker, name);
      await until(() => !isAlive(worker), { what: 'the worker to end' });
      expect(rig.record('A')).toMatchObject({
        status: 'crashed',
        signal: name,
        reason: { code: 'terminated' },
      });
      expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
      signal(orchestrator, 'SIGCONT');
      await untilRuns(rig, 'A', 'two', 2);
      release(rig, 'go');
      expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
      await expectAllDone(rig, ['A']);
      expect(rig.record('A')).toMatchObject({ attempt: 2, restarts: 1 });
    },
  );

  it.concurrent('leaves a worker alone that a terminal hangs up on', async (context) => {
    const rig = rigFor(context, PLAN);
    const worker = await launchUntilTwo(rig);
    signal(worker, 'SIGHUP');
    signal(await orchestratorOf(rig), 'SIGHUP');
    release(rig, 'go');
    expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A']);
    expect(rig.record('A')).toMatchObject({ attempt: 1 });
  });
});

describe('orch stop', () => {
  it.concurrent('is final: what is done is kept, what is half done is salvaged', async (context) => {
    const rig = rigFor(context, PLAN);
    await launchUntilTwo(rig);
    expect(await rig.orch(['stop', 'A', '--grace', '60s'])).toMatchObject({ code: 0 });
    expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
    await expectStopped(rig);
    await expectGoesOn(rig);
  });

  it.concurrent('holds if it is killed right after its word, and the worker too', async (context) => {
    const rig = rigFor(context, PLAN);
    const worker = await launchUntilTwo(rig);
    await killHard(await orchestratorOf(rig));
    const { run, attempt } = rig.record('A');
    rig.write(
      '.status/A.stop',
      `${JSON.stringify({ run, attempt, at: Date.now() / 1000, by: process.pid })}\n`,
    );
    // Before the worker's next heartbeat, at which it would see the request itself.
    await killHard(worker);
    expect(verdictsOf(await statusOf(rig))).toEqual({
      A: { status: 'running', verdict: 'stopped', alive: false },
    });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
    await expectStopped(rig);
    await expectGoesOn(rig);
    expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
  });

  it.concurrent('holds if only the command is killed: the worker sees the word by itself', async (context) => {
    const rig = rigFor(context, PLAN);
    const worker = await launchUntilTwo(rig);
    const { run, attempt } = rig.record('A');
    rig.write(
      '.status/A.stop',
      `${JSON.stringify({ run, attempt, at: Date.now() / 1000, by: process.pid })}\n`,
    );
    await until(() => !isAlive(worker), { what: 'the worker to end', boundMs: BOUND_MS });
    expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
    await expectStopped(rig);
  });

  it.concurrent('means one attempt: a word for an earlier run stops nobody', async (context) => {
    const rig = rigFor(context, PLAN);
    rig.write(
      '.status/A.stop',
      `${JSON.stringify({ run: 'another', attempt: 1, at: Date.now() / 1000, by: 1 })}\n`,
    );
    await launchUntilTwo(rig);
    await killHard(rig.pid('A'));
    await untilRuns(rig, 'A', 'two', 2);
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A']);
  });

  it.concurrent('kills a tool that hears nothing, within the grace', async (context) => {
    const rig = rigFor(context, {
      workstreams: [
        { id: 'A', tasks: [...stepsOf('A', ['one']).tasks, { run: `sh ${tool('deaf.sh')} two` }] },
      ],
    });
    await launchUntilTwo(rig);
    const { pid } = await untilRuns(rig, 'A', 'two');
    expect(await rig.orch(['stop', 'A', '--grace', '60s'])).toMatchObject({ code: 0 });
    expect(isAlive(pid)).toBe(false);
    // The worker has killed it itself, long before the grace was over.
    expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
    await expectStopped(rig);
  });

  it.concurrent.for(['at work', 'in the middle of a write'])(
    'ends a worker that is frozen %s, with its whole tree',
    async (where, context) => {
      const rig = rigFor(context, PLAN);
      const worker = await launchUntilTwo(rig);
      const { pid } = await untilRuns(rig, 'A', 'two');
      signal(worker, 'SIGSTOP');
      if (where !== 'at work') holdLock(rig);
      expect(await rig.orch(['stop', 'A', '--grace', '1s'])).toMatchObject({ code: 0 });
      expect([worker, pid].map(isAlive)).toEqual([false, false]);
      await expectStopped(rig);
      await expectGoesOn(rig);
      expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
    },
  );

  it.concurrent('--all stops what waits too, and nothing is launched until the next launch', async (context) => {
    const rig = rigFor(context, {
      workstreams: [
        stepsOf('A', ['one', 'two:go']),
        stepsOf('B', ['one']),
        stepsOf('C', ['one'], { depends_on: ['B'] }),
      ],
    });
    expect(await rig.orch(['launch', '--max-parallel', '1'])).toMatchObject({ code: 0 });
    await untilRuns(rig, 'A', 'two');
    expect(await rig.orch(['stop', 'B'])).toMatchObject({ code: 0 });
    expect(rig.record('B')).toMatchObject({ status: 'stopped', attempt: 0, progress: '0/1' });
    await until(() => rig.status('C') === 'blocked', { what: 'C to be blocked' });
    expect(await rig.orch(['stop', '--all'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
    expect(['A', 'B', 'C'].map((id) => rig.status(id))).toEqual(['stopped', 'stopped', 'blocked']);
    expect(runsOf(rig)).toHaveLength(2);
    release(rig, 'go');
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B', 'C']);
  });

  it.concurrent('--all holds under a crash: what was killed meanwhile is not restarted', async (context) => {
    const rig = rigFor(context, {
      workstreams: [stepsOf('A', ['one', 'two:go']), stepsOf('B', ['one', 'two:go'])],
    });
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');
    const orchestrator = await orchestratorOf(rig);
    const workers = ['A', 'B'].map((id) => rig.pid(id));
    for (const pid of [orchestrator, ...workers]) signal(pid, 'SIGKILL');
    await until(() => !workers.some(isAlive), { what: 'the workers to end' });
    expect(await rig.orch(['stop', '--all'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
    for (const id of ['A', 'B']) expect(rig.record(id)).toMatchObject({ status: 'stopped', attempt: 1 });
    await until(() => rig.processes().length === 0, { what: 'the end of everything' });
  });
});

describe('a frozen worker', () => {
  it.concurrent('is shown as running with a stale heartbeat, left alone, and goes on when it is thawed', async (context) => {
    const rig = rigFor(context, PLAN);
    expect(await rig.orch(['launch', '--timeout', '8h'])).toMatchObject({ code: 0 });
    await untilRuns(rig, 'A', 'two');
    const worker = rig.pid('A');
    signal(worker, 'SIGSTOP');
    // As if it had been frozen for long.
    const longAgo = Date.now() / 1000 - 120;
    utimesSync(join(rig.root, '.status/A.heartbeat'), longAgo, longAgo);
    await killHard(await orchestratorOf(rig));
    const shown = await statusOf(rig);
    expect(shown.workstreams[0]).toMatchObject({
      status: 'running',
      verdict: 'running',
      alive: true,
      reason: { code: 'stale_heartbeat' },
    });
    expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach', '--once'])).toMatchObject({ code: 0 });
    const reattach = rig.start(['reattach']);
    await orchestratorOf(rig);
    release(rig, 'go');
    expect(isAlive(worker)).toBe(true);
    expect(rig.record('A')).toMatchObject({ status: 'running', pid: worker });
    signal(worker, 'SIGCONT');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A']);
    expect(rig.record('A')).toMatchObject({ attempt: 1 });
  });
});
