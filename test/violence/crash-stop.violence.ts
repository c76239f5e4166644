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

const STOPPED = { status: 'stopped', exit_code: null, progress: '1/2', reason: { code: 'stopped' } };
const STEPS = ['one', 'two:go'];

async function launch(rig: Rig, ids: readonly string[], ...options: string[]): Promise<void> {
  expect(await rig.orch(['launch', '--max-parallel', '9', ...options])).toMatchObject({ code: 0 });
  for (const id of ids) await untilRuns(rig, id, 'two');
}

/** Stopped for good: nothing of it runs, what was done is kept, no sign of life is left, nothing is restarted. */
async function expectStopped(rig: Rig, ids: readonly string[]): Promise<void> {
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
  await until(() => rig.processes().length === 0, { what: 'the end of everything' });
  for (const id of ids) {
    expect([id, rig.record(id)]).toMatchObject([id, { ...STOPPED, attempt: 1 }]);
    expect([id, checkpointsOf(rig, id).length, runsOf(rig, id).length]).toEqual([id, 1, 2]);
    for (const file of [`.pids/${id}.pid`, `.status/${id}.heartbeat`, `.status/${id}.stop`]) {
      expect([file, existsSync(join(rig.root, file))]).toEqual([file, false]);
    }
  }
}

/** What a person's stop writes before it sends any signal; it is killed right after it. */
function askToStop(rig: Rig, id: string, run = rig.record(id)['run']): void {
  const { attempt } = rig.record(id);
  rig.write(
    `.status/${id}.stop`,
    `${JSON.stringify({ run, attempt, at: Date.now() / 1000, by: process.pid })}\n`,
  );
}

/** Gives the lock of a record to its worker: see lib/store/lock.ts. */
function holdLock(rig: Rig, id: string): void {
  const { pid, identity } = rig.record(id) as { pid: number; identity: Record<string, string | number> };
  const { start_time, boot_id, pid_namespace, host } = identity;
  const parts = ['0'.repeat(32), pid, start_time, boot_id, pid_namespace, host];
  rmSync(join(rig.root, `.status/${id}.lock`), { recursive: true, force: true });
  rig.write(`.status/${id}.lock/${parts.map((part) => encodeURIComponent(String(part))).join('~')}`, '');
}

it.concurrent('SIGTERM and SIGINT from somebody else end an attempt as terminated, SIGHUP ends nothing', async (context) => {
  const ids = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  const rig = rigFor(context, { workstreams: ids.map((id) => stepsOf(id, STEPS)) });
  await launch(rig, ids);
  const orchestrator = await orchestratorOf(rig);
  signal(orchestrator, 'SIGHUP');
  // Nobody else settles or restarts before this test has looked.
  signal(orchestrator, 'SIGSTOP');
  for (const id of ids) signal(rig.pid(id), id);
  for (const id of ['SIGTERM', 'SIGINT'] as const) {
    const { pid } = rig.record(id);
    await until(() => !isAlive(Number(pid)), { what: `the end by ${id}`, boundMs: BOUND_MS });
    expect(rig.record(id)).toMatchObject({ status: 'crashed', signal: id, reason: { code: 'terminated' } });
    expect(salvagedText(rig, id, 1, 'two.txt')).toBe('half\n');
  }
  signal(orchestrator, 'SIGCONT');
  for (const id of ['SIGTERM', 'SIGINT']) await untilRuns(rig, id, 'two', 2);
  release(rig, 'go');
  expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, ids);
  expect(ids.map((id) => rig.record(id)['attempt'])).toEqual([2, 2, 1]);
});

