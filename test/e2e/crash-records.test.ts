import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BOUND_MS,
  expectAllDone,
  killHard,
  orchestratorOf,
  release,
  runsOf,
  salvagedText,
  statusOf,
  stepsOf,
  untilRuns,
} from '../rig/ledger.ts';
import { isAlive, type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

const PLAN = { workstreams: [stepsOf('A', ['one', 'two:go', 'three']), stepsOf('B', ['one:go'])] };

/** Ways to lose a file; the word that `status` has for a record after it, null where it is as if never written. */
const DAMAGES: Record<string, (path: string) => void> = {
  deleted: (path) => rmSync(path),
  'cut off': (path) => writeFileSync(path, execFileSync('head', ['-c', '200', path])),
  empty: (path) => writeFileSync(path, ''),
  null: (path) => writeFileSync(path, 'null\n'),
  'a folder': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  'a pipe': (path) => {
    rmSync(path);
    execFileSync('mkfifo', [path]);
  },
};
const NAMES = Object.keys(DAMAGES);

async function launch(rig: Rig): Promise<void> {
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  await untilRuns(rig, 'A', 'two');
  await untilRuns(rig, 'B', 'one');
}

function damage(rig: Rig, file: string, name: string): void {
  DAMAGES[name]?.(join(rig.root, file));
}

/** What is shown right after the damage: everybody else as before, and no failure. */
async function expectShown(rig: Rig, name: string): Promise<void> {
  const { workstreams } = await statusOf(rig);
  const status = name === 'deleted' ? 'missing' : 'unreadable';
  const a = workstreams.find(({ workstream }) => workstream === 'A');
  // A live worker or orchestrator may have mended it already.
  expect([status, 'running', 'pending', 'starting']).toContain(a?.status);
  expect(workstreams.find(({ workstream }) => workstream === 'B')).toMatchObject({ verdict: 'running', alive: true });
}

function expectCopy(rig: Rig, name: string): void {
  const copies = readdirSync(join(rig.root, '.status')).filter((file) => file.startsWith('A.json.unreadable-'));
  expect(copies).toEqual(name === 'deleted' ? [] : ['A.json.unreadable-1']);
  const [copy] = copies;
  if (copy === undefined) return;
  const stats = lstatSync(join(rig.root, '.status', copy));
  expect([stats.isDirectory(), stats.isFIFO()]).toEqual([name === 'a folder', name === 'a pipe']);
}

describe('a record that is lost', () => {
  it.each(NAMES)('while its worker lives (%s): the worker writes it again and completes', async (name) => {
    const rig = rigOf(PLAN);
    await launch(rig);
    const worker = rig.pid('A');
    damage(rig, '.status/A.json', name);
    await expectShown(rig, name);
    expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
    expect(isAlive(worker)).toBe(true);
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    for (const id of ['A', 'B']) expect(rig.record(id)).toMatchObject({ attempt: 1 });
    expect(runsOf(rig)).toHaveLength(4);
    expectCopy(rig, name);
  });

  it.each(NAMES)('after its worker was killed (%s): git knows what was done', async (name) => {
    const rig = rigOf(PLAN);
    await launch(rig);
    await killHard(await orchestratorOf(rig));
    await killHard(rig.pid('A'));
    damage(rig, '.status/A.json', name);
    await expectShown(rig, name);
    const reattach = rig.start(['reattach']);
    await until(() => runsOf(rig, 'A').filter(({ task }) => task === 'two').length === 2, {
      what: 'another attempt at two',
      boundMs: BOUND_MS,
    });
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    expect(runsOf(rig, 'A').map(({ task }) => task)).toEqual(['one', 'two', 'two', 'three']);
    expect(rig.record('A')).toMatchObject({ status: 'completed', progress: '3/3' });
    await expectAllDone(rig, ['B']);
    expect(salvagedText(rig, 'A', 1, 'two.txt')).toBe('half\n');
    expectCopy(rig, name);
  });
});

describe('files beside the record that are lost', () => {
  const FILES = ['.pids/A.pid', '.pids/_orchestrator.pid', '.status/A.heartbeat', '.status/_orchestrator.json'];

  it.each(NAMES)('(%s) cost nothing while all are at work', async (name) => {
    const rig = rigOf(PLAN);
    await launch(rig);
    for (const file of FILES) damage(rig, file, name);
    const { workstreams } = await statusOf(rig);
    for (const status of workstreams) expect(status).toMatchObject({ verdict: 'running', alive: true });
    expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
    release(rig, 'go');
    for (const id of ['A', 'B']) {
      await until(() => rig.status(id) === 'completed', { what: `${id} to complete`, boundMs: BOUND_MS });
    }
    expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
    await until(() => rig.processes().length === 0, { what: 'the end of everything', boundMs: BOUND_MS });
    expect(runsOf(rig)).toHaveLength(4);
  });

  it('cost nothing after all were killed', async () => {
    const rig = rigOf(PLAN);
    await launch(rig);
    const all = [await orchestratorOf(rig), rig.pid('A'), rig.pid('B')];
    for (const pid of all) await killHard(pid);
    for (const file of FILES) damage(rig, file, 'deleted');
    const reattach = rig.start(['reattach']);
    for (const [id, task] of [['A', 'two'], ['B', 'one']] as const) await untilRuns(rig, id, task, 2);
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
  });

  it.each(['cut off', 'deleted'])('a plan (%s) can be launched again: finished work is kept', async (name) => {
    const rig = rigOf(PLAN);
    await launch(rig);
    damage(rig, '.status/_plan.json', name);
    release(rig, 'go');
    for (const id of ['A', 'B']) {
      await until(() => rig.status(id) === 'completed', { what: `${id} to complete`, boundMs: BOUND_MS });
    }
    expect(existsSync(join(rig.root, '.status/A.json'))).toBe(true);
    await rig.orch(['stop', '--all']);
    await until(async () => (await rig.orch(['launch'])).code === 0, { what: 'a launch', boundMs: BOUND_MS });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B']);
    expect(runsOf(rig)).toHaveLength(4);
  });
});
