import { join } from 'node:path';
import type { Planned } from './plan.ts';
import { check, type Score, tell } from './score.ts';
import { git, shell } from './shell.ts';

/** Every module belongs to exactly one workstream but the last, so that the branches merge cleanly. */
export async function checkScopes(root: string, planned: readonly Planned[], score: Score): Promise<void> {
  const owners = new Map<string, string[]>();
  for (const { id, files_scope } of planned.filter(({ depends_on }) => depends_on === undefined)) {
    const specs = files_scope.map((glob) => `:(glob)${glob}`);
    for (const file of (await git(root, 'ls-files', '--', ...specs)).split('\n')) {
      owners.set(file, [...(owners.get(file) ?? []), id]);
    }
  }
  // Filtered here: git 2.39 skips the common prefix `fp/` in an exclude pathspec such as `:!*.min.js` as well.
  const modules = (await git(root, 'ls-files', '--', ':(glob)*.js', ':(glob)fp/*.js'))
    .split('\n')
    .filter((file) => !file.endsWith('.min.js'));
  const wrong = modules.filter((file) => owners.get(file)?.length !== 1);
  const fact = `each of ${modules.length} modules is in the scope of one workstream`;
  check(score, fact, wrong.length === 0, wrong.join());
}

/** The plan without orch: worktrees, tasks, commits, merges and acceptance tests by plain git and sh. */
export async function runMaterial(root: string, planned: readonly Planned[], score: Score): Promise<void> {
  const start = performance.now();
  await checkScopes(root, planned, score);
  for (const behaviour of ['values.js modules', 'values.js monolith', 'fp.js']) {
    const { code, tail } = await shell(root, `node checks/${behaviour}`, {});
    check(score, `as published: node checks/${behaviour}`, code === 0, tail);
  }
  await Promise.all(planned.filter(({ depends_on }) => depends_on === undefined).map(carryOut));
  for (const dependent of planned.filter(({ depends_on }) => depends_on !== undefined)) {
    await carryOut(dependent);
  }

  async function carryOut(workstream: Planned): Promise<void> {
    const { id, tasks, acceptance_tests, env, depends_on = [] } = workstream;
    const tree = join(root, '..', id);
    await git(root, 'worktree', 'add', '--quiet', '-b', `orch/${id}`, tree, 'main');
    for (const parent of depends_on) await git(tree, 'merge', '--quiet', '--no-edit', `orch/${parent}`);
    const before = await Promise.all(acceptance_tests.map(({ run }) => shell(tree, run, env)));
    check(
      score,
      `${id}: there is something to do`,
      before.some(({ code }) => code !== 0),
    );
    for (const [index, { run }] of tasks.entries()) {
      const { code, tail } = await shell(tree, run, env);
      const changed = await git(tree, 'status', '--porcelain', '--untracked-files=all');
      const changes = changed === '' ? 0 : changed.split('\n').length;
      check(score, `${id}: task ${index + 1} changes ${changes} files`, code === 0 && changes > 0, tail);
      await git(tree, 'add', '--all');
      await git(tree, 'commit', '--quiet', '--allow-empty', `--message=${run}`);
      tell(start, `${id}: ${index + 1}/${tasks.length}`);
    }
    for (const { run } of acceptance_tests) {
      const { code, tail } = await shell(tree, run, env);
      check(score, `${id}: ${run}`, code === 0, tail);
    }
  }
}
