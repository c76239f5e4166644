import { describe, expect, it, vi } from 'vitest';
import {
  checkpointsOf,
  expectAllDone,
  expectAttemptsInOrder,
  expectEachTaskOnce,
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
import { type Rig, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

describe('a task that kills its own worker each time', () => {
  const plan = {
    workstreams: [
      {
        id: 'A',
        tasks: [...stepsOf('A', ['one']).tasks, { run: `sh ${tool('kills-worker.sh')} two mercy` }],
        acceptance_tests: [{ run: 'grep -q whole two.txt' }],
      },
      stepsOf('B', ['one'], { depends_on: ['A'] }),
      stepsOf('C', ['one']),
    ],
  };

  it.concurrent('is given up after its restarts, holds back its dependents alone, and goes on with the next launch', async (context) => {
    const rig = rigFor(context, plan);
    expect(await rig.orch(['launch', '--restart', '1'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
    expect(rig.record('A')).toMatchObject({ status: 'crashed', attempt: 2, restarts: 1, progress: '1/2' });
    expect(rig.record('B')).toMatchObject({
      status: 'blocked',
      blocked_by: ['A'],
      reason: { code: 'dependency' },
    });
    expect(rig.record('C')).toMatchObject({ status: 'completed' });
    expect(runsOf(rig, 'A').map(({ task, attempt }) => [task, attempt])).toEqual([
      ['one', 1],
      ['two', 1],
      ['two', 2],
    ]);
    expect(checkpointsOf(rig, 'A')).toHaveLength(1);
    await until(() => rig.processes().length === 0, { what: 'the end of everything' });
    expect(await rig.orch(['wait'])).toMatchObject({ code: 1 });
    // A second reattach neither restarts it nor waits.
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
    expect(rig.record('A')).toMatchObject({ status: 'crashed', attempt: 2 });

    release(rig, 'mercy');
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B', 'C']);
    expect(rig.record('A')).toMatchObject({ attempt: 3, restarts: 0 });
    expect(runsOf(rig, 'A').map(({ task }) => task)).toEqual(['one', 'two', 'two', 'two']);
    expect(runsOf(rig, 'C')).toHaveLength(1);
    for (const attempt of [1, 2]) expect(salvagedText(rig, 'A', attempt, 'two.txt')).toBe('half\n');
  });

  it.concurrent('is never restarted with --restart 0', async (context) => {
    const rig = rigFor(context, plan);
    expect(await rig.orch(['launch', '--restart', '0', '--only', 'A'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
    expect(rig.record('A')).toMatchObject({ status: 'crashed', attempt: 1, restarts: 0 });
    release(rig, 'mercy');
    expect(await rig.orch(['retry', 'A'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A']);
    expect(rig.record('A')).toMatchObject({ attempt: 2 });
  });
});

describe('the machine of the worker', () => {
  const plan = {
    workstreams: [
      stepsOf('A', ['one', 'two:go']),
      stepsOf('B', ['one'], { depends_on: ['A'] }),
      stepsOf('C', ['one']),
    ],
  };

  /** A is cut off in its second task, and its record says that it was elsewhere. */
  async function moveElsewhere(rig: Rig, identity: Record<string, string>): Promise<void> {
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    await untilRuns(rig, 'A', 'two');
    await until(() => rig.status('C') === 'completed', { what: 'C to complete' });
    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('A'));
    // As after a reboot, nothing of it runs.
    await rig.orch(['reap', '--json']);
    const record = rig.record('A');
    const moved = { ...(record['identity'] as object), ...identity };
    const running = { status: 'running', reason: null, ended_at: null, current_task: 'two' };
    rig.write('.status/A.json', JSON.stringify({ ...record, ...running, identity: moved }));
  }

  it.concurrent('was started again: the attempt is settled as rebooted, and the next goes on', async (context) => {
    const rig = rigFor(context, plan);
    await moveElsewhere(rig, { boot_id: '00000000-0000-4000-8000-000000000000' });
    expect(verdictsOf(await statusOf(rig))).toMatchObject({
      A: { status: 'running', verdict: 'crashed', alive: false },
    });
    expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
    expect(rig.record('A')).toMatchObject({
      status: 'crashed',
      exit_code: null,
      reason: { code: 'rebooted' },
    });
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B', 'C']);
    expect(rig.record('A')).toMatchObject({ attempt: 2 });
  });

  it.concurrent.for([{ host: 'elsewhere' }, { pid_namespace: 'pid:[1]' }])(
    'cannot be seen (%o): it is never settled but on the word of a person, and holds its dependents',
    async (identity, context) => {
      const rig = rigFor(context, plan);
      await moveElsewhere(rig, identity);
      const unknown = { status: 'running', verdict: 'unknown', alive: null };
      expect(verdictsOf(await statusOf(rig))).toMatchObject({ A: unknown });
      const before = rig.read('.status/A.json');
      expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
      expect(await rig.orch(['reattach', '--once'])).toMatchObject({ code: 0 });
      const reattached = await rig.orch(['reattach', '--json']);
      expect(reattached).toMatchObject({ code: 1 });
      const told = reattached.stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(told.findLast(({ workstream }) => workstream === 'A')).toMatchObject({ verdict: 'unknown' });
      expect(await rig.orch(['stop', 'A'])).toMatchObject({ code: 4 });
      expect(rig.read('.status/A.json')).toBe(before);
      expect(verdictsOf(await statusOf(rig))).toMatchObject({
        A: unknown,
        B: { status: 'pending', verdict: 'pending' },
        C: { status: 'completed' },
      });
      expect(runsOf(rig, 'B')).toEqual([]);

      expect(await rig.orch(['stop', 'A', '--presume-dead'])).toMatchObject({ code: 0 });
      expect(rig.record('A')).toMatchObject({ status: 'stopped', reason: { code: 'presumed_dead' } });
      expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
      expect(rig.record('B')).toMatchObject({ status: 'blocked', blocked_by: ['A'] });
      release(rig, 'go');
      expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
      expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
      for (const id of ['A', 'B', 'C']) expect(rig.record(id)).toMatchObject({ status: 'completed' });
      expectEachTaskOnce(rig, 'A');
      expectAttemptsInOrder(rig, 'C');
    },
  );
});
