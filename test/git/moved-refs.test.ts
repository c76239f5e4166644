import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readyWorktree, type Worktree } from '../../lib/git/admin.ts';
import { type MovedRef, settleRefs } from '../../lib/git/moved-refs.ts';
import { noteRefs } from '../../lib/git/refs-note.ts';
import { salvage } from '../../lib/git/salvage.ts';
import { isolate, prepare, put, type Repo, reaches, repository, sh } from './repo.ts';

isolate();

const SALVAGE = 'refs/orch/salvage/WS-1/1';

type Told = { moved: MovedRef[]; commit: string | null };

/** A repository with branches of the user, one of them with a commit of its own, and a ready worktree. */
async function scene(): Promise<Repo & { path: string; worktree: Worktree; feature: string }> {
  const repo = await repository();
  const feature = await commitOf(repo.root, 'feature');
  for (const [name, id] of Object.entries({ feature, topic: repo.base, 'orch/WS-2': repo.base }))
    await sh(repo.root, 'branch', name, id);
  const { path } = await prepare(repo);
  return { ...repo, path, worktree: await readyWorktree(repo.root, 'WS-1'), feature };
}

/** A commit on top of HEAD that no ref names. */
const commitOf = (root: string, message: string): Promise<string> =>
  sh(root, 'commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', message);

/** What was told of `act`, by a worker that lives on. */
async function watch(worktree: Worktree, act: () => Promise<void>): Promise<Told[]> {
  const told: Told[] = [];
  const before = await noteRefs(worktree);
  await act();
  await settleRefs(worktree, { attempt: 1, before }, (moved, commit) =>
    told.push({ moved: [...moved], commit }),
  );
  return told;
}

test('nothing is told where nothing outside of the branch moved, and nothing is left', async () => {
  const { root, path, worktree } = await scene();
  const told = await watch(worktree, async () => {
    await sh(path, 'commit', '--quiet', '--allow-empty', '-m', 'on its branch');
    await sh(root, 'update-ref', 'refs/heads/orch/WS-2', await commitOf(root, 'of another worker'));
    await sh(root, 'update-ref', 'refs/orch/salvage/WS-2/1', await commitOf(root, 'its salvage'));
  });
  expect(told).toEqual([]);
  expect(await salvage({ root, id: 'WS-1', attempt: 2, why: 'test', tellRefs: fail })).not.toBe(null);
});

test('a link that a tool put where the note is written leads nowhere', async () => {
  const { root, worktree } = await scene();
  const outside = join(root, 'outside');
  await writeFile(outside, 'mine');
  await symlink(outside, join(worktree.admin, 'orch-refs.new'));
  await noteRefs(worktree);
  expect(await readFile(outside, 'utf8')).toBe('mine');
});

const fail = (): never => {
  throw new Error('told of what did not happen');
};

test('deleted, moved and new refs are told, what only they reached is salvaged, and none is moved back', async () => {
  const { root, path, base, worktree, feature } = await scene();
  await sh(root, 'tag', '--annotate', '-m', 'one', 'v1', feature);
  await sh(root, 'tag', 'a-file', 'HEAD:a.txt');
  const tag = await sh(root, 'rev-parse', 'v1');
  const aside = await commitOf(root, 'aside');
  const [ahead, fetched] = [await commitOf(root, 'ahead'), await commitOf(root, 'fetched')];
  await sh(root, 'branch', 'moved', await commitOf(root, 'moved'));
  const lost = await sh(root, 'rev-parse', 'moved');
  const told = await watch(worktree, async () => {
    await sh(path, 'branch', '--quiet', '-D', 'feature');
    await sh(path, 'tag', '-d', 'v1', 'a-file');
    await sh(path, 'branch', '--quiet', '--force', 'topic', ahead);
    await sh(path, 'branch', '--quiet', '--force', 'moved', base);
    await sh(path, 'tag', 'new', aside);
    await sh(path, 'update-ref', 'refs/remotes/origin/main', fetched);
  });
  const [one] = told;
  const byName = new Map(one?.moved.map(({ ref, ...rest }) => [ref, rest]));
  expect(byName).toEqual(
    new Map([
      ['refs/heads/feature', { from: feature, to: null, matters: true }],
      ['refs/tags/v1', { from: tag, to: null, matters: true }],
      ['refs/tags/a-file', { from: await sh(root, 'rev-parse', 'HEAD:a.txt'), to: null, matters: true }],
      ['refs/heads/topic', { from: base, to: ahead, matters: false }],
      ['refs/heads/moved', { from: lost, to: base, matters: true }],
      ['refs/tags/new', { from: null, to: aside, matters: false }],
      ['refs/remotes/origin/main', { from: null, to: fetched, matters: false }],
    ]),
  );
  expect(told.length).toBe(1);
  expect(one?.commit).toBe(await sh(root, 'rev-parse', SALVAGE));
  for (const commit of [feature, lost, aside]) expect(await reaches(root, SALVAGE, commit)).toBe(true);
  for (const commit of [ahead, fetched]) expect(await reaches(root, SALVAGE, commit)).toBe(false);
  expect(await sh(root, 'rev-parse', 'moved')).toBe(base);
});

