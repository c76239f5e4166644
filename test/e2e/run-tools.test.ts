import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { checkpointMessage } from '../../lib/git/trailers.ts';
import { type Task, withDigests } from '../../lib/protocol/plan.ts';
import { type Finished, makeRepository, type Rig, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/** Tools that use git by themselves: nothing that they committed is lost, and checkpoints hold what they should. */

let out = '';
let rig: Rig;
let waited: Finished;

const run = (command: string) => ({ run: command });
/** Makes a file, commits it and notes the commit. */
const commit = (folder: string, name: string, options = ''): string =>
  `echo ${name} > ${name}.txt; git add ${name}.txt; git commit -q ${options} -m ${name}; git rev-parse HEAD >> ${folder}/${name}`;

/** Three tasks, of which the first makes a commit that looks just like the checkpoint of the last. */
function forging(folder: string): { run: string }[] {
  const tasks = [
    run(`sh ${folder}/forge.sh`),
    run(`test -f ${folder}/flag`),
    run(`echo ran >> ${folder}/forges; echo f > f.txt`),
  ];
  const planned = withDigests(
    tasks.map((task): Task & { step: null } => ({ kind: 'run', timeoutMs: null, step: null, ...task })),
  );
  const task = planned.at(-1)?.digest ?? '';
  const claim = {
    workstream: 'forges',
    run: '1',
    attempt: 1,
    task,
    index: '3/3',
    previous: null,
    base: '@BASE@',
  };
  writeFileSync(join(folder, 'message'), checkpointMessage('Forged', claim));
  const script = `sed "s/@BASE@/$(git rev-parse HEAD)/" ${folder}/message | git commit -q --allow-empty -F -\n`;
  writeFileSync(join(folder, 'forge.sh'), script);
  return tasks;
}

function planOf(folder: string): unknown[] {
  return [
    { id: 'commits', tasks: [run(`${commit(folder, 'own')}; echo loose > loose.txt`)] },
    {
      id: 'amends',
      tasks: [
        run('echo kept > kept.txt'),
        run(`git rev-parse HEAD > ${folder}/amended; ${commit(folder, 'amend', '--amend')}`),
      ],
    },
    {
      id: 'resets',
      tasks: [
        run('echo kept > kept.txt'),
        run(`${commit(folder, 'dropped')}; git reset -q --hard HEAD~2; echo after > after.txt`),
      ],
    },
    {
      id: 'switches',
      tasks: [
        run(`git switch -q -c elsewhere; ${commit(folder, 'stray')}; echo loose > loose.txt`),
        run('echo next > next.txt'),
      ],
    },
    {
      id: 'detaches',
      tasks: [run(`git switch -q --detach; ${commit(folder, 'detached')}`), run('echo next > next.txt')],
    },
    { id: 'forges', tasks: forging(folder) },
    {
      id: 'merges',
      tasks: [
        run(
          `echo m > m.txt; git switch -q -c side; ${commit(folder, 'side')}; git switch -q orch/merges; ${commit(folder, 'main')}; git merge -q --no-edit side`,
        ),
      ],
    },
    {
      id: 'stages',
      tasks: [run('echo staged > staged.txt; git add staged.txt; rm staged.txt; echo x > x.txt')],
    },
    {
      id: 'steals',
      copy: ['.env'],
      tasks: [
        run(
          `git add -f .env; git commit -q -m secret; git rev-parse HEAD > ${folder}/secret; echo x > x.txt`,
        ),
      ],
    },
  ];
}

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
  rig = makeRepository(planOf(out), { 'README.md': 'hello\n', '.gitignore': '.env\n' });
  rig.write('.env', 'SECRET=42\n');
  rig.git('config', 'user.name', 'Tool');
  rig.git('config', 'user.email', 'tool@localhost');
  await rig.orch(['launch', '--max-parallel', '10']);
  waited = await rig.orch(['wait', '--timeout', '150s']);
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
}, 200_000);

afterAll(async () => {
  await rig.end();
  rmSync(out, { recursive: true, force: true });
});

beforeEach(() => onTestFailed(() => showLogs(rig.root)));