describe.concurrent('orch stop', () => {
  it('is final for whoever is at work, hears nothing or is frozen', async (context) => {
    const ids = ['busy', 'deaf', 'frozen', 'frozen-in-a-write'];
    const deaf = {
      id: 'deaf',
      tasks: [...stepsOf('deaf', ['one']).tasks, { run: `sh ${tool('deaf.sh')} two` }],
    };
    const rig = rigFor(context, {
      workstreams: ids.map((id) => (id === 'deaf' ? deaf : stepsOf(id, STEPS))),
    });
    await launch(rig, ids);
    const all = ids.flatMap((id) => [rig.pid(id), ...runsOf(rig, id).map(({ pid }) => pid)]);
    const frozen = ['frozen', 'frozen-in-a-write'];
    for (const id of frozen) signal(rig.pid(id), 'SIGSTOP');
    holdLock(rig, 'frozen-in-a-write');
    const polite = rig.start(['stop', 'busy', 'deaf', '--grace', '60s']);
    expect(await rig.orch(['stop', ...frozen, '--grace', '1s'])).toMatchObject({ code: 0 });
    expect(await polite.finished).toMatchObject({ code: 0 });
    expect(all.filter(isAlive)).toEqual([]);
    for (const id of ['busy', 'deaf'])
      expect([id, salvagedText(rig, id, 1, 'two.txt')]).toEqual([id, 'half\n']);
    await expectStopped(rig, ids);

    // The next attempt goes on from the checkpoint; it salvages what nobody could before.
    release(rig, 'go');
    const others = ids.filter((id) => id !== 'deaf');
    expect(await rig.orch(['launch', '--skip', 'deaf'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['wait', ...others])).toMatchObject({ code: 0 });
    await expectAllDone(rig, others);
    for (const id of others) {
      expect(rig.record(id)).toMatchObject({ attempt: 2, restarts: 0 });
      expect(runsOf(rig, id).map(({ task }) => task)).toEqual(['one', 'two', 'two']);
      expect([id, salvagedText(rig, id, 1, 'two.txt')]).toEqual([id, 'half\n']);
    }
  });

  it('holds if it is killed right after its word, and means that attempt alone', async (context) => {
    const ids = ['killed', 'alive', 'meant-before'];
    const rig = rigFor(context, { workstreams: ids.map((id) => stepsOf(id, STEPS)) });
    await launch(rig, ids);
    await killHard(await orchestratorOf(rig));
    // Before its next heartbeat, at which it would see the word itself; the other one has to see it.
    signal(rig.pid('killed'), 'SIGSTOP');
    askToStop(rig, 'killed');
    await killHard(rig.pid('killed'));
    askToStop(rig, 'alive');
    askToStop(rig, 'meant-before', 'another run');
    await killHard(rig.pid('meant-before'));
    expect(verdictsOf(await statusOf(rig))).toMatchObject({
      killed: { status: 'running', verdict: 'stopped', alive: false },
      'meant-before': { status: 'running', verdict: 'crashed', alive: false },
    });
    const reattach = rig.start(['reattach']);
    await untilRuns(rig, 'meant-before', 'two', 2);
    await until(() => rig.status('alive') === 'stopped', { what: 'the live one to stop', boundMs: BOUND_MS });
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 1 });
    await expectAllDone(rig, ['meant-before']);
    expect(salvagedText(rig, 'alive', 1, 'two.txt')).toBe('half\n');
    await expectStopped(rig, ['killed', 'alive']);
  });

  it('--all stops what waits or has died too, and nothing is launched until the next launch', async (context) => {
    const rig = rigFor(context, {
      workstreams: [
        stepsOf('A', STEPS),
        stepsOf('B', STEPS),
        stepsOf('C', ['one']),
        stepsOf('D', ['one'], { depends_on: ['C'] }),
        stepsOf('E', ['one'], { depends_on: ['A'] }),
      ],
    });
    expect(await rig.orch(['launch', '--max-parallel', '2'])).toMatchObject({ code: 0 });
    for (const id of ['A', 'B']) await untilRuns(rig, id, 'two');
    expect(await rig.orch(['stop', 'C'])).toMatchObject({ code: 0 });
    expect(rig.record('C')).toMatchObject({ status: 'stopped', attempt: 0, progress: '0/1' });
    await until(() => rig.status('D') === 'blocked', { what: 'D to be blocked' });
    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('B'));
    expect(await rig.orch(['stop', '--all', '--grace', '60s'])).toMatchObject({ code: 0 });
    const states = (): unknown[] => ['A', 'B', 'C', 'D', 'E'].map((id) => rig.status(id));
    const stopped = ['stopped', 'stopped', 'stopped', 'blocked', 'stopped'];
    expect(states()).toEqual(stopped);
    await expectStopped(rig, ['A', 'B']);
    expect(states()).toEqual(stopped);
    expect(runsOf(rig)).toHaveLength(4);
    release(rig, 'go');
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B', 'C', 'D', 'E']);
  });
});

