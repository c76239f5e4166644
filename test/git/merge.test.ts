import { expect, test } from 'vitest';
import { mergedBase } from '../../lib/git/merge.ts';
import { filesIn, isolate, put, type Repo, repository, sh } from './repo.ts';

isolate();

async function branch(
  repo: Repo,
  name: string,
  files: Record<string, string>,
): Promise<{ id: string; head: string }> {
  await sh(repo.root, 'checkout', '--quiet', '-b', name, repo.base);
  await put(repo.root, files);
  await sh(repo.root, 'add', '-A');
  await sh(repo.root, 'commit', '--quiet', '-m', name);
  const head = await sh(repo.root, 'rev-parse', 'HEAD');
  await sh(repo.root, 'checkout', '--quiet', 'main');
  return { id: name, head };
}

test('one head is the base itself, none is the frozen base', async () => {
  const repo = await repository();
  const one = await branch(repo, 'A', { x: '1' });
  expect(await mergedBase(repo.root, repo.base, [one], 't', 'D')).toEqual({ ok: true, commit: one.head });
  expect(await mergedBase(repo.root, repo.base, [], 't', 'D')).toEqual({ ok: true, commit: repo.base });
});

test('several heads merge to the same commit each time, and the user sees nothing of it', async () => {
  const repo = await repository();
  const heads = [
    await branch(repo, 'A', { 'x y': '1' }),
    await branch(repo, 'B', { ü: '2' }),
    await branch(repo, 'C', { z: '3' }),
  ];
  const before = await sh(repo.root, 'for-each-ref', 'refs/heads');
  const first = await mergedBase(repo.root, repo.base, heads, 'Title', 'D');
  await sh(repo.root, 'config', 'user.name', 'Somebody Else');
  const again = await mergedBase(repo.root, repo.base, heads, 'Title', 'D');
  if (!first.ok) throw new Error('conflict');
  expect(again).toEqual(first);
  expect(Object.keys(await filesIn(repo.root, first.commit)).sort()).toEqual([
    '.gitignore',
    'a.txt',
    'x y',
    'z',
    'ü',
  ]);
  expect(await sh(repo.root, 'rev-parse', 'refs/orch/base/D')).toBe(first.commit);
  expect(await sh(repo.root, 'for-each-ref', 'refs/heads')).toBe(before);
  expect(await sh(repo.root, 'status', '--porcelain')).toBe('');
  for (const { head } of heads) await sh(repo.root, 'merge-base', '--is-ancestor', head, first.commit);
});

test('a conflict names the head and the files', async () => {
  const repo = await repository();
  const odd = 'b c\nd';
  const heads = [
    await branch(repo, 'A', { [odd]: '1', 'a.txt': 'A\n' }),
    await branch(repo, 'B', { [odd]: '2', 'a.txt': 'B\n' }),
  ];
  const result = await mergedBase(repo.root, repo.base, heads, 't', 'D');
  expect(result).toEqual({ ok: false, id: 'B', conflicts: ['a.txt', odd] });
  await expect(
    mergedBase(repo.root, repo.base, [...heads, { id: 'X', head: 'f'.repeat(40) }].reverse(), 't', 'D'),
  ).rejects.toMatchObject({ code: 'GIT_FAILED' });
});
