import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makeRepository, type Rig } from '../rig/repository.ts';
import { type Case, type Row, refuseAll, untouched, works } from './table.ts';

/** Places where orch cannot work, and odd ones where it can. */

const PLAN = JSON.stringify([
  { id: 'A', tasks: [{ run: 'echo done > done.txt' }], acceptance_tests: [{ run: 'test -s done.txt' }] },
]);

/** No repository, a bare one, one without commits, its git folder; another git, or none. */
export async function places(rig: Rig): Promise<Row[]> {
  const at = (name: string): string => join(rig.aside, name);
  for (const name of ['plain', 'bare.git', 'empty', 'no-git', 'old-git']) mkdirSync(at(name));
  rig.git('init', '--quiet', '--bare', at('bare.git'));
  rig.git('init', '--quiet', at('empty'));
  for (const name of ['plain', 'bare.git', 'empty']) writeFileSync(join(at(name), 'orch.plan.json'), PLAN);
  rig.git('push', '--quiet', at('bare.git'), 'main');
  rig.git('-C', at('bare.git'), 'worktree', 'add', '--quiet', at('of-bare'), 'main');
  writeFileSync(join(at('old-git'), 'git'), '#!/bin/sh\necho git version 2.20.1\n');
  chmodSync(join(at('old-git'), 'git'), 0o755);
  const inside = (what: string, code: string, name: string, ...args: string[]): Case => {
    return { what, args, cwd: at(name), code, exit: 2, shown: `cd ${at(name)} && orch ${args.join(' ')}` };
  };
  const path = `${at('old-git')}:${process.env['PATH']}`;
  const folders = ['plain', 'bare.git', 'empty', 'of-bare'];
  const before = folders.map((name) => readdirSync(at(name)));
  const rows = await untouched(rig, () =>
    refuseAll(rig, [
      inside('no repository', 'NOT_A_REPOSITORY', 'plain', 'launch'),
      inside('no repository', 'NOT_A_REPOSITORY', 'plain', 'status'),
      inside('a bare repository', 'NOT_A_REPOSITORY', 'bare.git', 'launch'),
      inside('a bare repository', 'NOT_A_REPOSITORY', 'bare.git', 'status'),
      inside('a worktree of a bare repository', 'NOT_A_REPOSITORY', 'of-bare', 'launch'),
      inside('no commit', 'NO_COMMITS', 'empty', 'launch'),
      {
        ...inside('the folder of git', 'NOT_A_REPOSITORY', '', 'launch'),
        cwd: join(rig.root, '.git'),
        shown: 'cd /repo/.git && orch launch',
      },
      { what: 'git that is too old', args: ['launch'], env: { PATH: path }, exit: 2, code: 'GIT_TOO_OLD' },
      { what: 'no git', args: ['launch'], env: { PATH: at('no-git') }, exit: 2, code: 'GIT_TOO_OLD' },
    ]),
  );
  expect(folders.map((name) => readdirSync(at(name)))).toEqual(before);
  rig.write('README.md', 'changed\n');
  const dirty = { what: 'changes that are not committed', args: ['launch'], exit: 2, code: 'DIRTY_CHECKOUT' };
  return [...rows, ...(await untouched(rig, () => refuseAll(rig, [dirty])))];
}

/** A linked worktree, a submodule, a repository with submodules, a name with blanks: all of it just works. */
export async function oddPlaces(rig: Rig): Promise<Row[]> {
  const rows: Row[] = [];
  const other = makeRepository(undefined, { 'other.txt': 'other\n' });
  try {
    rig.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', other.root, 'lib/other');
    rig.git('commit', '--quiet', '--message=submodule');
    const linked = join(rig.aside, 'a linked worktree');
    rig.git('worktree', 'add', '--quiet', '-b', 'side', linked);
    rows.push(await works(rig, { what: 'a repository with a submodule', args: ['launch'] }));
    const shown = 'cd /elsewhere/linked && orch wait';
    rows.push(
      await works(
        rig,
        { what: 'a linked worktree as working folder', args: ['wait', '--quiet'], cwd: linked, shown },
        'It works on the main worktree.',
      ),
    );
    expect([rig.status('A'), existsSync(join(linked, '.status'))]).toEqual(['completed', false]);
    expect(rig.git('status', '--porcelain', '--ignore-submodules=none')).toBe('');
    const inside = join(rig.root, 'lib/other');
    writeFileSync(join(inside, 'plan.json'), PLAN);
    rows.push(
      await works(
        rig,
        {
          what: 'a submodule as working folder',
          args: ['launch', 'plan.json', '--dry-run'],
          cwd: inside,
          shown: 'cd /repo/lib/other && orch launch plan.json --dry-run',
        },
        'It works on the submodule.',
      ),
    );
    rig.write('README.md', 'changed\n');
    rows.push(
      await works(rig, {
        what: 'changes that are not committed, on purpose',
        args: ['launch', '--allow-dirty'],
      }),
    );
  } finally {
    await other.end();
  }
  return rows;
}