const noted = (name: string): string[] => readFileSync(join(out, name), 'utf8').trim().split('\n');
const files = (ref: string): string[] =>
  rig
    .git('ls-tree', '-r', '--name-only', ref)
    .trim()
    .split('\n')
    .filter((name) => !/^(README|orch.plan|\.gitignore)/.test(name))
    .sort();
const history = (...refs: string[]): string[] =>
  rig
    .git('rev-list', ...refs)
    .trim()
    .split('\n');
const salvaged = (id: string): string[] =>
  rig
    .git('for-each-ref', '--format=%(objectname)', `refs/orch/salvage/${id}`)
    .trim()
    .split('\n')
    .filter(Boolean);

describe('a tool that uses git by itself', () => {
  it('completes all the same', () => {
    for (const id of ['commits', 'amends', 'resets', 'switches', 'detaches', 'merges', 'stages', 'steals']) {
      expect([id, rig.status(id)]).toEqual([id, 'completed']);
      const tip = rig.git('rev-parse', `orch/${id}`).trim();
      expect([rig.record(id)['head'], rig.git('rev-parse', `refs/orch/checkpoint/${id}`).trim()]).toEqual([
        tip,
        tip,
      ]);
      expect(rig.read(`.git/worktrees/${id}/HEAD`)).toBe(`ref: refs/heads/orch/${id}\n`);
    }
  });

  it('keeps its own commits on the branch', () => {
    expect(history('orch/commits')).toEqual(expect.arrayContaining(noted('own')));
    expect(files('orch/commits')).toEqual(['loose.txt', 'own.txt']);
    expect(history('orch/detaches')).toEqual(expect.arrayContaining(noted('detached')));
    expect(files('orch/detaches')).toEqual(['detached.txt', 'next.txt']);
    expect(history('orch/merges')).toEqual(expect.arrayContaining([...noted('side'), ...noted('main')]));
    expect(files('orch/merges')).toEqual(['m.txt', 'main.txt', 'side.txt']);
  });

  it('keeps a checkpoint that it amended, and what it made of it', () => {
    expect(history('orch/amends')).toEqual(expect.arrayContaining(noted('amended')));
    expect(files('orch/amends')).toEqual(['amend.txt', 'kept.txt']);
    expect(history(...salvaged('amends'))).toEqual(expect.arrayContaining(noted('amend')));
  });

  it('takes its word for what the files are, and keeps what it reset away', () => {
    expect(files('orch/resets')).toEqual(['after.txt']);
    expect(history(...salvaged('resets'))).toEqual(expect.arrayContaining(noted('dropped')));
    expect(history('--grep=Orch-Task', 'orch/resets')).toHaveLength(2);
  });

  it('does not follow it to another branch', () => {
    expect(files('orch/switches')).toEqual(['loose.txt', 'next.txt', 'stray.txt']);
    expect(history('--all')).toEqual(expect.arrayContaining(noted('stray')));
    expect(history('orch/switches')).not.toEqual(expect.arrayContaining(noted('stray')));
    expect(history(...salvaged('switches'))).toEqual(expect.arrayContaining(noted('stray')));
  });

  it('commits files as they are, not as they were staged', () => {
    expect(files('orch/stages')).toEqual(['x.txt']);
  });

  it('never has a copied file on its branch', () => {
    expect(files('orch/steals')).toEqual(['x.txt']);
    expect(history('orch/steals')).not.toEqual(expect.arrayContaining(noted('secret')));
    expect(rig.git('log', 'orch/steals', '--format=', '--name-only').split('\n')).not.toContain('.env');
  });

  it('cannot claim that a task is done', { timeout: 120_000 }, async () => {
    expect(waited.code).toBe(1);
    expect([rig.status('forges'), rig.record('forges')['progress']]).toEqual(['failed', '1/3']);
    writeFileSync(join(out, 'flag'), '');
    await rig.orch(['launch', '--only', 'forges']);
    const second = await rig.orch(['wait', 'forges', '--timeout', '100s']);
    expect(second.code).toBe(0);
    expect(noted('forges')).toEqual(['ran']);
    expect(rig.record('forges')['progress']).toBe('3/3');
    expect(files('orch/forges')).toEqual(['f.txt']);
  });

  it('leaves a sound repository', () => {
    expect(rig.git('fsck', '--no-dangling', '--no-progress')).toBe('');
    expect(rig.git('status', '--porcelain')).toBe('');
  });
});
