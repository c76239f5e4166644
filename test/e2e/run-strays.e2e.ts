import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BOUND_MS } from '../rig/ledger.ts';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

const COMMIT = 'git -c user.name=T -c user.email=t@localhost commit --quiet --message=stray';

/** Commits beside the branch, comes back to it, and then does something else. */
const strayTask = (then: string): string =>
  [
    'git checkout --quiet --detach && echo stray > stray.txt && git add stray.txt',
    `${COMMIT} && git rev-parse HEAD > "$ORCH_ROOT.aside/stray"`,
    `git checkout --quiet orch/A; ${then}`,
  ].join(' && ');

/** Drops what only `feature` and `v1` reach, moves main back, hides an edit in the stash. */
const MEDDLE = [
  'git branch -D feature && git tag -d v1 && git update-ref refs/heads/main HEAD~1',
  'echo x >> README.md && git stash',
].join(' && ');

/** A repository in which `feature` and `v1` alone name a commit, and main is nobody's checkout. */
function meddleRig(then: string): { rig: Rig; feature: string; main: string } {
  const rig = rigOf([
    { id: 'A', tasks: [{ run: `${MEDDLE}; ${then}` }], acceptance_tests: [{ run: 'true' }] },
  ]);
  rig.git('commit', '--quiet', '--allow-empty', '--message=two');
  rig.git('switch', '--quiet', '--create', 'feature');
  rig.git('commit', '--quiet', '--allow-empty', '--message=feature');
  rig.git('tag', 'v1');
  const feature = rig.git('rev-parse', 'HEAD').trim();
  rig.git('switch', '--quiet', '--detach', 'main');
  return { rig, feature, main: rig.git('rev-parse', 'main').trim() };
}

/** Each ref that was told of, once, with where it was. */
function toldOf(rig: Rig): Record<string, string | null> {
  const told = rig.events().filter(({ event, workstream }) => event === 'refs_moved' && workstream === 'A');
  const refs = told.flatMap((event) => event['refs'] as { ref: string; from: string | null }[]);
  expect(new Set(refs.map(({ ref }) => ref)).size).toBe(refs.length);
  return Object.fromEntries(refs.map(({ ref, from }) => [ref, from]));
}

describe('refs of the user that a tool moved', { timeout: 2 * BOUND_MS }, () => {
  it.each([
    ['was done', 'true', 'completed'],
    ['failed', 'exit 3', 'failed'],
    ['was killed with its worker', 'kill -9 $(cat "$ORCH_ROOT/.pids/A.pid"); sleep 60', 'crashed'],
  ])('are told of, salvaged, and not moved back after a task that %s', async (_, then, state) => {
    const { rig, feature, main } = meddleRig(then);
    await rig.orch(['launch', '--restart', '0']);
    await (state === 'crashed' ? rig.orch(['reattach']) : rig.orch(['wait']));
    expect(rig.status('A')).toBe(state);
    expect(toldOf(rig)).toEqual({
      'refs/heads/feature': feature,
      'refs/heads/main': main,
      'refs/tags/v1': feature,
      'refs/stash': null,
    });
    const kept = (commit: string): string =>
      rig.git('for-each-ref', `--contains=${commit}`, '--format=%(refname)', 'refs/orch/salvage').trim();
    for (const commit of [feature, rig.git('rev-parse', 'refs/stash').trim()])
      expect(kept(commit)).toBe('refs/orch/salvage/A/1');
    expect(rig.git('rev-parse', 'main').trim()).toBe(rig.git('rev-parse', `${main}~1`).trim());
    if (state === 'completed') expect(rig.record('A')['reason']).toMatchObject({ code: 'refs_moved' });
  });
});

describe('a commit that a tool made beside the branch', { timeout: 2 * BOUND_MS }, () => {
  it.each([
    ['that was done', 0],
    ['that failed for good', 3],
  ])('hangs on the salvage ref after a task %s', async (_, code) => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: strayTask(`exit ${code}`) }] }]);
    await rig.orch(['launch']);
    await rig.orch(['wait']);
    expect(rig.status('A')).toBe(code === 0 ? 'completed' : 'failed');
    const stray = readFileSync(join(rig.aside, 'stray'), 'utf8').trim();
    const refs = rig.git('for-each-ref', `--contains=${stray}`, '--format=%(refname)').trim();
    expect(refs).toBe('refs/orch/salvage/A/1');
  });

  it('hangs on the salvage ref after its worker was killed for good', async () => {
    const run = strayTask('kill -9 $(cat "$ORCH_ROOT/.pids/A.pid"); sleep 60');
    const rig = rigOf([{ id: 'A', tasks: [{ run }] }]);
    await rig.orch(['launch', '--restart', '0']);
    await rig.orch(['reattach']);
    expect(rig.status('A')).toBe('crashed');
    const stray = readFileSync(join(rig.aside, 'stray'), 'utf8').trim();
    const refs = rig.git('for-each-ref', `--contains=${stray}`, '--format=%(refname)').trim();
    expect(refs).toBe('refs/orch/salvage/A/1');
    // What it leaves is no attempt: the next one goes on from there.
    expect((await rig.orch(['retry', 'A'])).code).toBe(0);
    await rig.orch(['wait']);
    expect(rig.record('A')).toMatchObject({ attempt: 2 });
  });
});
