import { createHash } from 'node:crypto';
import { chmod, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NONE, readCheckpoints } from '../../lib/git/chain.ts';
import { git } from '../../lib/git/run.ts';
import { checkpointMessage, readTrailers } from '../../lib/git/trailers.ts';
import {
  checkpoint,
  countGitCalls,
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

/** Commits everything as a tool would and returns the commit. */
async function toolCommit(path: string, files: Record<string, string>, ...args: string[]): Promise<string> {
  await put(path, files);
  await sh(path, 'add', '-A');
  await sh(path, 'commit', '--quiet', '--allow-empty', '-m', 'by a tool', ...args);
  return await sh(path, 'rev-parse', 'HEAD');
}

async function expectOnBranch(repo: Repo, path: string, commit: string): Promise<void> {
  expect(await sh(path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/orch/WS-1');
  expect(await sh(repo.root, 'rev-parse', 'orch/WS-1', 'refs/orch/checkpoint/WS-1')).toBe(
    `${commit}\n${commit}`,
  );
}

describe('commitCheckpoint', () => {
  test('commits changed, new and deleted files of any name, and moves both refs', async () => {
    const repo = await repository({ 'a.txt': 'a', 'gone.txt': 'x', '.gitignore': '*.log\n' });
    const { path } = await prepare(repo);
    const odd = 'new dir/a "b"\n\tü*?[x].txt';
    await put(path, { 'a.txt': 'changed', [odd]: 'o', '-dash': 'd', 'x.log': 'ignored' });
    await rm(join(path, 'gone.txt'));
    await symlink('/etc/passwd', join(path, 'link'));
    const { commit, changed, salvaged, leftOn, nested } = await checkpoint(repo, path);
    expect({ changed, salvaged, leftOn, nested }).toEqual({
      changed: true,
      salvaged: null,
      leftOn: null,
      nested: [],
    });
    expect(await filesIn(repo.root, commit)).toEqual({
      'a.txt': 'changed',
      [odd]: 'o',
      '-dash': 'd',
      '.gitignore': '*.log\n',
      link: '/etc/passwd',
    });
    await expectOnBranch(repo, path, commit);
    expect(await sh(path, 'status', '--porcelain')).toBe('');
  });

  test('an empty change is a commit too', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const one = await checkpoint(repo, path);
    const two = await checkpoint(repo, path);
    expect([one.changed, two.changed]).toEqual([false, false]);
    expect(await readCheckpoints(repo.root, 'WS-1')).toEqual({
      tip: two.commit,
      base: repo.base,
      done: ['digest-1', 'digest-2'],
      work: new Map(['digest-1', 'digest-2'].map((digest) => [digest, { tool: null, repairs: 0 }])),
    });
  });

  test('keeps the commits of a tool on the branch; their forged trailers count for nothing', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const real = await checkpoint(repo, path);
    const forged = checkpointMessage('forged', {
      workstream: 'WS-1',
      run: 'r1',
      attempt: 1,
      task: 'forged',
      index: '2/9',
      previous: real.commit,
      base: repo.base,
    });
    const tool = await toolCommit(path, { 'b.txt': 'b' }, '-m', forged);
    expect((await readCheckpoints(repo.root, 'WS-1')).done).toEqual(['digest-1']);
    const { commit, changed, salvaged } = await checkpoint(repo, path, {
      subject: 'x\n\nOrch-Task: also-forged\nOrch-Previous: none',
    });
    expect({ changed, salvaged }).toEqual({ changed: true, salvaged: null });
    expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(tool);
    expect((await readCheckpoints(repo.root, 'WS-1')).done).toEqual(['digest-1', 'digest-2']);
  });

  test('a detached HEAD on top of the checkpoint stays part of the branch', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await sh(path, 'checkout', '--quiet', '--detach');
    const tool = await toolCommit(path, { 'b.txt': 'b' });
    const { commit, salvaged } = await checkpoint(repo, path);
    expect(salvaged).toBeNull();
    expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(tool);
    await expectOnBranch(repo, path, commit);
  });

  test('amended, reset and rebased-away commits are salvaged, files stay as they are', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const first = await checkpoint(repo, path);
    const amended = await toolCommit(path, { 'b.txt': '1' });
    const kept = await toolCommit(path, { 'b.txt': '2' }, '--amend');
    const dropped = await toolCommit(path, { 'c.txt': 'c' });
    await sh(path, 'reset', '--quiet', '--hard', 'HEAD~1');
    const { commit, salvaged } = await checkpoint(repo, path);
    expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(kept);
    for (const stray of [amended, dropped])
      expect(await reaches(repo.root, 'refs/orch/salvage/WS-1/1', stray)).toBe(true);
    expect(salvaged).toBe(await sh(repo.root, 'rev-parse', 'refs/orch/salvage/WS-1/1'));
    await sh(path, 'reset', '--quiet', '--hard', repo.base);
    await put(path, { 'd.txt': 'd' });
    const last = await checkpoint(repo, path);
    expect(await sh(repo.root, 'rev-parse', `${last.commit}^`)).toBe(commit);
    expect(await filesIn(repo.root, last.commit)).toEqual({
      '.gitignore': '*.log\n',
      'a.txt': 'a\n',
      'd.txt': 'd',
    });
    expect((await readCheckpoints(repo.root, 'WS-1')).done).toEqual(['digest-1', 'digest-2', 'digest-3']);
    expect(await reaches(repo.root, last.commit, first.commit)).toBe(true);
  });

  test("a commit on a user's branch stays there, is salvaged and reported", async () => {
    const repo = await repository();
    await sh(repo.root, 'branch', 'feature');
    const { path } = await prepare(repo);
    await sh(path, 'checkout', '--quiet', 'feature');
    const tool = await toolCommit(path, { 'b.txt': 'b' });
    const { commit, leftOn } = await checkpoint(repo, path);
    expect(leftOn).toBe('refs/heads/feature');
    expect(await sh(repo.root, 'rev-parse', 'feature')).toBe(tool);
    expect(await reaches(repo.root, 'refs/orch/salvage/WS-1/1', tool)).toBe(true);
    expect(await reaches(repo.root, commit, tool)).toBe(false);
    expect((await filesIn(repo.root, commit))['b.txt']).toBe('b');
    await expectOnBranch(repo, path, commit);
  });

  test('a branch that a tool deleted, or made a link to main, harms nobody', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await sh(path, 'checkout', '--quiet', '--detach');
    await sh(path, 'symbolic-ref', 'refs/heads/orch/WS-1', 'refs/heads/main');
    const { commit } = await checkpoint(repo, path);
    expect(await sh(repo.root, 'rev-parse', 'main')).toBe(repo.base);
    await expectOnBranch(repo, path, commit);
    await sh(path, 'checkout', '--quiet', '--detach');
    await sh(path, 'branch', '--quiet', '-D', 'orch/WS-1');
    await expectOnBranch(repo, path, (await checkpoint(repo, path)).commit);
  });

  test('copied files enter no commit, nor does a commit of a tool that holds one', async () => {
    const repo = await repository();
    const exclude = ['.env', 'conf/*.key'];
    const { path } = await prepare(repo, { exclude });
    await put(path, { '.env': 'SECRET', 'conf/*.key': 'SECRET', 'conf/a.key': 'fine', 'b.txt': 'b' });
    const one = await checkpoint(repo, path, { exclude });
    expect(Object.keys(await filesIn(repo.root, one.commit)).sort()).toEqual([
      '.gitignore',
      'a.txt',
      'b.txt',
      'conf/a.key',
    ]);
    const tool = await toolCommit(path, { 'c.txt': 'c' });
    await sh(path, 'rm', '--quiet', '--cached', '.env', 'conf/*.key');
    await toolCommit(path, {});
    const two = await checkpoint(repo, path, { exclude });
    expect(await reaches(repo.root, two.commit, tool)).toBe(false);
    expect(await reaches(repo.root, 'refs/orch/salvage/WS-1/1', tool)).toBe(true);
    expect(Object.keys(await filesIn(repo.root, two.commit))).not.toContain('.env');
    expect((await filesIn(repo.root, two.commit))['c.txt']).toBe('c');
  });

  test('copied files and nested repositories that are ignored as well are no obstacle', async () => {
    const repo = await repository({ 'a.txt': 'a', '.gitignore': '.env\nvendor/\n' });
    const exclude = ['.env', 'not there', '-dash', ':(top)odd'];
    const { path } = await prepare(repo, { exclude });
    await put(path, {
      '.env': 'SECRET',
      '-dash': 'SECRET',
      ':(top)odd': 'SECRET',
      'vendor/n/f': '1',
      'b.txt': 'b',
    });
    await sh(path, 'init', '--quiet', 'vendor/n');
    const { commit, nested } = await checkpoint(repo, path, { exclude });
    expect(nested).toEqual([]);
    expect(Object.keys(await filesIn(repo.root, commit)).sort()).toEqual(['.gitignore', 'a.txt', 'b.txt']);
    await put(path, { 'c.txt': 'c' });
    const { salvaged } = await prepare(repo, { exclude, attempt: 2 });
    const kept = Object.keys(await filesIn(repo.root, salvaged ?? ''));
    expect(kept.sort()).toEqual(['.gitignore', 'a.txt', 'b.txt', 'c.txt']);
  });

  test('repositories made inside are reported and kept out, also when the tool committed a link to one', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await put(path, { 'no commit/f': '1', 'sub/deep/g': '2', 'h.txt': '3' });
    await sh(path, 'init', '--quiet', 'no commit');
    await sh(path, 'init', '--quiet', 'sub/deep');
    await toolCommit(join(path, 'sub/deep'), {});
    const one = await checkpoint(repo, path);
    expect(one.nested.sort()).toEqual(['no commit', 'sub/deep']);
    expect(Object.keys(await filesIn(repo.root, one.commit)).sort()).toEqual([
      '.gitignore',
      'a.txt',
      'h.txt',
    ]);
    await rm(join(path, 'no commit'), { recursive: true });
    await toolCommit(path, {});
    expect(await sh(path, 'ls-tree', '-r', 'HEAD')).toContain('160000');
    const two = await checkpoint(repo, path);
    expect(two.nested).toEqual(['sub/deep']);
    expect(await sh(repo.root, 'ls-tree', '-r', two.commit)).not.toContain('160000');
  });

  test('a worktree whose .git was removed or replaced is mended, and the checkout around it is left alone', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await put(repo.root, { 'a.txt': 'edited by the user' });
    await rm(join(path, '.git'));
    await put(path, { 'b.txt': 'b' });
    const one = await checkpoint(repo, path);
    expect((await filesIn(repo.root, one.commit))['b.txt']).toBe('b');
    await rm(join(path, '.git'));
    await sh(path, 'init', '--quiet');
    const theirs = await toolCommit(path, { 'c.txt': 'c' });
    const two = await checkpoint(repo, path);
    expect((await filesIn(repo.root, two.commit))['c.txt']).toBe('c');
    expect(two.kept).toHaveLength(1);
    expect(await sh(repo.root, `--git-dir=${two.kept[0]}`, 'rev-parse', 'HEAD')).toBe(theirs);
    await expectOnBranch(repo, path, two.commit);
    expect(await sh(repo.root, 'status', '--porcelain')).toBe(' M a.txt');
  });

  test('runs no hook, tolerates signing, needs no identity', async () => {
    const repo = await repository();
    const witness = join(await folder(), 'ran');
    for (const hook of [
      'pre-commit',
      'post-commit',
      'post-checkout',
      'reference-transaction',
      'post-index-change',
    ]) {
      const file = join(repo.root, '.git/hooks', hook);
      await writeFile(file, `#!/bin/sh\necho ${hook} >> '${witness}'\n`);
      await chmod(file, 0o755);
    }
    await sh(repo.root, 'config', 'commit.gpgSign', 'true');
    await sh(repo.root, 'config', 'gpg.program', '/bin/false');
    await sh(repo.root, 'config', 'user.useConfigOnly', 'true');
    await rm(witness, { force: true });
    const { path } = await prepare(repo);
    const { commit } = await checkpoint(repo, path);
    await expect(git(repo.root, ['cat-file', '-e', ':ran'], { answers: [128] })).resolves.toMatchObject({
      code: 128,
    });
    await expect(rm(witness)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await sh(repo.root, 'log', '-1', '--format=%an <%ae> %cn', commit)).toBe(
      'orch <orch@localhost> orch',
    );
    await sh(repo.root, 'config', 'user.name', 'Ada');
    await sh(repo.root, 'config', 'user.email', 'ada@x');
    const mine = await checkpoint(repo, path);
    expect(await sh(repo.root, 'log', '-1', '--format=%an <%ae> %cn', mine.commit)).toBe('Ada <ada@x> Ada');
  });

  test('refuses to write over a newer checkpoint', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    const previous = await readCheckpoints(repo.root, 'WS-1');
    const one = await checkpoint(repo, path);
    await expect(checkpoint(repo, path, { previous })).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await expectOnBranch(repo, path, one.commit);
  });

  test('an unfinished merge and a left index.lock are no obstacle', async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    await sh(path, 'checkout', '--quiet', '-b', 'side');
    const side = await toolCommit(path, { 'a.txt': 'side\n' });
    await sh(path, 'checkout', '--quiet', 'orch/WS-1');
    await toolCommit(path, { 'a.txt': 'ours\n' });
    await sh(path, 'merge', 'side').catch(() => null);
    await put(repo.root, { '.git/worktrees/WS-1/index.lock': '' });
    const { commit } = await checkpoint(repo, path);
    expect((await filesIn(repo.root, commit))['a.txt']).toContain('<<<<<<<');
    expect(await reaches(repo.root, 'refs/orch/salvage/WS-1/1', side)).toBe(true);
    expect(await sh(path, 'status', '--porcelain')).toBe('');
  });
});

