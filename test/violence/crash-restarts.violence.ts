import { expect, it, vi } from 'vitest';
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
import { isAlive, type Rig, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Not while the launch still waits for the others to begin: it would tell of a crash. */
const begun = 'until test -e "$ORCH_ROOT.aside/begun"; do sleep 0.1; done';
const KILLING = {
  workstreams: [
    {
      id: 'A',
      tasks: [...stepsOf('A', ['one']).tasks, { run: `${begun}; sh ${tool('kills-worker.sh')} two mercy` }],
      acceptance_tests: [{ run: 'grep -q whole two.txt' }],
    },
    stepsOf('B', ['one'], { depends_on: ['A'] }),
    stepsOf('C', ['one']),
  ],
};

it.concurrent('what kills its worker each time is given up, blocks its dependents alone, and goes on when launched', async (context) => {
  const rig = rigFor(context, KILLING);
  expect(await rig.orch(['launch', '--restart', '1'])).toMatchObject({ code: 0 });
  release(rig, 'begun');
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

const ELSEWHERE: Record<string, Record<string, string>> = {
  rebooted: { boot_id: '00000000-0000-4000-8000-000000000000' },
  host: { host: 'elsewhere' },
  namespace: { pid_namespace: 'pid:[1]' },
};
const UNSEEN = ['host', 'namespace'];
const MOVED = {
  workstreams: [
    ...Object.keys(ELSEWHERE).map((id) => stepsOf(id, ['one', 'two:go'])),
    stepsOf('child', ['one'], { depends_on: ['host'] }),
    stepsOf('other', ['one']),
  ],
};

/** Each is cut off in its second task, and its record says that it was elsewhere. */
async function moveElsewhere(rig: Rig): Promise<void> {
  expect(await rig.orch(['launch', '--max-parallel', '9'])).toMatchObject({ code: 0 });
  for (const id of Object.keys(ELSEWHERE)) await untilRuns(rig, id, 'two');
  await until(() => rig.status('other') === 'completed', { what: 'the other', boundMs: BOUND_MS });
  // Its worker looks after its last word whether somebody orchestrates, and else starts another orchestrator.
  const worker = Number(rig.record('other')['pid']);
  await until(() => !isAlive(worker), { what: 'the worker of the other to end', boundMs: BOUND_MS });
  await killHard(await orchestratorOf(rig));
  for (const id of Object.keys(ELSEWHERE)) await killHard(rig.pid(id));
  // As after a reboot, nothing of them runs.
  await rig.orch(['reap', '--json']);
  for (const [id, identity] of Object.entries(ELSEWHERE)) {
    const record = rig.record(id);
    const moved = { ...(record['identity'] as object), ...identity };
    const running = { status: 'running', reason: null, ended_at: null, current_task: 'two' };
    rig.write(`.status/${id}.json`, JSON.stringify({ ...record, ...running, identity: moved }));
  }
}

it.concurrent('a machine that was started again settles its worker, one that cannot be seen only the word of a person', async (context) => {
  const rig = rigFor(context, MOVED);
  await moveElsewhere(rig);
  const unknown = { status: 'running', verdict: 'unknown', alive: null };
  expect(verdictsOf(await statusOf(rig))).toMatchObject({
    rebooted: { status: 'running', verdict: 'crashed', alive: false },
    host: unknown,
    namespace: unknown,
  });
  const texts = (): string[] => UNSEEN.map((id) => rig.read(`.status/${id}.json`));
  const before = texts();
  expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
  expect(rig.record('rebooted')).toMatchObject({
    status: 'crashed',
    exit_code: null,
    reason: { code: 'rebooted' },
  });
  release(rig, 'go');
  const reattached = await rig.orch(['reattach', '--json']);
  expect(reattached).toMatchObject({ code: 1 });
  const told = reattached.stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const id of UNSEEN) {
    expect(told.findLast(({ workstream }) => workstream === id)).toMatchObject({ verdict: 'unknown' });
  }
  expect(await rig.orch(['stop', ...UNSEEN])).toMatchObject({ code: 4 });
  expect(texts()).toEqual(before);
  await expectAllDone(rig, ['rebooted', 'other']);
  expect(rig.record('rebooted')).toMatchObject({ attempt: 2 });
  expect([rig.status('child'), runsOf(rig, 'child')]).toEqual(['pending', []]);

  expect(await rig.orch(['stop', ...UNSEEN, '--presume-dead'])).toMatchObject({ code: 0 });
  for (const id of UNSEEN) {
    expect(rig.record(id)).toMatchObject({ status: 'stopped', reason: { code: 'presumed_dead' } });
  }
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
  expect(rig.record('child')).toMatchObject({ status: 'blocked', blocked_by: ['host'] });
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, [...UNSEEN, 'child']);
});
