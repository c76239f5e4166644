import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  BOUND_MS,
  expectAllDone,
  expectEachTaskOnce,
  killHard,
  orchestratorOf,
  release,
  runsOf,
  salvagedText,
  statusOf,
  stepsOf,
  untilNoted,
  untilRuns,
  verdictsOf,
} from '../rig/ledger.ts';
import { isAlive, type Rig, until } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

const isFolder = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function tryMkdir(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Ways to lose a file. */
const DAMAGES: Record<string, (path: string) => void> = {
  deleted: (path) => rmSync(path),
  cut: (path) => writeFileSync(path, execFileSync('head', ['-c', '200', path])),
  null: (path) => writeFileSync(path, 'null\n'),
  folder: (path) => {
    // A live worker may write its heartbeat between the two.
    for (let tries = 0; !isFolder(path) && tries < 100; tries += 1) {
      rmSync(path, { force: true });
      tryMkdir(path);
    }
  },
  pipe: (path) => {
    execFileSync('mkfifo', [`${path}.pipe`]);
    renameSync(`${path}.pipe`, path);
  },
};
const NAMES = Object.keys(DAMAGES);
const IDS = [...NAMES, 'sound'];
/** A workstream for each damage, named after it, and one that is left alone. */
const PLAN = { workstreams: IDS.map((id) => stepsOf(id, ['one', 'two:go'])) };

async function launch(rig: Rig): Promise<void> {
  expect(await rig.orch(['launch', '--max-parallel', '9'])).toMatchObject({ code: 0 });
  for (const id of IDS) {
    // A write under way would replace what is damaged meanwhile.
    await untilNoted(rig, await untilRuns(rig, id, 'two'));
  }
}

/** The sound one is shown as it is, and no damage makes `status` or `reap` fail. */
async function expectOthersUndisturbed(rig: Rig): Promise<void> {
  const worker = rig.pid('sound');
  expect(verdictsOf(await statusOf(rig))).toMatchObject({
    sound: { status: 'running', verdict: 'running', alive: true },
  });
  expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
  expect(isAlive(worker)).toBe(true);
}

function expectCopies(rig: Rig): void {
  const copies = readdirSync(join(rig.root, '.status')).filter((file) => file.includes('.unreadable-'));
  const damaged = NAMES.filter((name) => name !== 'deleted');
  expect(copies.sort()).toEqual(damaged.map((name) => `${name}.json.unreadable-1`).sort());
  for (const copy of copies) {
    const stats = lstatSync(join(rig.root, '.status', copy));
    expect([stats.isDirectory(), stats.isFIFO()]).toEqual([
      copy.startsWith('folder'),
      copy.startsWith('pipe'),
    ]);
  }
}

const tasksOf = (rig: Rig, id: string): string[] => runsOf(rig, id).map(({ task }) => task);

describe.concurrent('a record that is lost', () => {
  it('while its worker lives: the worker writes it again and completes', async (context) => {
    const rig = rigFor(context, PLAN);
    await launch(rig);
    const workers = IDS.map((id) => rig.pid(id));
    for (const name of NAMES) DAMAGES[name]?.(join(rig.root, `.status/${name}.json`));
    await expectOthersUndisturbed(rig);
    expect(workers.every(isAlive)).toBe(true);
    release(rig, 'go');
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, IDS);
    for (const id of IDS) {
      expect([id, rig.record(id)['attempt'], tasksOf(rig, id)]).toEqual([id, 1, ['one', 'two']]);
    }
    expectCopies(rig);
  });

  it('after its worker was killed: git knows what was done', async (context) => {
    const rig = rigFor(context, PLAN);
    await launch(rig);
    await killHard(await orchestratorOf(rig));
    for (const name of NAMES) {
      await killHard(rig.pid(name));
      DAMAGES[name]?.(join(rig.root, `.status/${name}.json`));
    }
    await expectOthersUndisturbed(rig);
    const reattach = rig.start(['reattach']);
    for (const id of NAMES) {
      await until(() => runsOf(rig, id).length === 3, {
        what: `another attempt of ${id}`,
        boundMs: BOUND_MS,
      });
    }
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    for (const id of IDS) {
      expect(rig.record(id)).toMatchObject({ status: 'completed', progress: '2/2' });
      expectEachTaskOnce(rig, id);
    }
    for (const id of NAMES) {
      expect([id, tasksOf(rig, id)]).toEqual([id, ['one', 'two', 'two']]);
      expect([id, salvagedText(rig, id, 1, 'two.txt')]).toEqual([id, 'half\n']);
    }
    expectCopies(rig);
  });

  it('before there was a checkpoint: a launch knows its branch by its worktree', async (context) => {
    const workstreams = NAMES.map((id) => stepsOf(id, ['one:go']));
    const rig = rigFor(context, { workstreams });
    expect(await rig.orch(['launch', '--max-parallel', '9'])).toMatchObject({ code: 0 });
    for (const id of NAMES) await untilRuns(rig, id, 'one');
    await killHard(await orchestratorOf(rig));
    for (const id of NAMES) {
      await killHard(rig.pid(id));
      DAMAGES[id]?.(join(rig.root, `.status/${id}.json`));
    }
    release(rig, 'go');
    expect(await rig.orch(['launch', '--max-parallel', '9'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    // Attempts are numbered anew: nothing but the lost record knew of the first.
    for (const id of NAMES) expect([id, rig.status(id)]).toEqual([id, 'completed']);
    for (const id of NAMES) expect(rig.git('show', `orch/${id}:one.txt`)).toBe('whole one\n');
  });
});

describe.concurrent('files beside the record that are lost', () => {
  const ROLE = ['.pids/_orchestrator.pid', '.status/_orchestrator.json'];

  it.for(['cut', 'folder'])('cost nothing while all are at work (%s)', async (name, context) => {
    const rig = rigFor(context, PLAN);
    await launch(rig);
    for (const file of ROLE) DAMAGES[name]?.(join(rig.root, file));
    for (const id of NAMES) {
      for (const file of [`.pids/${id}.pid`, `.status/${id}.heartbeat`]) DAMAGES[id]?.(join(rig.root, file));
    }
    const shown = verdictsOf(await statusOf(rig));
    for (const id of IDS) expect([id, shown[id]]).toMatchObject([id, { verdict: 'running', alive: true }]);
    await expectOthersUndisturbed(rig);
    release(rig, 'go');
    expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
    await until(() => rig.processes().length === 0, { what: 'the end of everything', boundMs: BOUND_MS });
    for (const id of IDS) expect([id, tasksOf(rig, id)]).toEqual([id, ['one', 'two']]);
  });

  it('cost nothing after all were killed', async (context) => {
    const rig = rigFor(context, PLAN);
    await launch(rig);
    for (const pid of [await orchestratorOf(rig), ...IDS.map((id) => rig.pid(id))]) await killHard(pid);
    for (const file of ROLE) rmSync(join(rig.root, file));
    for (const id of NAMES) {
      for (const file of [`.pids/${id}.pid`, `.status/${id}.heartbeat`]) rmSync(join(rig.root, file));
    }
    const reattach = rig.start(['reattach']);
    for (const id of IDS) await untilRuns(rig, id, 'two', 2);
    release(rig, 'go');
    expect(await reattach.finished).toMatchObject({ code: 0 });
    await expectAllDone(rig, IDS);
  });

  it('a frozen plan that is damaged keeps nobody from stopping, and can be launched again', async (context) => {
    const workstreams = [
      stepsOf('A', ['one', 'two:go']),
      stepsOf('B', ['one'], { depends_on: ['A'] }),
      stepsOf('C', ['one', 'two:go']),
    ];
    const rig = rigFor(context, { workstreams });
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    for (const id of ['A', 'C']) await untilRuns(rig, id, 'two');
    DAMAGES['cut']?.(join(rig.root, '.status/_plan.json'));
    await statusOf(rig);
    expect(await rig.orch(['reap', '--json'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['stop', 'C', '--grace', '60s'])).toMatchObject({ code: 0 });
    expect(rig.status('C')).toBe('stopped');
    release(rig, 'go');
    await until(() => rig.status('A') === 'completed', { what: 'A to complete', boundMs: BOUND_MS });
    await until(() => rig.processes().length === 0, { what: 'the end of everything', boundMs: BOUND_MS });
    expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
    expect(await rig.orch(['reattach'])).toMatchObject({ code: 0 });
    await expectAllDone(rig, ['A', 'B', 'C']);
    expect(runsOf(rig)).toHaveLength(6);
  });
});
