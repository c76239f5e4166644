import { link, lstat, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { agentEdits } from '../../lib/git/agent-edits.ts';
import { readable } from '../../lib/git/changes.ts';
import { type PutBack, putBackFiles, takeBackFiles } from '../../lib/git/put-back.ts';
import { salvage } from '../../lib/git/salvage.ts';
import { discardChanges } from '../../lib/git/tidy.ts';
import { removeWorktree } from '../../lib/git/worktree.ts';
import { checkpoint, folder, isolate, prepare, put, type Repo, repository, sh } from './repo.ts';

isolate();

const FILES = { 'src/a.js': 'a\n', 'test/a.js': 'base\n', 'test/b.js': 'base\n', '.gitignore': '*.log\n' };

/** A path and the commit whose version it had before an agent came. */
async function editsOf(repo: Repo): Promise<[string, string][]> {
  return (await agentEdits(repo.root, 'WS-1')).map(({ path, source }) => [readable(path), source]);
}

async function putAll(repo: Repo): Promise<void> {
  const edits = await agentEdits(repo.root, 'WS-1');
  const files = edits.flatMap(({ path, source, before }): PutBack[] =>
    before === null ? [] : [{ path: readable(path), source }],
  );
  await putBackFiles(repo.root, 'WS-1', files);
}

const read = (path: string, name: string): Promise<string> => readFile(join(path, name), 'utf8');
const statusOf = (path: string): Promise<string> =>
  sh(path, 'status', '--porcelain', '--untracked-files=all', '--ignored');

test('an edit is an agent’s from its first change on, and none once it is undone', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  expect(await editsOf(repo)).toEqual([]);
  await put(path, { 'test/a.js': 'by the plan\n' });
  const first = (await checkpoint(repo, path)).commit;
  expect(await editsOf(repo)).toEqual([]);
  await put(path, { 'test/a.js': 'by an agent\n', 'test/b.js': 'by an agent\n', 'test/new.js': 'n\n' });
  await checkpoint(repo, path, { tool: 'claude' });
  await put(path, { 'test/a.js': 'by the plan again\n', 'src/a.js': 'by the plan\n' });
  await checkpoint(repo, path);
  expect(await editsOf(repo)).toEqual([
    ['test/a.js', first],
    ['test/b.js', first],
    ['test/new.js', first],
  ]);
  await put(path, { 'test/b.js': 'base\n' });
  await rm(join(path, 'test/new.js'));
  await checkpoint(repo, path, { tool: 'claude', repair: 1 });
  expect(await editsOf(repo)).toEqual([['test/a.js', first]]);
});

test('files are there for a while, and nothing remembers it', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  await put(path, { 'test/a.js': 'weak\n', 'src/a.js': 'work\n', '.gitignore': '*.log\ntest/\n' });
  await rm(join(path, 'test/b.js'));
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putAll(repo);
  expect([await read(path, 'test/a.js'), await read(path, 'test/b.js')]).toEqual(['base\n', 'base\n']);
  await takeBackFiles(repo.root, 'WS-1', commit);
  await discardChanges(repo.root, 'WS-1', [], commit);
  expect(await statusOf(path)).toBe('');
  expect(await read(path, 'test/a.js')).toBe('weak\n');
});

test('killed in between, the next attempt finds the tree that was committed, and salvages nothing', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  await put(path, { 'test/a.js': 'weak\n', '.gitignore': '*.log\ntest/\n' });
  await rm(join(path, 'test/b.js'));
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putAll(repo);
  const again = await prepare(repo, { attempt: 2 });
  expect([again.salvaged, again.head]).toEqual([null, commit]);
  expect(await statusOf(path)).toBe('');
  await putAll(repo);
  expect(await removeWorktree(repo.root, 'WS-1')).toMatchObject({ removed: true, salvaged: null });
});

test('the same where a power loss left an index of no bytes', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  await put(path, { 'test/a.js': 'weak\n' });
  await rm(join(path, 'test/b.js'));
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putAll(repo);
  await writeFile(join(repo.root, '.git/worktrees/WS-1/index'), '');
  const { salvaged } = await prepare(repo, { attempt: 2 });
  // That nothing is staged any more is kept too; the files are those of the commit.
  expect(await sh(repo.root, 'diff', commit, salvaged ?? commit)).toBe('');
  expect(await statusOf(path)).toBe('');
});

