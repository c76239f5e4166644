import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { discardChanges, excludeUntracked, restoreTracked } from '../../lib/git/tidy.ts';
import { isolate, prepare, put, repository, sh } from './repo.ts';

isolate();

const FILES = { 'a.txt': 'a\n', 'b/c.txt': 'c\n', conf: 'committed\n', '.gitignore': '*.log\n' };

/** A worktree in which everything is changed, `conf` and `keys/` by a copy. */
async function changed(): Promise<{ root: string; path: string; head: string }> {
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
  return { root: repo.root, path, head: await sh(path, 'rev-parse', 'HEAD') };
}

const text = (path: string, name: string): Promise<string> => readFile(join(path, name), 'utf8');

test('restoreTracked brings back what is tracked, and nothing else', async () => {
  const { root, path, head } = await changed();
  const keep = await excludeUntracked(root, 'WS-1', ['conf', 'keys']);
  expect((await restoreTracked(root, 'WS-1', keep, head)).sort()).toEqual([
    'a.txt',
    'added [x].txt',
    'b/c.txt',
  ]);
  expect(await sh(path, 'status', '--porcelain')).toBe(' M conf\n?? keys/\n?? n');
  expect(await text(path, 'conf')).toBe('copied\n');
  await rm(join(path, 'conf'));
  expect(await restoreTracked(root, 'WS-1', ['conf'], head)).toEqual([]);
});

test.each([[['conf', 'keys']], [[]]])('discardChanges leaves the last commit and %j', async (keep) => {
  const { root, path, head } = await changed();
  await discardChanges(root, 'WS-1', keep, head);
  expect(await sh(path, 'status', '--porcelain')).toBe(keep.length > 0 ? ' M conf\n?? keys/' : '');
  expect(await text(path, 'conf')).toBe(keep.length > 0 ? 'copied\n' : 'committed\n');
  expect(await text(path, 'x.log')).toBe('ignored');
});

test.each(['on the branch', 'on a detached HEAD', 'on a branch of its own'])(
  'discardChanges undoes what a test committed %s',
  async (where) => {
    const { root, path, head } = await changed();
    if (where === 'on a detached HEAD') await sh(path, 'checkout', '--quiet', '--detach');
    if (where === 'on a branch of its own') await sh(path, 'checkout', '--quiet', '-b', 'made-by-a-test');
    await sh(path, 'add', '--all');
    await sh(path, 'commit', '--quiet', '--message=by a test');
    await discardChanges(root, 'WS-1', [], head);
    expect(await sh(path, 'rev-parse', 'HEAD')).toBe(head);
    expect(await sh(path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/orch/WS-1');
    expect(await sh(path, 'status', '--porcelain')).toBe('');
  },
);

test('what setup made is kept out file by file: a file beside it is not', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo, {});
  await put(path, { 'gen/by-setup': '1' });
  expect(await excludeUntracked(repo.root, 'WS-1', [])).toEqual(['gen/by-setup']);
});
