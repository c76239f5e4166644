import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { differsFrom } from '../../lib/git/look.ts';
import { salvage } from '../../lib/git/salvage.ts';
import { discardChanges, restoreTracked } from '../../lib/git/tidy.ts';
import { checkpoint, filesIn, isolate, prepare, put, repository, sh } from './repo.ts';

isolate();

const FILES = { 'a.txt': 'a\n', 'b.txt': 'b\n', 'c/c.txt': 'c\n', '.gitignore': '*.log\n' };

/** Hides edits of two files, of one of them by both flags. */
async function hide(path: string, flags: readonly string[]): Promise<void> {
  for (const flag of flags) await sh(path, 'update-index', flag, 'a.txt', 'b.txt');
  await put(path, { 'a.txt': 'hidden\n' });
  await rm(join(path, 'b.txt'));
  expect(await sh(path, 'status', '--porcelain')).toBe('');
}

const ASSUMED = ['--assume-unchanged'];
const SKIPPED = ['--skip-worktree'];

describe.each([[ASSUMED], [SKIPPED], [[...ASSUMED, ...SKIPPED]]])('%j', (flags) => {
  test('hides no edit from a checkpoint', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await hide(path, flags);
    const { commit, changed } = await checkpoint(repo, path);
    expect(changed).toBe(true);
    const { 'b.txt': _, ...rest } = FILES;
    expect(await filesIn(repo.root, commit)).toEqual({ ...rest, 'a.txt': 'hidden\n' });
  });

  test('hides no edit from the salvage, and the next attempt begins without it', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await hide(path, flags);
    expect(await differsFrom(repo.root, 'WS-1', repo.base, [])).toBe(true);
    const before = await sh(path, 'ls-files', '-v');
    const commit = await salvage({ root: repo.root, id: 'WS-1', attempt: 1, why: 'test' });
    expect(await sh(path, 'ls-files', '-v')).toBe(before);
    expect(await sh(repo.root, 'show', `${commit}:a.txt`)).toBe('hidden');
    await prepare(repo, { attempt: 2 });
    expect(await readFile(join(path, 'a.txt'), 'utf8')).toBe('a\n');
  });

  test.each(['setup', 'a test'])('what %s did to tracked files is put back', async (who) => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await hide(path, flags);
    if (who === 'setup') expect(await restoreTracked(repo.root, 'WS-1', [], repo.base)).toContain('a.txt');
    else await discardChanges(repo.root, 'WS-1', [], repo.base);
    expect(await readFile(join(path, 'a.txt'), 'utf8')).toBe('a\n');
  });
});

test('core.ignoreStat of a repository hides no edit', async () => {
  const repo = await repository(FILES);
  await sh(repo.root, 'config', 'core.ignoreStat', 'true');
  const { path } = await prepare(repo);
  await put(path, { 'a.txt': 'edited\n' });
  const { commit } = await checkpoint(repo, path);
  expect(await sh(repo.root, 'show', `${commit}:a.txt`)).toBe('edited');
});

test('a sparse checkout stays sparse', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  await sh(path, 'sparse-checkout', 'set', '--no-cone', '/*', '!/c/');
  await put(path, { 'a.txt': 'edited\n' });
  const { commit } = await checkpoint(repo, path);
  expect(await filesIn(repo.root, commit)).toEqual({ ...FILES, 'a.txt': 'edited\n' });
  expect(await sh(path, 'ls-files', '-v', 'c')).toBe('S c/c.txt');
});
