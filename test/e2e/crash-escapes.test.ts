import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext, vi } from 'vitest';
import {
  BOUND_MS,
  expectAllDone,
  json,
  killHard,
  orchestratorOf,
  release,
  runsOf,
  statusOf,
  stepsOf,
  tool,
  untilRuns,
  verdictsOf,
} from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

const ESCAPES = ['child', 'orphan', 'session', 'deaf', 'bare-child', 'bare-orphan', 'bare-session', 'tool'];

type Reaped = {
  actions: { action: string; workstream: string; pid: number | null; why: string; target: string }[];
};

/** A worker whose second task has started every kind of escapee; their PIDs by name. */
async function startEscapes(context: TestContext, rig: Rig): Promise<Map<string, number>> {
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  const pids = new Map<string, number>();
  // Those without environment are found by nobody but this test if orch misses them.
  context.onTestFinished(() => {
    for (const pid of pids.values()) signal(pid, 'SIGKILL');
  });
  for (const name of ESCAPES) {
    const path = join(rig.aside, 'pids', name);
    const read = (): number => (existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0);
    pids.set(name, await until(read, { what: `the escapee ${name}`, boundMs: BOUND_MS }));
  }
  return pids;
}

const living = (pids: ReadonlyMap<string, number>): string[] =>
  [...pids].flatMap(([name, pid]) => (isAlive(pid) ? [name] : []));

/** Every file of the state folders with its content, to see that nothing was changed. */
function stateOf(rig: Rig): Record<string, string> {
  const state: Record<string, string> = {};
  for (const folder of ['.status', '.pids', '.logs']) {
    for (const entry of readdirSync(join(rig.root, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      state[path] = entry.isFile() ? readFileSync(path, 'utf8') : '';
    }
  }
  return state;
}

const plan = () => ({
  workstreams: [
    {
      ...stepsOf('A', ['one', 'three']),
      tasks: [
        ...stepsOf('A', ['one']).tasks,
        { run: `test -e "$ORCH_ROOT.aside/go" || sh ${tool('escapes.sh')}` },
        ...stepsOf('A', ['three']).tasks,
      ],
    },
    stepsOf('B', ['one:go']),
  ],
});

it.concurrent.for([false, true])(
  'reaps all that a killed worker left, and names it first (its tool killed: %s)',
  async (too, context) => {
    const rig = rigFor(context, plan());
    const pids = await startEscapes(context, rig);
    await untilRuns(rig, 'B', 'one');
    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('A'));
    if (too) {
      await killHard(pids.get('tool') ?? 0);
      pids.delete('tool');
    }
    const left = living(pids);
    expect(left).toEqual([...pids.keys()]);
    const worker = rig.pid('B');
    const shown = await statusOf(rig);
    expect(verdictsOf(shown)).toMatchObject({
      A: { status: 'running', verdict: 'crashed', alive: false },
      B: { verdict: 'running', alive: true },
    });

    const before = stateOf(rig);
    const dry = await rig.orch(['reap', '--dry-run', '--json']);
    expect(dry).toMatchObject({ code: 0 });
    const { actions } = json<Reaped>(dry);
    const kills = actions.filter(({ action }) => action === 'kill');
    const named = new Set(kills.map(({ pid }) => pid));
    expect([...pids].filter(([, pid]) => !named.has(pid))).toEqual([]);
    for (const { workstream, why } of kills) {
      expect(workstream).toBe('A');
      expect(why).toMatch(/proof: (marker|session|descendant|cwd)/);
    }
    expect(actions).toContainEqual(
      expect.objectContaining({ action: 'settle', workstream: 'A', target: 'crashed' }),
    );
    // B's heartbeat goes on.
    const quiet = (state: Record<string, string>) =>
      Object.entries(state).filter(([path]) => !path.endsWith('.heartbeat'));
    expect(quiet(stateOf(rig))).toEqual(quiet(before));
    expect(living(pids)).toEqual(left);

    const reaped = await rig.orch(['reap', '--json']);
    expect(reaped).toMatchObject({ code: 0 });
    expect(living(pids)).toEqual([]);
    for (const name of ['A', '_orchestrator'])
      expect(existsSync(join(rig.root, `.pids/${name}.pid`))).toBe(false);
    expect(rig.record('A')).toMatchObject({ status: 'crashed', exit_code: null, reason: { code: 'lost' } });
    expect(rig.processes().map(({ pid }) => pid)).toContain(worker);
    expect(rig.record('B')).toMatchObject({ status: 'running', pid: worker });
    const again = json<Reaped>(await rig.orch(['reap', '--json']));
    expect(again.actions).toEqual([]);

    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2, progress: '3/3' });
    expect(rig.record('B')).toMatchObject({ status: 'completed', attempt: 1 });
    expect(runsOf(rig, 'A').map(({ task }) => task)).toEqual(['one', 'three']);
  },
);

it.concurrent('leaves nothing of a killed worker to the next attempt, with no command run', async (context) => {
  const rig = rigFor(context, plan());
  const pids = await startEscapes(context, rig);
  release(rig, 'go');
  await killHard(rig.pid('A'));
  await until(() => rig.status('A') === 'completed', { what: 'A to complete', boundMs: BOUND_MS });
  expect(living(pids)).toEqual([]);
  expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
  expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2 });
  await until(() => rig.processes().length === 0, { what: 'the end of everything' });
});

it.concurrent('leaves nothing of a tool that was stopped', async (context) => {
  const rig = rigFor(context, plan());
  const pids = await startEscapes(context, rig);
  expect(await rig.orch(['stop', 'A', '--grace', '60s'])).toMatchObject({ code: 0 });
  expect(rig.status('A')).toBe('stopped');
  expect(living(pids)).toEqual([]);
  release(rig, 'go');
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
  expect(rig.record('A')).toMatchObject({ status: 'stopped', progress: '1/3' });
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  await expectAllDone(rig, ['B']);
  expect(rig.record('A')).toMatchObject({ status: 'completed' });
});