const FOLDERS = ['.status', '.pids', '.logs', '.worktrees'];

/** State folders that are not orch's own. */
export async function folders(rig: Rig): Promise<Row[]> {
  const rows: Row[] = [];
  const target = join(rig.aside, 'target');
  mkdirSync(target);
  const refuse = (what: string, commands: string[][]): Promise<void> =>
    untouched(rig, async () => {
      const cases = commands.map((args): Case => ({ what, args, exit: 2, code: 'UNSAFE_FOLDER' }));
      rows.push(...(await refuseAll(rig, cases)));
    });
  for (const name of FOLDERS) {
    symlinkSync(target, join(rig.root, name));
    const others = [['status'], ['reap'], ['reattach'], ['stop', '--all']];
    await refuse(`${name} is a symbolic link`, name === '.status' ? [['launch'], ...others] : [['launch']]);
    rmSync(join(rig.root, name));
  }
  writeFileSync(join(rig.root, '.pids'), '');
  await refuse('.pids is a file', [['launch'], ['status']]);
  rmSync(join(rig.root, '.pids'));
  rig.write('.logs/old.log', 'old\n');
  rig.git('add', '--force', '.logs/old.log');
  rig.git('commit', '--quiet', '--message=logs');
  await refuse('.logs holds tracked files', [['launch']]);
  rig.git('rm', '--quiet', '.logs/old.log');
  rig.git('commit', '--quiet', '--message=no logs');
  expect(readdirSync(target)).toEqual([]);
  return rows;
}

/** Names that are taken already. */
export async function taken(rig: Rig): Promise<Row[]> {
  const rows: Row[] = [];
  const refuse = (what: string, code: string): Promise<void> =>
    untouched(
      rig,
      async () => void rows.push(...(await refuseAll(rig, [{ what, args: ['launch'], exit: 2, code }]))),
    );
  for (const name of ['orch', 'orch/A', 'orch/A/deeper']) {
    rig.git('branch', name);
    await refuse(`a branch ${name}`, 'BRANCH_TAKEN');
    rig.git('branch', '--delete', '--force', name);
  }
  rig.write('.worktrees/A/mine.txt', 'mine\n');
  await refuse('a folder in place of the worktree', 'WORKTREE_TAKEN');
  rmSync(join(rig.root, '.worktrees/A'), { recursive: true });
  rig.write('.worktrees/A', 'mine\n');
  await refuse('a file in place of the worktree', 'WORKTREE_TAKEN');
  rmSync(join(rig.root, '.worktrees/A'));
  rig.git('worktree', 'add', '--quiet', '-b', 'mine', join(rig.root, '.worktrees/A'));
  await refuse('a worktree of yours in its place', 'WORKTREE_TAKEN');
  rig.git('worktree', 'remove', join(rig.root, '.worktrees/A'));
  rig.write('.status/a.json', '{"status": "completed"}');
  await refuse('a record whose id differs in case alone', 'PLAN_INVALID');
  rmSync(join(rig.root, '.status/a.json'));
  rig.write('.status/A.json', '{"status": "completed"}');
  await refuse('a foreign worker of that id', 'PLAN_INVALID');
  rmSync(join(rig.root, '.status/A.json'));
  return rows;
}

/** While it works, and after: what is at work or done is not begun again by accident. */
export async function busy(rig: Rig): Promise<Row[]> {
  expect((await rig.orch(['launch', 'busy.json'])).code).toBe(0);
  const refuse = async (cases: [string, string[], number, string][]): Promise<Row[]> =>
    refuseAll(
      rig,
      cases.map(([what, args, exit, code]) => ({ what, args, exit, code })),
    );
  const rows = await refuse([
    ['somebody orchestrates already', ['launch', 'busy.json'], 4, 'BUSY'],
    ['somebody orchestrates already', ['reattach', '--no-launch'], 4, 'BUSY'],
    ['a retry of what is at work', ['retry', 'A'], 4, 'BUSY'],
    ['it takes longer than that', ['wait', '--timeout', '1s'], 4, 'WAIT_TIMEOUT'],
    ['an attempt that there is not', ['logs', 'A', '--attempt', '9'], 3, 'NO_WORKSTREAM'],
  ]);
  writeFileSync(join(rig.aside, 'go'), '');
  expect((await rig.orch(['wait'])).code).toBe(0);
  rig.write('changed.json', JSON.stringify([{ id: 'A', tasks: [{ run: 'echo other' }] }]));
  const after = await refuse([
    ['a retry of what is done', ['retry', 'A'], 2, 'USAGE'],
    ['what is done has another definition now', ['launch', 'changed.json'], 2, 'DEFINITION_CHANGED'],
  ]);
  const kept = await works(
    rig,
    { what: 'what is done, launched again', args: ['launch', 'busy.json'] },
    'It is kept as it is.',
  );
  expect(rig.record('A')).toMatchObject({ attempt: 1 });
  return [...rows, ...after, kept];
}