test('what only its own branch came to reach is salvaged: the branch may be reset', async () => {
  const { root, path, worktree, feature } = await scene();
  const [told] = await watch(worktree, async () => {
    await sh(path, 'merge', '--quiet', 'feature');
    await sh(path, 'branch', '--quiet', '-D', 'feature');
  });
  expect(await reaches(root, told?.commit ?? '', feature)).toBe(true);
});

test('each stash that comes or goes is told and salvaged, below the last one too', async () => {
  const { root, path, worktree } = await scene();
  const stash = async (text: string): Promise<string> => {
    await put(path, { 'a.txt': text });
    await sh(path, 'stash', '--quiet');
    return await sh(path, 'rev-parse', 'stash@{0}');
  };
  const [one, two] = [await stash('one'), await stash('two')];
  let three = '';
  const [told] = await watch(worktree, async () => {
    await sh(path, 'stash', 'drop', '--quiet', 'stash@{1}');
    three = await stash('three');
  });
  expect(told?.moved).toEqual([
    { ref: 'refs/stash', from: one, to: null, matters: true },
    { ref: 'refs/stash', from: null, to: three, matters: true },
  ]);
  for (const commit of [one, three]) expect(await reaches(root, SALVAGE, commit)).toBe(true);
  const [cleared] = await watch(worktree, async () => {
    await sh(path, 'stash', 'clear');
  });
  expect(cleared?.moved.map(({ from }) => from).sort()).toEqual([two, three].sort());
  expect(await reaches(root, SALVAGE, two)).toBe(true);
});

test('of a killed worker the salvage compares: first while its tool lives, then once more', async () => {
  const { root, base, path, worktree, feature } = await scene();
  await noteRefs(worktree);
  await sh(path, 'branch', '--quiet', '-D', 'feature');
  const told: string[] = [];
  const tellRefs = (moved: readonly MovedRef[]): void => {
    told.push(...moved.map(({ ref }) => ref));
  };
  await salvage({ root, id: 'WS-1', attempt: 1, why: 'its worker died', commitsOnly: true, tellRefs });
  expect(await reaches(root, SALVAGE, feature)).toBe(true);
  const late = await commitOf(root, 'late');
  await sh(path, 'tag', 'late', late);
  await prepare({ root, base }, { attempt: 2, tellRefs });
  expect(told).toEqual(['refs/heads/feature', 'refs/tags/late']);
  expect(await reaches(root, SALVAGE, late)).toBe(true);
  await sh(root, 'branch', 'of-the-user');
  await prepare({ root, base }, { attempt: 3, tellRefs: fail });
});

test.each(['', '[["refs/heads/feature", 1], [], "x"]', '{}'])('a note of %j harms nobody', async (text) => {
  const { root, worktree } = await scene();
  await writeFile(join(worktree.admin, 'orch-refs'), text);
  await salvage({ root, id: 'WS-1', attempt: 1, why: 'test', tellRefs: () => undefined });
  await rm(join(worktree.admin, 'orch-refs'), { force: true });
});