it.concurrent('a retry is not undone by the stop before it', async (context) => {
  const dependent = stepsOf('B', ['one'], { depends_on: ['A'] });
  const rig = rigFor(context, { workstreams: [stepsOf('A', STEPS), dependent] });
  await launch(rig, ['A']);
  // Nobody is there to take the obeyed word away.
  await killHard(await orchestratorOf(rig));
  expect(await rig.orch(['stop', 'B'])).toMatchObject({ code: 0 });
  expect(rig.record('B')).toMatchObject({ status: 'stopped', attempt: 0 });
  expect(existsSync(join(rig.root, '.status/B.stop'))).toBe(true);
  expect(await rig.orch(['retry', 'B'])).toMatchObject({ code: 0 });
  release(rig, 'go');
  expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, ['A', 'B']);
});

it.concurrent('status and reattach name an orchestrator that is frozen, and nobody takes its place', async (context) => {
  const rig = rigFor(context, { workstreams: [stepsOf('A', STEPS)] });
  await launch(rig, ['A']);
  const orchestrator = await orchestratorOf(rig);
  signal(orchestrator, 'SIGSTOP');
  const frozen = { code: 'frozen', hint: expect.stringContaining(`kill -CONT ${orchestrator}`) };
  await until(async () => ((await statusOf(rig)) as { faults?: unknown[] }).faults, { what: 'a fault' });
  expect(await statusOf(rig)).toMatchObject({ orchestrator: { alive: true }, faults: [frozen] });
  const reattach = rig.start(['reattach']);
  // Once all is done it has no reason to tell of it.
  const isTold = (): boolean => reattach.told().includes('is stopped by a signal');
  await until(isTold, { what: 'the warning of reattach', boundMs: BOUND_MS });
  release(rig, 'go');
  await until(() => rig.status('A') === 'completed', { what: 'the worker to end', boundMs: BOUND_MS });
  expect((await statusOf(rig)).orchestrator).toMatchObject({ pid: orchestrator, alive: true });
  signal(orchestrator, 'SIGCONT');
  const { code, stderr } = await reattach.finished;
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining(`(pid ${orchestrator}) is stopped by a signal`),
  ]);
});

it.concurrent('a frozen worker is shown with a stale heartbeat, left alone, and goes on when it is thawed', async (context) => {
  const rig = rigFor(context, { workstreams: [stepsOf('A', STEPS)] });
  await launch(rig, ['A'], '--timeout', '8h');
  const worker = rig.pid('A');
  signal(worker, 'SIGSTOP');
  // As if it had been frozen for long.
  const longAgo = Date.now() / 1000 - 120;
  utimesSync(join(rig.root, '.status/A.heartbeat'), longAgo, longAgo);
  await killHard(await orchestratorOf(rig));
  const shown = await statusOf(rig);
  const running = {
    status: 'running',
    verdict: 'running',
    alive: true,
    reason: { code: 'stale_heartbeat', hint: expect.stringContaining(`kill -CONT ${worker}`) },
  };
  expect(shown.workstreams[0]).toMatchObject(running);
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