test('what a test changed besides is salvaged as ever', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  await put(path, { 'test/a.js': 'weak\n' });
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putAll(repo);
  await put(path, { 'report.txt': 'r\n' });
  await takeBackFiles(repo.root, 'WS-1', commit);
  const kept = await salvage({ root: repo.root, id: 'WS-1', attempt: 1, why: 'test' });
  expect(await sh(repo.root, 'diff', '--name-only', commit, kept ?? '')).toBe('report.txt');
});

test('links and folders in the way lead nowhere else', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  const outside = await folder();
  await put(outside, { 'a.js': 'outside\n', 'b.js': 'outside\n' });
  await rename(join(path, 'test'), join(path, 'moved'));
  await symlink(outside, join(path, 'test'));
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putAll(repo);
  expect((await lstat(join(path, 'test'))).isDirectory()).toBe(true);
  expect(await read(path, 'test/a.js')).toBe('base\n');
  await takeBackFiles(repo.root, 'WS-1', commit);
  await discardChanges(repo.root, 'WS-1', [], commit);
  expect((await lstat(join(path, 'test'))).isSymbolicLink()).toBe(true);
  expect([await read(outside, 'a.js'), await read(outside, 'b.js')]).toEqual(['outside\n', 'outside\n']);
  expect(await statusOf(path)).toBe('');
});

test('a folder in the place of a file makes room, and comes back', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  await rm(join(path, 'test/a.js'));
  await mkdir(join(path, 'test/a.js'));
  await put(path, { 'test/a.js/deep.js': 'd\n' });
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putAll(repo);
  expect(await read(path, 'test/a.js')).toBe('base\n');
  await takeBackFiles(repo.root, 'WS-1', commit);
  await discardChanges(repo.root, 'WS-1', [], commit);
  expect(await read(path, 'test/a.js/deep.js')).toBe('d\n');
  expect(await statusOf(path)).toBe('');
});

test('a text is written in place of a version, never through a link', async () => {
  const repo = await repository({ ...FILES, 'package.json': '{}\n' });
  const { path } = await prepare(repo);
  await put(path, { 'package.json': '{"a": 1}\n' });
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  const text = '{"merged": 1}\n';
  await putBackFiles(repo.root, 'WS-1', [{ path: 'package.json', source: repo.base, text }]);
  expect(await read(path, 'package.json')).toBe(text);
  await takeBackFiles(repo.root, 'WS-1', commit);
  expect(await statusOf(path)).toBe('');
  const outside = await folder();
  await rm(join(path, 'package.json'));
  await symlink(join(outside, 'x'), join(path, 'package.json'));
  await put(outside, { x: 'outside\n' });
  await checkpoint(repo, path, { tool: 'claude' });
  await putBackFiles(repo.root, 'WS-1', [{ path: 'package.json', source: repo.base, text }]);
  expect([await read(outside, 'x'), await read(path, 'package.json')]).toEqual(['outside\n', '{}\n']);
});

test('a text is written into no file that has another name elsewhere', async () => {
  const repo = await repository({ ...FILES, 'package.json': '{}\n' });
  const { path } = await prepare(repo);
  const outside = await folder();
  await put(outside, { mine: '{"a": 1}\n' });
  await rm(join(path, 'package.json'));
  await link(join(outside, 'mine'), join(path, 'package.json'));
  const { commit } = await checkpoint(repo, path, { tool: 'claude' });
  await putBackFiles(repo.root, 'WS-1', [
    { path: 'package.json', source: repo.base, text: '{"merged": 1}\n' },
  ]);
  expect([await read(outside, 'mine'), await read(path, 'package.json')]).toEqual([
    '{"a": 1}\n',
    '{"merged": 1}\n',
  ]);
  await takeBackFiles(repo.root, 'WS-1', commit);
  expect(await statusOf(path)).toBe('');
  expect(await read(outside, 'mine')).toBe('{"a": 1}\n');
});
