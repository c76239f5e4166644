import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { discardChanges, excludeUntracked, restoreTracked } from '../../lib/git/tidy.ts';
import { isolate, prepare, put, repository, sh } from './repo.ts';

isolate();

const FILES = { 'a.txt': 'a\n', 'b/c.txt': 'c\n', conf: 'committed\n', '.gitignore': '*.log\n' };

/** A worktree in which everything is changed, `conf` and `keys/` by a copy. */
async function changed(): Promise<{ root: string; path: string }> {
  const repo = await repository(FILES);
  const { path } = await prepare(repo, { exclude: ['conf', 'keys'] });
  await put(path, {
    conf: 'copied\n',
    'keys/k': 'copied\n',
    'a.txt': 'changed\n',
    'b/c.txt': 'staged\n',
    n: 'n',
  });
  await put(path, { 'added [x].txt': 'x', 'x.log': 'ignored' });
  await sh(path, 'add', 'b/c.txt', 'added [x].txt');
  return { root: repo.root, path };
}

const text = (path: string, name: string): Promise<string> => readFile(join(path, name), 'utf8');

test('restoreTracked brings back what is tracked, and nothing else', async () => {
  const { root, path } = await changed();
  const keep = await excludeUntracked(root, 'WS-1', ['conf', 'keys']);
  expect((await restoreTracked(root, 'WS-1', keep)).sort()).toEqual(['a.txt', 'added [x].txt', 'b/c.txt']);
  expect(await sh(path, 'status', '--porcelain')).toBe(' M conf\n?? keys/\n?? n');
  expect(await text(path, 'conf')).toBe('copied\n');
  await rm(join(path, 'conf'));
  expect(await restoreTracked(root, 'WS-1', ['conf'])).toEqual([]);
});

test.each([[['conf', 'keys']], [[]]])('discardChanges leaves the last commit and %j', async (keep) => {
  const { root, path } = await changed();
  await discardChanges(root, 'WS-1', keep);
  expect(await sh(path, 'status', '--porcelain')).toBe(keep.length > 0 ? ' M conf\n?? keys/' : '');
  expect(await text(path, 'conf')).toBe(keep.length > 0 ? 'copied\n' : 'committed\n');
  expect(await text(path, 'x.log')).toBe('ignored');
});
