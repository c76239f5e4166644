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
  untilNoted,
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

type Pids = ReadonlyMap<string, number>;

/** Waits until the tool of a workstream has started every kind of escapee; their PIDs by name. */
async function escapeesOf(context: TestContext, rig: Rig, id: string): Promise<Pids> {
  const folder = join(rig.aside, 'pids', id);
  // There, and not empty: the shell makes the file before it writes.
  const last = join(folder, 'tool');
  const isWritten = (): boolean => existsSync(last) && readFileSync(last, 'utf8').endsWith('\n');
  await until(isWritten, { what: `the escapees of ${id}`, boundMs: BOUND_MS });
  const pids = new Map(ESCAPES.map((name) => [name, Number(readFileSync(join(folder, name), 'utf8'))]));
  // Those without environment are found by nobody but this test if orch misses them.
  context.onTestFinished(() => {
    for (const pid of pids.values()) signal(pid, 'SIGKILL');
  });
  return pids;
}

const living = (pids: Pids): string[] => [...pids].flatMap(([name, pid]) => (isAlive(pid) ? [name] : []));

/** Every file of the state folders with its content, to see that nothing was changed; but a live heart beats on. */
function stateOf(rig: Rig): Record<string, string> {
  const state: Record<string, string> = {};
  for (const folder of ['.status', '.pids', '.logs']) {
    for (const entry of readdirSync(join(rig.root, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      state[path] = entry.isFile() && !path.endsWith('.heartbeat') ? readFileSync(path, 'utf8') : '';
    }
  }
  return state;
}

/** Three tasks, the second of which starts them, once. */
function escaping(id: string, ...args: string[]) {
  const escapes = `sh ${tool('escapes.sh')} ${args.join(' ')}`;
  const second = { run: `test -d "$ORCH_ROOT.aside/pids/$ORCH_WORKSTREAM" || ${escapes}` };
  const { tasks, ...rest } = stepsOf(id, ['one', 'three']);
  return { ...rest, tasks: [...tasks.slice(0, 1), second, ...tasks.slice(1)] };
}

it.concurrent('reap ends all that killed workers left, and names it first', async (context) => {
  const rig = rigFor(context, {
    workstreams: [escaping('killed'), escaping('killed-with-its-tool'), stepsOf('alive', ['one:go'])],
  });
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  const [first, second] = [
    await escapeesOf(context, rig, 'killed'),
    await escapeesOf(context, rig, 'killed-with-its-tool'),
  ];
  await untilNoted(rig, await untilRuns(rig, 'alive', 'one'));
  await killHard(await orchestratorOf(rig));
  const dead = ['killed', 'killed-with-its-tool'];
  for (const id of dead) await killHard(rig.pid(id));
  await killHard(second.get('tool') ?? 0);
  const left = (): string[][] => [living(first), living(second)];
  const all = [ESCAPES, ESCAPES.filter((name) => name !== 'tool')];
  expect(left()).toEqual(all);
  const worker = rig.pid('alive');
  const crashed = { status: 'running', verdict: 'crashed', alive: false };
  expect(verdictsOf(await statusOf(rig))).toEqual({
    killed: crashed,
    'killed-with-its-tool': crashed,
    alive: { status: 'running', verdict: 'running', alive: true },
  });

  const before = stateOf(rig);
  const dry = await rig.orch(['reap', '--dry-run', '--json']);
  expect(dry).toMatchObject({ code: 0 });
  const { actions } = json<Reaped>(dry);
  const kills = actions.filter(({ action }) => action === 'kill');
  for (const [at, pids] of [first, second].entries()) {
    const named = kills.filter(({ workstream }) => workstream === dead[at]).map(({ pid }) => pid);
    for (const name of all[at] ?? [])
      expect([name, named]).toEqual([name, expect.arrayContaining([pids.get(name)])]);
  }
  for (const { workstream, why } of kills) {
    expect(dead).toContain(workstream);
    expect(why).toMatch(/proof: (marker|session|descendant|scope|limit|cwd)/);
  }
  const settles = actions.filter(({ action }) => action === 'settle');
  expect(settles.map(({ workstream, target }) => [workstream, target])).toEqual(
    dead.map((id) => [id, 'crashed']),
  );
  expect(stateOf(rig)).toEqual(before);
  expect(left()).toEqual(all);

  expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
  expect(left()).toEqual([[], []]);
  for (const name of [...dead, '_orchestrator']) {
    expect([name, existsSync(join(rig.root, `.pids/${name}.pid`))]).toEqual([name, false]);
  }
  for (const id of dead) {
    expect(rig.record(id)).toMatchObject({ status: 'crashed', exit_code: null, reason: { code: 'lost' } });
  }
  expect(rig.record('alive')).toMatchObject({ status: 'running', pid: worker });
  expect(isAlive(worker)).toBe(true);
  expect(json<Reaped>(await rig.orch(['reap', '--json'])).actions).toEqual([]);

  release(rig, 'go');
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
  for (const id of dead) {
    expect(rig.record(id)).toMatchObject({ status: 'completed', attempt: 2, progress: '3/3' });
    expect(runsOf(rig, id).map(({ task }) => task)).toEqual(['one', 'three']);
  }
  await expectAllDone(rig, ['alive']);
  expect(rig.record('alive')).toMatchObject({ attempt: 1 });
});

it.concurrent('nothing is left by a tool that ends or is stopped, nor to the attempt after a kill', async (context) => {
  const ids = ['ends', 'stopped', 'killed'];
  const rig = rigFor(context, {
    workstreams: [escaping('ends', 'leave'), escaping('stopped'), escaping('killed')],
  });
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  const pids = new Map<string, Pids>();
  for (const id of ids) pids.set(id, await escapeesOf(context, rig, id));
  const left = (): unknown => Object.fromEntries([...pids].map(([id, some]) => [id, living(some)]));
  await killHard(rig.pid('killed'));
  expect(await rig.orch(['stop', 'stopped', '--grace', '60s'])).toMatchObject({ code: 0 });
  for (const id of ['ends', 'killed']) {
    await until(() => rig.status(id) === 'completed', { what: `${id} to complete`, boundMs: BOUND_MS });
  }
  expect(left()).toEqual({ ends: [], stopped: [], killed: [] });
  expect(await rig.orch(['reattach'])).toMatchObject({ code: 1 });
  expect(rig.record('ends')).toMatchObject({ status: 'completed', attempt: 1 });
  expect(rig.record('killed')).toMatchObject({ status: 'completed', attempt: 2 });
  expect(rig.record('stopped')).toMatchObject({ status: 'stopped', attempt: 1, progress: '1/3' });
  await until(() => rig.processes().length === 0, { what: 'the end of everything', boundMs: BOUND_MS });
});
