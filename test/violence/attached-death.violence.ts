import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor, rigOf } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 120_000 });

/** The promise is 5 s; a machine that has more to do than it can gets as much again. */
const isLoaded = (loadavg()[0] ?? 0) > 1.5 * availableParallelism();
const BOUND_MS = isLoaded ? 10_000 : 5_000;

/** For how long something on this machine has waited for a CPU or a disk so far; 0 where the kernel does not count. */
function waitedMs(): number {
  const totals = ['cpu', 'io'].map((what) => {
    const path = `/proc/pressure/${what}`;
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return Number(/^some .*total=(\d+)/m.exec(text)?.[1] ?? 0) / 1000;
  });
  return totals.reduce((sum, ms) => sum + ms, 0);
}

/** Starts a clock that says at its end how long it took, beyond what a machine that was busy with other things cost. */
function clock(): () => number {
  const begun = performance.now() - waitedMs();
  return () => performance.now() - waitedMs() - begun;
}

/** How a worker ended that lost its orchestrator. Where time was short, it may not have come to its last word. */
async function expectTerminated(rig: Rig, id: string): Promise<void> {
  const isMute =
    rig.status(id) === 'running' && rig.read(`.logs/${id}.err`).includes('its end takes too long');
  if (isMute) await rig.orch(['reattach', '--no-launch']);
  const code = isMute ? 'lost' : 'terminated';
  expect([id, rig.record(id)]).toMatchObject([id, { status: 'crashed', reason: { code } }]);
}

const first = (id: string): { run: string } => ({
  run: `echo one > ${id}.one; echo ran >> "$ORCH_ROOT.aside/${id}.first"`,
});
const again = 'test -e "$ORCH_ROOT.aside/again" && { echo two > two; exit 0; }';

/** A: a tool that ignores SIGTERM. B: one that forks twice, into a session and an environment of its own. */
const SETTINGS = { 'README.md': 'x\n', 'orch.config.json': '{"stop_grace": "3s"}' };

const PLAN = {
  workstreams: [
    {
      id: 'A',
      tasks: [
        first('A'),
        {
          run: `${again}; trap '' TERM INT HUP; echo $$ > "$ORCH_ROOT.aside/A.pid"; while :; do sleep 1; done`,
        },
      ],
    },
    {
      id: 'B',
      tasks: [
        first('B'),
        {
          run: `${again}; (env -i "PATH=$PATH" setsid sh -c "trap '' TERM HUP; echo \\$\\$ > $ORCH_ROOT.aside/B.pid; while :; do sleep 1; done" &); while :; do sleep 1; done`,
        },
      ],
    },
  ],
};

async function begin(rig: Rig): Promise<{ run: ReturnType<Rig['start']>; tools: number[] }> {
  const run = rig.start(['run']);
  const pidOf = (id: string): number => {
    const path = join(rig.aside, `${id}.pid`);
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  };
  const tools = await until(
    () => {
      const pids = ['A', 'B'].map(pidOf);
      return pids.every((pid) => pid > 1) ? pids : null;
    },
    { what: 'both tools' },
  );
  return { run, tools };
}

async function expectContinued(rig: Rig): Promise<void> {
  writeFileSync(join(rig.aside, 'again'), '');
  expect(await rig.orch(['run'])).toMatchObject({ code: 0 });
  for (const id of ['A', 'B']) {
    expect(rig.record(id)).toMatchObject({ status: 'completed', mode: 'attached', progress: '2/2' });
    // Its checkpoint was there: it was not run again.
    expect(readFileSync(join(rig.aside, `${id}.first`), 'utf8')).toBe('ran\n');
  }
}

it('kill -9 of an attached orchestrator leaves no worker and no tool, and the next run goes on', async () => {
  const rig = rigOf(PLAN, SETTINGS);
  const { run, tools } = await begin(rig);
  const took = clock();
  signal(run.pid, 'SIGKILL');
  await until(() => rig.processes().length === 0 && !tools.some(isAlive), { what: 'the end of all' });
  const ms = took();
  process.stderr.write(`kill -9 of the orchestrator: nothing was left after ${Math.round(ms)} ms\n`);
  expect(ms).toBeLessThan(BOUND_MS);
  for (const id of ['A', 'B']) {
    await expectTerminated(rig, id);
    expect(rig.record(id)).toMatchObject({ progress: '1/2' });
  }
  await expectContinued(rig);
});

it.concurrent('a run that follows at once waits for nobody and repeats nothing', async (context) => {
  const rig = rigFor(context, PLAN, SETTINGS);
  const { run } = await begin(rig);
  signal(run.pid, 'SIGKILL');
  await run.finished;
  await expectContinued(rig);
  expect(rig.processes()).toEqual([]);
});

