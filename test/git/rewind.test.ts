import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCheckpoints, withCheckpoint } from '../../lib/git/chain.ts';
import { differsFrom } from '../../lib/git/look.ts';
import { rewindWorktree } from '../../lib/git/rewind.ts';
import { salvage } from '../../lib/git/salvage.ts';
import { makeScratch, removeScratch } from '../../lib/git/scratch.ts';
import { checkpoint, folder, isolate, prepare, put, reaches, repository, sh } from './repo.ts';

isolate();

describe('rewindWorktree', () => {
  test('puts back whatever a run left, and keeps what was copied in', async () => {
    const repo = await repository({ 'a.txt': 'a\n', 'b.txt': 'b\n', '.gitignore': '*.log\n' });
    const { path } = await prepare(repo);
    await put(path, { 'a.txt': 'done\n', '.env': 'KEY' });
    const { commit } = await checkpoint(repo, path, { exclude: ['.env'] });
    await put(path, { 'a.txt': 'committed\n' });
    await sh(path, 'commit', '--quiet', '-a', '-m', 'by a tool');
    const own = await sh(path, 'rev-parse', 'HEAD');
    await put(path, { 'a.txt': 'half\n', 'new/c.txt': 'c', 'x.log': 'ignored' });
    await put(path, { 'inner/file': 'x' });
    await sh(join(path, 'inner'), 'init', '--quiet');
    await rm(join(path, 'b.txt'));
    await sh(path, 'checkout', '--quiet', '-b', 'elsewhere');
    const kept = await salvage({ root: repo.root, id: 'WS-1', attempt: 1, why: 'test', exclude: ['.env'] });
    const moved = await rewindWorktree(repo.root, 'WS-1', { head: commit, keep: ['.env'] });
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('done\n');
    expect(readdirSync(path).sort()).toEqual(['.env', '.git', '.gitignore', 'a.txt', 'b.txt', 'x.log']);
    expect(await sh(path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/orch/WS-1');
    expect(await sh(repo.root, 'rev-parse', 'orch/WS-1')).toBe(commit);
    expect(moved).toHaveLength(1);
    expect(readFileSync(join(moved[0] ?? '', 'file'), 'utf8')).toBe('x');
    expect(await reaches(repo.root, kept ?? '', own)).toBe(true);
    // Again, as after a kill: nothing is left to do.
    expect(await rewindWorktree(repo.root, 'WS-1', { head: commit, keep: ['.env'] })).toEqual([]);
    expect(await differsFrom(repo.root, 'WS-1', commit, ['.env'])).toBe(false);
  });
});

describe('differsFrom', () => {
  test('asks for files that git would commit, whatever was committed on the way', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const differs = (): Promise<boolean> => differsFrom(repo.root, 'WS-1', repo.base, ['.env']);
    await put(path, { 'x.log': 'ignored', '.env': 'KEY' });
    expect(await differs()).toBe(false);
    await put(path, { 'a.txt': 'other\n' });
    await sh(path, 'commit', '--quiet', '-a', '-m', 'there');
    expect(await differs()).toBe(true);
    await put(path, { 'a.txt': 'a\n' });
    await sh(path, 'commit', '--quiet', '-a', '-m', 'and back');
    expect(await differs()).toBe(false);
    await put(path, { 'new.txt': '' });
    expect(await differs()).toBe(true);
  });
});

describe('makeScratch', () => {
  test('is private, outside of the worktree, and empty each time', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const scratch = await makeScratch(repo.root, 'WS-1');
    expect(scratch.startsWith(path)).toBe(false);
    expect(statSync(scratch).mode & 0o777).toBe(0o700);
    writeFileSync(join(scratch, 'prompt.md'), 'x');
    expect(readdirSync(await makeScratch(repo.root, 'WS-1'))).toEqual([]);
    // A tool in a sandbox may put a link in its place.
    const elsewhere = await folder();
    writeFileSync(join(elsewhere, 'mine'), 'x');
    await removeScratch(repo.root, 'WS-1');
    symlinkSync(elsewhere, scratch);
    await makeScratch(repo.root, 'WS-1');
    expect(lstatSync(scratch).isDirectory()).toBe(true);
    expect(existsSync(join(elsewhere, 'mine'))).toBe(true);
    await removeScratch(repo.root, 'WS-1');
    expect(existsSync(scratch)).toBe(false);
  });
});

describe('a repair', () => {
  test('is a checkpoint more and no finished task more', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await checkpoint(repo, path, { tool: 'aider' });
    await checkpoint(repo, path);
    await put(path, { 'a.txt': 'mended\n' });
    const { commit } = await checkpoint(repo, path, { digest: 'digest-1', tool: 'llm', repair: 1 });
    const state = await readCheckpoints(repo.root, 'WS-1');
    expect(state).toEqual({
      tip: commit,
      base: repo.base,
      done: ['digest-1', 'digest-2'],
      work: new Map([
        ['digest-1', { tool: 'llm', repairs: 1 }],
        ['digest-2', { tool: null, repairs: 0 }],
      ]),
    });
    const next = withCheckpoint(state, {
      commit: 'c',
      base: repo.base,
      digest: 'digest-1',
      tool: 'x',
      repair: 2,
    });
    expect([next.done, next.work.get('digest-1')]).toEqual([state.done, { tool: 'x', repairs: 2 }]);
  });
});
