import { chmod, mkdir, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { branchFaults } from '../../lib/git/branches.ts';
import { hasTrackedChanges, openRepository, resolveCommit, trackedUnder } from '../../lib/git/repository.ts';
import { git, killedGitOf } from '../../lib/git/run.ts';
import { checkpoint, folder, isolate, prepare, put, repository, sh } from './repo.ts';

isolate();

describe('openRepository', () => {
  test('finds the main worktree from a subfolder, a linked worktree and through a link', async () => {
    const { root } = await repository({ 'sub dir/ü.txt': 'x' });
    const linked = join(await folder(), 'li nked');
    await sh(root, 'worktree', 'add', '--quiet', '--detach', linked);
    const link = join(await folder(), 'link');
    await symlink(root, link);
    for (const dir of [root, join(root, 'sub dir'), linked, join(linked, 'sub dir'), link]) {
      const found = await openRepository(dir);
      expect(found.root).toBe(root);
      expect(found.commonDir).toBe(join(root, '.git'));
      expect(found.gitVersion).toMatch(/^\d+\.\d+/);
    }
  });

  test('tells apart what is wrong', async () => {
    const empty = await folder();
    await expect(openRepository(empty)).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
    await expect(openRepository(join(empty, 'none'))).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
    const bare = await folder();
    await sh(bare, 'init', '--quiet', '--bare');
    await expect(openRepository(bare)).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
    const unborn = await folder();
    await sh(unborn, 'init', '--quiet');
    await expect(openRepository(unborn)).rejects.toMatchObject({ code: 'NO_COMMITS' });
    const { root } = await repository();
    await expect(openRepository(join(root, '.git'))).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
  });

  test('refuses a linked worktree of a bare repository', async () => {
    const { root } = await repository();
    const bare = await folder();
    await sh(bare, 'clone', '--quiet', '--bare', root, 'b.git');
    await sh(join(bare, 'b.git'), 'worktree', 'add', '--quiet', join(bare, 'linked'));
    await expect(openRepository(join(bare, 'linked'))).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
  });

  test('ignores GIT_DIR and its like', async () => {
    const { root } = await repository();
    const other = await repository();
    process.env['GIT_DIR'] = join(other.root, '.git');
    process.env['GIT_WORK_TREE'] = other.root;
    try {
      expect((await openRepository(root)).root).toBe(root);
    } finally {
      delete process.env['GIT_DIR'];
      delete process.env['GIT_WORK_TREE'];
    }
  });
});

test('resolveCommit gives a full id, or BAD_REF', async () => {
  const { root, base } = await repository();
  expect(await resolveCommit(root, 'main')).toBe(base);
  expect(await resolveCommit(root, base.slice(0, 8))).toBe(base);
  for (const bad of ['nope', '', '-x', '--all', 'main..main', '@{upstream}', 'main:a.txt', 'f'.repeat(40)]) {
    await expect(resolveCommit(root, bad)).rejects.toMatchObject({ code: 'BAD_REF' });
  }
});

test('tracked changes and tracked files, with hostile names', async () => {
  const odd = 'dir/a b\nü -x.txt';
  const { root } = await repository({ [odd]: '1', 'staged.txt': '1', 'dir2/x': '1', '*': 'star' });
  expect(await hasTrackedChanges(root)).toEqual([]);
  await put(root, { [odd]: '2', 'staged.txt': '2', 'untracked.txt': 'u' });
  await sh(root, 'add', 'staged.txt');
  expect((await hasTrackedChanges(root)).sort()).toEqual([odd, 'staged.txt'].sort());
  expect(await trackedUnder(root, ['dir', '.status'])).toEqual([odd]);
  expect(await trackedUnder(root, ['*'])).toEqual(['*']);
  expect(await trackedUnder(root, [])).toEqual([]);
});

test('never goes up into the checkout around a folder', async () => {
  const { root } = await repository();
  await mkdir(join(root, '.worktrees', 'WS-1'), { recursive: true });
  const call = git(join(root, '.worktrees', 'WS-1'), ['reset', '--hard']);
  await expect(call).rejects.toMatchObject({ code: 'GIT_FAILED', hint: expect.any(String) });
});

test('tells that a signal ended git, or a git that it started', async () => {
  const { root } = await repository();
  const bin = await folder();
  await put(bin, { git: '#!/bin/sh\nkill -9 $$\n' });
  await chmod(join(bin, 'git'), 0o755);
  const calls = [
    () => git(root, ['rev-parse', 'HEAD'], { env: { PATH: `${bin}${delimiter}${process.env['PATH']}` } }),
    () => git(root, ['-c', 'alias.x=!kill -9 $$', 'x']),
  ];
  // One after the other: a call that fails while another is waited for is a rejection that nobody handles.
  for (const call of calls) {
    const error: unknown = await call().catch((thrown: unknown) => thrown);
    expect(killedGitOf(new Error('around it', { cause: error }))).toMatchObject({
      code: 'GIT_KILLED',
      signal: 'SIGKILL',
    });
  }
  const failed: unknown = await git(root, ['no-such-command']).catch((thrown: unknown) => thrown);
  expect(failed).toMatchObject({ code: 'GIT_FAILED' });
  expect(killedGitOf(failed)).toBeNull();
});

describe('branchFaults', () => {
  const none = (): boolean => false;

  test('names a branch that orch did not make, and only that', async () => {
    const repo = await repository();
    await sh(repo.root, 'branch', 'orch/WS-2');
    const { path } = await prepare(repo);
    await checkpoint(repo, path);
    const faults = await branchFaults(repo.root, ['WS-1', 'WS-2', 'WS-3'], none);
    expect(faults.map(({ code }) => code)).toEqual(['BRANCH_TAKEN']);
    expect(faults[0]?.message).toContain('orch/WS-2');
    expect(await branchFaults(repo.root, ['WS-2'], (id) => id === 'WS-2')).toEqual([]);
  });

  test('names what leaves no room', async () => {
    const one = await repository();
    await sh(one.root, 'branch', 'orch');
    expect(await branchFaults(one.root, ['WS-1'], none)).toHaveLength(1);
    const two = await repository();
    await sh(two.root, 'branch', 'orch/WS-1/x');
    expect(await branchFaults(two.root, ['WS-1'], () => true)).toHaveLength(1);
  });

  test('minds case where the file system does not', async () => {
    const { root } = await repository();
    await sh(root, 'branch', 'orch/ws-1');
    expect(await branchFaults(root, ['WS-1'], none)).toEqual([]);
    await sh(root, 'config', 'core.ignorecase', 'true');
    expect(await branchFaults(root, ['WS-1'], none)).toHaveLength(1);
  });
});