it('a worker that cannot end in time is cut off: its git hangs', async () => {
  // A filter that never ends holds up `git worktree add`.
  const hang = 'echo $$ > "$ORCH_ROOT.aside/git.pid"; trap "" TERM; while :; do sleep 1; done';
  const rig = rigOf(
    { workstreams: [{ id: 'A', tasks: [{ run: 'true' }] }] },
    { 'README.md': 'x\n', '.gitattributes': 'README.md filter=hang\n' },
  );
  rig.git('config', 'filter.hang.smudge', `sh -c '${hang}'`);
  const run = rig.start(['run']);
  await until(() => existsSync(join(rig.aside, 'git.pid')), { what: 'the git that hangs' });
  const took = clock();
  signal(run.pid, 'SIGKILL');
  await until(() => rig.processes().length === 0, { what: 'the end of all' });
  expect(took()).toBeLessThan(BOUND_MS);
  await expectTerminated(rig, 'A');
  rig.git('config', '--unset', 'filter.hang.smudge');
  expect(await rig.orch(['run'])).toMatchObject({ code: 0 });
});

for (const name of ['SIGTERM', 'SIGHUP'] as const) {
  it.concurrent(`${name} stops a run as Ctrl+C does; the next run goes on`, async (context) => {
    const rig = rigFor(context, PLAN, SETTINGS);
    const { run, tools } = await begin(rig);
    process.kill(run.pid, name);
    // The shell tells of a hang-up once more: that is no second Ctrl+C.
    if (name === 'SIGHUP') process.kill(run.pid, name);
    expect((await run.finished).code).toBe(130);
    expect(tools.filter(isAlive)).toEqual([]);
    expect(rig.processes()).toEqual([]);
    for (const id of ['A', 'B']) expect(rig.record(id)).toMatchObject({ status: 'stopped', progress: '1/2' });
    await expectContinued(rig);
  });
}

it('knows at once that a worker is gone, and starts the next attempt', async () => {
  const ids = ['A', 'B', 'C', 'D', 'E'];
  const rig = rigOf({
    workstreams: ids.map((id) => ({
      id,
      tasks: [
        { run: `test -e "$ORCH_ROOT.aside/${id}" && exit 0; touch "$ORCH_ROOT.aside/${id}"; exec sleep 60` },
      ],
    })),
  });
  const run = rig.start(['run', '--max-parallel', '5']);
  await until(() => ids.every((id) => existsSync(join(rig.aside, id))), { what: 'all five' });
  const delays: number[] = [];
  for (const id of ids) {
    const killedAt = Date.now() / 1000;
    signal(rig.record(id)['pid'] as number, 'SIGKILL');
    const crash = await until(
      () => rig.events().find((one) => one['workstream'] === id && one['to'] === 'crashed'),
      { what: `the end of ${id} to be known` },
    );
    delays.push(Number(crash['at']) - killedAt);
  }
  expect((await run.finished).code).toBe(0);
  const median = [...delays].sort((a, b) => a - b)[2] ?? Number.NaN;
  process.stderr.write(`a killed worker was settled after ${median.toFixed(2)} s (median of five)\n`);
  // A look every two seconds would take one on average.
  expect(median).toBeLessThan(isLoaded ? 4 : 1);
});

it.concurrent('ends the whole tree of a task that takes too long: SIGTERM, the grace, SIGKILL', async (context) => {
  const note = '"$ORCH_ROOT.aside';
  const stubborn = (name: string): string =>
    `trap '' TERM; echo $$ > ${note}/${name}"; while :; do sleep 0.2; done`;
  const rig = rigFor(
    context,
    {
      workstreams: [
        {
          id: 'A',
          // Enough to begin on a busy machine.
          task_timeout: '10s',
          tasks: [
            { run: `setsid sh -c '${stubborn('child').replaceAll("'", `'\\''`)}' & ${stubborn('leader')}` },
          ],
        },
      ],
    },
    SETTINGS,
  );
  expect((await rig.orch(['run'])).code).toBe(1);
  expect(rig.record('A')).toMatchObject({
    status: 'timed_out',
    reason: { code: 'timeout' },
    mode: 'attached',
  });
  const pids = ['child', 'leader'].map((name) => Number(readFileSync(join(rig.aside, name), 'utf8')));
  expect(pids.filter(isAlive)).toEqual([]);
  expect(rig.processes()).toEqual([]);
});

it('kill -9 right after Ctrl+C leaves nothing either, however long the grace is', async () => {
  const rig = rigOf(PLAN, { ...SETTINGS, 'orch.config.json': '{"stop_grace": "120s"}' });
  const { run, tools } = await begin(rig);
  signal(run.pid, 'SIGINT');
  const isAsked = (id: string): boolean => existsSync(join(rig.root, '.status', `${id}.stop`));
  await until(() => ['A', 'B'].every(isAsked), { what: 'the stop' });
  const took = clock();
  signal(run.pid, 'SIGKILL');
  await until(() => rig.processes().length === 0 && !tools.some(isAlive), { what: 'the end of all' });
  expect(took()).toBeLessThan(BOUND_MS);
  // A person asked for it.
  for (const id of ['A', 'B']) expect(rig.record(id)['status']).toMatch(/^(stopped|running)$/);
  await rig.orch(['reattach', '--no-launch']);
  for (const id of ['A', 'B']) expect(rig.status(id)).toBe('stopped');
  await expectContinued(rig);
});
