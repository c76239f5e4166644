import { readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NONE, readCheckpoints } from '../../lib/git/chain.ts';
import { highestAttempt, salvage } from '../../lib/git/salvage.ts';
import { removeWorktree } from '../../lib/git/worktree.ts';
import {
  checkpoint,
  filesIn,
  folder,
  isolate,
  prepare,
  put,
  type Repo,
  reaches,
  repository,
  sh,
} from './repo.ts';

isolate();

const SALVAGE = 'refs/orch/salvage/WS-1/1';

/** All that belongs to the user: branches, index, stash, HEAD, files. */
async function ofUser(root: string): Promise<string> {
  const refs = await sh(
    root,
    'for-each-ref',
    'refs/heads/main',
    'refs/heads/user',
    'refs/stash',
    'refs/tags',
  );
  const [head, status, stash] = [
    await sh(root, 'rev-parse', 'HEAD'),
    await sh(root, 'status', '--porcelain'),
    await sh(root, 'stash', 'list'),
  ];
  return [
    refs,
    head,
    await sh(root, 'symbolic-ref', 'HEAD'),
    status,
    stash,
    await sh(root, 'ls-files', '-s'),
  ].join('\n');
}

describe('prepareWorktree', () => {
  test('makes a worktree on its branch, and does nothing the second time', async () => {
    const repo = await repository();
    const first = await prepare(repo);
    const path = join(repo.root, '.worktrees/WS-1');
    const checkpointState = NONE;
    expect(first).toEqual({
      path,
      head: repo.base,
      checkpoint: checkpointState,
      salvaged: null,
      created: true,
      kept: [],
    });
    expect(await sh(path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/orch/WS-1');
    expect(await sh(path, 'status', '--porcelain')).toBe('');
    expect(await readFile(join(path, 'a.txt'), 'utf8')).toBe('a\n');
    expect(await sh(repo.root, 'worktree', 'list', '--porcelain')).not.toContain('locked');
    await writeFile(join(path, 'x.log'), 'ignored');
    expect(await prepare(repo)).toEqual({ ...first, created: false });
    expect(await readFile(join(path, 'x.log'), 'utf8')).toBe('ignored');
  });

  test('salvages whatever the last attempt left, then stands at the checkpoint', async () => {
    const repo = await repository({ 'a.txt': 'a', 'gone.txt': 'g', '.gitignore': '*.log\n' });
    const { path } = await prepare(repo, { exclude: ['.env'] });
    await put(path, { 'b.txt': 'done' });
    const done = await checkpoint(repo, path, { exclude: ['.env'] });
    await put(path, { 'c.txt': 'committed by the tool' });
    await sh(path, 'add', 'c.txt');
    await sh(path, 'commit', '--quiet', '-m', 'tool');
    const tool = await sh(path, 'rev-parse', 'HEAD');
    await put(path, {
      'new\n dir/ü': 'untracked',
      'a.txt': 'half',
      'x.log': 'ignored',
      '.env': 'SECRET',
      'staged.txt': 'only staged',
    });
    await rm(join(path, 'gone.txt'));
    await sh(path, 'add', 'staged.txt');
    await rm(join(path, 'staged.txt'));
    const again = await prepare(repo, { attempt: 2 });
    expect(again).toMatchObject({
      head: done.commit,
      created: false,
      checkpoint: { tip: done.commit, done: ['digest-1'] },
    });
    expect(await sh(repo.root, 'rev-parse', SALVAGE)).toBe(again.salvaged);
    expect(await filesIn(repo.root, SALVAGE)).toEqual({
      'a.txt': 'half',
      'b.txt': 'done',
      'c.txt': 'committed by the tool',
      'new\n dir/ü': 'untracked',
      '.gitignore': '*.log\n',
    });
    expect(await reaches(repo.root, SALVAGE, tool)).toBe(true);
    const parents = (await sh(repo.root, 'rev-parse', `${SALVAGE}^@`)).split('\n');
    const held = await Promise.all(parents.map((commit) => filesIn(repo.root, commit)));
    expect(held.map((files) => files['staged.txt'])).toContain('only staged');
    expect(await sh(path, 'status', '--porcelain')).toBe('');
    expect(await sh(path, 'rev-parse', 'HEAD')).toBe(done.commit);
    expect(await readFile(join(path, 'x.log'), 'utf8')).toBe('ignored');
    const third = await prepare(repo, { attempt: 3 });
    expect(third.salvaged).toBeNull();
    expect(await highestAttempt(repo.root, 'WS-1')).toBe(1);
  });

  test('fresh: checkpoints go to the salvage ref, the branch to the base; a chain keeps its base otherwise', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const one = await checkpoint(repo, path);
    await sh(repo.root, 'commit', '--quiet', '--allow-empty', '-m', 'later');
    const later = await sh(repo.root, 'rev-parse', 'HEAD');
    const kept = await prepare(repo, { base: later, attempt: 2 });
    expect(kept).toMatchObject({ head: one.commit, checkpoint: { base: repo.base } });
    const fresh = await prepare(repo, { base: later, attempt: 3, fresh: true });
    expect(fresh).toMatchObject({ head: later, checkpoint: { tip: null, done: [] } });
    expect(await reaches(repo.root, 'refs/orch/salvage/WS-1/2', one.commit)).toBe(true);
    expect(await readCheckpoints(repo.root, 'WS-1')).toEqual(NONE);
    const next = await checkpoint({ ...repo, base: later }, path);
    expect(await readCheckpoints(repo.root, 'WS-1')).toMatchObject({
      tip: next.commit,
      base: later,
      done: ['digest-1'],
    });
  });

  test('never removes what it did not make', async () => {
    const repo = await repository();
    await put(repo.root, { '.worktrees/WS-1/mine.txt': 'mine' });
    await expect(prepare(repo)).rejects.toMatchObject({ code: 'WORKTREE_FAILED', hint: expect.any(String) });
    await expect(removeWorktree(repo.root, 'WS-1')).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    const other = await folder();
    await symlink(other, join(repo.root, '.worktrees/WS-2'));
    await expect(prepare(repo, { id: 'WS-2' })).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    await sh(repo.root, 'worktree', 'add', '--quiet', '--detach', '.worktrees/WS-3');
    await put(repo.root, { '.worktrees/WS-3/mine.txt': 'mine' });
    await expect(prepare(repo, { id: 'WS-3' })).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    await expect(removeWorktree(repo.root, 'WS-3')).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    for (const id of ['WS-1', 'WS-3'])
      expect(await readFile(join(repo.root, `.worktrees/${id}/mine.txt`), 'utf8')).toBe('mine');
  });

  test('refuses a branch that is checked out elsewhere', async () => {
    const repo = await repository();
    await sh(repo.root, 'checkout', '--quiet', '-b', 'orch/WS-1');
    const before = await ofUser(repo.root);
    await expect(prepare(repo)).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    expect(await ofUser(repo.root)).toBe(before);
  });

  test("leaves the user's checkout, branches, index, stash and other worktrees alone", async () => {
    const repo = await repository();
    await sh(repo.root, 'branch', 'user');
    await put(repo.root, { 'a.txt': 'stashed' });
    await sh(repo.root, 'stash');
    await put(repo.root, { 'a.txt': 'edited', 'untracked.txt': 'u', 'staged.txt': 's' });
    await sh(repo.root, 'add', 'staged.txt');
    const gone = join(await folder(), 'WS-1');
    await sh(repo.root, 'worktree', 'add', '--quiet', '--detach', gone);
    await rm(gone, { recursive: true });
    const before = await ofUser(repo.root);
    const { path } = await prepare(repo);
    await put(path, { 'b.txt': 'b' });
    await checkpoint(repo, path);
    await put(path, { 'c.txt': 'c' });
    await prepare(repo, { attempt: 2 });
    await removeWorktree(repo.root, 'WS-1');
    expect(await ofUser(repo.root)).toBe(before);
    expect(await sh(repo.root, 'worktree', 'list')).toContain(gone);
  });

  test('recovers a folder removed by hand, keeping the commits made in it', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await sh(path, 'checkout', '--quiet', '--detach');
    await sh(path, 'commit', '--quiet', '--allow-empty', '-m', 'tool');
    const tool = await sh(path, 'rev-parse', 'HEAD');
    await rm(path, { recursive: true });
    const again = await prepare(repo, { attempt: 2 });
    expect(again).toMatchObject({ created: true, head: repo.base });
    expect(await reaches(repo.root, SALVAGE, tool)).toBe(true);
    expect(await sh(path, 'status', '--porcelain')).toBe('');
  });

  test('keeps commits on a branch whose worktree is gone', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await put(path, { 'b.txt': 'b' });
    await sh(path, 'add', '-A');
    await sh(path, 'commit', '--quiet', '-m', 'tool');
    const tool = await sh(path, 'rev-parse', 'HEAD');
    await sh(repo.root, 'worktree', 'remove', path);
    const again = await prepare(repo, { attempt: 2 });
    expect(again).toMatchObject({ created: true, head: repo.base });
    expect(await reaches(repo.root, SALVAGE, tool)).toBe(true);
    expect((await filesIn(repo.root, SALVAGE))['b.txt']).toBe('b');
  });

  test('a repository inside is moved aside whole before the worktree is cleaned', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await put(path, { 'sub/n/g': 'nested', 'sub/h': 'beside' });
    await sh(path, 'init', '--quiet', 'sub/n');
    const { kept } = await prepare(repo, { attempt: 2 });
    expect(kept).toHaveLength(1);
    expect(await readFile(join(kept[0] ?? '', 'g'), 'utf8')).toBe('nested');
    expect((await filesIn(repo.root, SALVAGE))['sub/h']).toBe('beside');
    expect(await sh(path, 'status', '--porcelain', '--ignored')).toBe('');
  });

  test('removes stale locks of its own, leaves an unfinished rebase behind', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await checkpoint(repo, path);
    await put(path, { 'a.txt': 'x\n' });
    await sh(path, 'commit', '--quiet', '-am', 'x');
    await sh(path, 'checkout', '--quiet', '-b', 'side', 'HEAD~1');
    await put(path, { 'a.txt': 'y\n' });
    await sh(path, 'commit', '--quiet', '-am', 'y');
    await sh(path, 'rebase', 'orch/WS-1').catch(() => null);
    expect((await stat(join(repo.root, '.git/worktrees/WS-1/rebase-merge'))).isDirectory()).toBe(true);
    const locks = [
      'worktrees/WS-1/index.lock',
      'worktrees/WS-1/HEAD.lock',
      'refs/heads/orch/WS-1.lock',
      'refs/orch/checkpoint/WS-1.lock',
    ];
    for (const lock of locks) await writeFile(join(repo.root, '.git', lock), '');
    const { head, salvaged } = await prepare(repo, { attempt: 2 });
    expect(salvaged).not.toBeNull();
    expect(await sh(path, 'status', '--porcelain')).toBe('');
    expect(await sh(path, 'status')).not.toContain('rebase');
    expect(await sh(path, 'rev-parse', 'HEAD')).toBe(head);
    for (const lock of locks)
      await expect(stat(join(repo.root, '.git', lock))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('many, one after another, and beside a worktree that somebody is just making', async () => {
    const repo = await repository();
    await put(repo.root, { '.git/worktrees/WS-2/locked': 'initializing' });
    const ids = ['WS-1', 'WS-11', 'WS-2', 'WS-22', 'ws.x'];
    for (const id of ids) expect((await prepare(repo, { id })).created).toBe(true);
    for (const id of ids)
      expect(await sh(join(repo.root, '.worktrees', id), 'symbolic-ref', 'HEAD')).toBe(
        `refs/heads/orch/${id}`,
      );
    for (const id of ids) expect((await removeWorktree(repo.root, id)).removed).toBe(true);
    expect(await readFile(join(repo.root, '.git/worktrees/WS-2/locked'), 'utf8')).toBe('initializing');
  });

  test('cut-off creations are made anew', async () => {
    const repo = await repository();
    const admin = join(repo.root, '.git/worktrees/WS-1');
    await put(repo.root, { '.git/worktrees/WS-1/locked': 'orch: at work on WS-1\n' });
    expect((await prepare(repo)).created).toBe(true);
    await rm(join(admin, 'orch-ready'));
    await expect(prepare(repo)).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    await writeFile(join(admin, 'locked'), 'initializing');
    await rm(join(repo.root, '.worktrees/WS-1/.git'));
    expect((await prepare(repo)).created).toBe(true);
    expect(await sh(join(repo.root, '.worktrees/WS-1'), 'status', '--porcelain')).toBe('');
  });
});