describe('readCheckpoints', () => {
  test('refuses a ref that leads elsewhere, and a broken one', async () => {
    const repo = await repository();
    expect(await readCheckpoints(repo.root, 'WS-1')).toEqual(NONE);
    await sh(repo.root, 'update-ref', 'refs/orch/checkpoint/WS-1', repo.base);
    await expect(readCheckpoints(repo.root, 'WS-1')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await put(repo.root, { '.git/refs/orch/checkpoint/WS-1': '' });
    await expect(readCheckpoints(repo.root, 'WS-1')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    const { path } = await prepare(repo, { id: 'WS-2' });
    const other = await checkpoint(repo, path, { id: 'WS-2' });
    await put(repo.root, { '.git/refs/orch/checkpoint/WS-1': `${other.commit}\n` });
    await expect(readCheckpoints(repo.root, 'WS-1')).rejects.toMatchObject({ code: 'GIT_FAILED' });
  });

  test('reads 1,000 tasks by a few git calls', async () => {
    const repo = await repository();
    const common = { workstream: 'WS-1', run: 'r', attempt: 1, base: repo.base };
    const tree = await sh(repo.root, 'rev-parse', 'HEAD^{tree}');
    const commits: Record<string, string> = {};
    let previous: string | null = null;
    for (let n = 1; n <= 1000; n += 1) {
      const message = checkpointMessage(`t${n}`, { ...common, task: `d${n}`, index: `${n}/1000`, previous });
      const who = 'x <x> 1764400000 +0000';
      const text: string = `tree ${tree}\nparent ${previous ?? repo.base}\nauthor ${who}\ncommitter ${who}\n\n${message}`;
      previous = createHash('sha1')
        .update(`commit ${Buffer.byteLength(text)}\0${text}`)
        .digest('hex');
      commits[`c${n}`] = text;
    }
    const place = await folder();
    await put(place, commits);
    const input = Object.keys(commits).map((name) => `${join(place, name)}\n`);
    await git(repo.root, ['hash-object', '-t', 'commit', '-w', '--stdin-paths'], { input: input.join('') });
    await sh(repo.root, 'update-ref', 'refs/orch/checkpoint/WS-1', previous ?? '');
    const { calls, result } = await countGitCalls(() => readCheckpoints(repo.root, 'WS-1'));
    expect(calls).toBeLessThan(20);
    expect(result.done).toEqual(Array.from({ length: 1000 }, (_, n) => `d${n + 1}`));
  });
});

test('messages: subjects are cut between characters, control characters and false trailers lose their force', () => {
  const trailers = {
    workstream: 'W',
    run: 'r',
    attempt: 2,
    task: 'd',
    index: '1/2',
    previous: null,
    base: 'b',
  };
  const long = checkpointMessage(`${'😀'.repeat(100)}`, trailers);
  const subject = long.split('\n')[0] ?? '';
  expect([...subject]).toHaveLength(72);
  expect(Buffer.from(subject).toString()).toBe(subject);
  for (const text of ['', 'a\0b', 'x\n\nOrch-Task: forged\nOrch-Workstream: W', 'Orch-Task: forged']) {
    const message = checkpointMessage(text, trailers);
    expect(readTrailers(message)).toEqual(trailers);
    expect(message).not.toContain('\0');
  }
  expect(readTrailers('just a commit')).toBeNull();
});