describe('salvage', () => {
  test('nothing to keep is null; the same again is the same commit; more is chained', async () => {
    const repo = await repository();
    const ask = (attempt: number): Promise<string | null> =>
      salvage({ root: repo.root, id: 'WS-1', attempt, why: 'killed\nby hand' });
    expect(await ask(1)).toBeNull();
    const { path } = await prepare(repo);
    expect(await ask(1)).toBeNull();
    await put(path, { 'b.txt': '1' });
    const index = await readFile(join(repo.root, '.git/worktrees/WS-1/index'));
    const first = await ask(1);
    expect(await readFile(join(repo.root, '.git/worktrees/WS-1/index'))).toEqual(index);
    expect(await ask(1)).toBe(first);
    await put(path, { 'b.txt': '2' });
    const second = await ask(1);
    const third = await ask(4);
    expect(await highestAttempt(repo.root, 'WS-1')).toBe(4);
    for (const earlier of [first, second])
      expect(await reaches(repo.root, third ?? '', earlier ?? '')).toBe(true);
    expect(await sh(repo.root, 'log', '-1', '--format=%s', first ?? '')).toBe(
      'Salvage of WS-1, attempt 1: killed by hand',
    );
  });

  test('a corrupt index stops it, and nothing is changed', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await put(path, { 'b.txt': 'b' });
    const index = join(repo.root, '.git/worktrees/WS-1/index');
    await writeFile(index, 'not an index, and long enough to be taken for one');
    await expect(prepare(repo, { attempt: 2 })).rejects.toMatchObject({
      code: 'SALVAGE_FAILED',
      hint: expect.any(String),
    });
    await expect(removeWorktree(repo.root, 'WS-1')).rejects.toMatchObject({ code: 'SALVAGE_FAILED' });
    expect(await readFile(join(path, 'b.txt'), 'utf8')).toBe('b');
    // What a power loss leaves instead holds nothing, and is no obstacle.
    await writeFile(index, '');
    await prepare(repo, { attempt: 2 });
    expect((await filesIn(repo.root, SALVAGE))['b.txt']).toBe('b');
    expect(await sh(path, 'status', '--porcelain')).toBe('');
  });

  test('a branch without commits is salvaged as well', async () => {
    const repo = await repository();
    const { path } = await prepare(repo, { exclude: ['.env'] });
    await sh(path, 'checkout', '--quiet', '--orphan', 'nowhere');
    await put(path, { 'b.txt': 'b', '.env': 'SECRET' });
    const { head } = await prepare(repo, { attempt: 2 });
    expect(head).toBe(repo.base);
    expect(Object.keys(await filesIn(repo.root, SALVAGE)).sort()).toEqual(['.gitignore', 'a.txt', 'b.txt']);
    expect(await sh(path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/orch/WS-1');
  });

  test('a file changed in the same tick as the index is seen', async () => {
    const repo: Repo = await repository({ 'a.txt': '0000' });
    await sh(repo.root, 'config', 'core.trustctime', 'false');
    await sh(repo.root, 'config', 'core.checkStat', 'minimal');
    const { path } = await prepare(repo);
    const [file, index] = [join(path, 'a.txt'), join(repo.root, '.git/worktrees/WS-1/index')];
    const tick = Math.floor(Date.now() / 1000) - 60;
    await utimes(file, tick, tick);
    await sh(path, 'update-index', '--refresh');
    await utimes(index, tick, tick);
    await put(path, { 'a.txt': '0001' });
    await utimes(file, tick, tick);
    const commit = await salvage({ root: repo.root, id: 'WS-1', attempt: 1, why: 'test' });
    expect(await filesIn(repo.root, commit ?? '')).toEqual({ 'a.txt': '0001' });
  });
});

describe('removeWorktree', () => {
  test('salvages first; branch and checkpoints stay; repeats', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const { commit } = await checkpoint(repo, path);
    await put(path, { 'b.txt': 'b' });
    const removed = await removeWorktree(repo.root, 'WS-1');
    expect(removed.removed).toBe(true);
    expect((await filesIn(repo.root, removed.salvaged ?? ''))['b.txt']).toBe('b');
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await sh(repo.root, 'worktree', 'list', '--porcelain')).not.toContain('WS-1');
    expect(await sh(repo.root, 'rev-parse', 'orch/WS-1')).toBe(commit);
    expect(await removeWorktree(repo.root, 'WS-1')).toEqual({ removed: false, salvaged: null, kept: [] });
    expect((await prepare(repo, { attempt: 2 })).head).toBe(commit);
  });

  test('leaves a worktree that a person has locked', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await sh(repo.root, 'worktree', 'lock', '--reason', 'mine', path);
    await expect(removeWorktree(repo.root, 'WS-1')).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    expect((await stat(path)).isDirectory()).toBe(true);
  });
});
