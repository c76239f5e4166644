import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeDemoRepository } from '../../lib/cli/demo/repository.ts';
import type { DemoWorkstream } from '../../lib/cli/demo/workstreams.ts';

/** Does what orch does with the plan, with plain git and sh: worktrees, tasks, commits, merges, checks. */

type Planned = DemoWorkstream & { env: Record<string, string> };
const IDENTITY = ['-c', 'user.name=test', '-c', 'user.email=test@orch.invalid'];

let dir = '';
let root = '';
let made: Awaited<ReturnType<typeof makeDemoRepository>>;
let plan: Planned[] = [];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'orch-demo-'));
  root = join(dir, 'shop');
  made = await makeDemoRepository(root);
  plan = parse(readFileSync(made.planPath, 'utf8')).workstreams;
  mkdirSync(join(root, '.worktrees'));
  writeFileSync(join(root, '.worktrees/.gitignore'), '*\n');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', [...IDENTITY, ...args], { cwd, encoding: 'utf8' }).trim();

function shell(cwd: string, command: string, env: Record<string, string>): number | null {
  return spawnSync('sh', ['-c', command], { cwd, env: { ...process.env, ...env } }).status;
}

function addWorktree(workstream: Planned): string {
  const tree = join(root, '.worktrees', workstream.id);
  const [first, ...others] = (workstream.depends_on ?? []).map((id) => `orch/${id}`);
  git(root, 'worktree', 'add', '--quiet', '-b', `orch/${workstream.id}`, tree, first ?? 'main');
  for (const parent of others) git(tree, 'merge', '--quiet', '--no-edit', parent);
  return tree;
}

/** Exit codes of the acceptance tests. */
const judge = (tree: string, { acceptance_tests, env }: Planned): (number | null)[] =>
  acceptance_tests.map((test) => shell(tree, test.run, env));

describe('makeDemoRepository', () => {
  it('makes a clean repository with one commit on main, whose tests pass', () => {
    expect(git(root, 'status', '--porcelain')).toBe('');
    expect(git(root, 'rev-list', '--count', 'main')).toBe('1');
    expect(shell(root, 'node test/run.js', {})).toBe(0);
  });

  it('refuses a folder that is not empty', async () => {
    await expect(makeDemoRepository(root)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('plans six workstreams and more, one of them with several parents', () => {
    expect(made.workstreams).toEqual(plan.map(({ id }) => id));
    expect(plan.length).toBeGreaterThanOrEqual(6);
    const parents = plan.map(({ depends_on }) => depends_on?.length ?? 0);
    expect(parents.filter((count) => count > 0).length).toBeGreaterThanOrEqual(2);
    expect(Math.max(...parents)).toBeGreaterThanOrEqual(2);
  });

  it('is refactored by its tasks: each changes its scope only, and turns failing checks into passing', {
    timeout: 180_000,
  }, () => {
    for (const workstream of plan) {
      const tree = addWorktree(workstream);
      const before = judge(tree, workstream);
      expect(
        before.some((code) => code !== 0),
        `${workstream.id} has nothing to do`,
      ).toBe(true);
      for (const { run } of workstream.tasks) {
        expect(shell(tree, run, workstream.env), `${workstream.id}: ${run}`).toBe(0);
        git(tree, 'add', '--all');
        expect(git(tree, 'diff', '--cached', '--name-only'), `${run} changes nothing`).not.toBe('');
        git(tree, 'commit', '--quiet', '--message', run);
      }
      expect(judge(tree, workstream), workstream.id).toEqual(workstream.acceptance_tests.map(() => 0));
      expect(outside(tree, workstream)).toEqual([]);
    }
  });

  it('has a check of the old pattern in each workstream that fails on the code as it was', () => {
    for (const workstream of plan) {
      const patterns = workstream.acceptance_tests.filter(({ run }) => run.includes('grep'));
      expect(patterns.length, workstream.id).toBeGreaterThan(0);
      for (const { run } of patterns) {
        if (run.includes('null|undefined')) continue; // The comparisons that stay: it passes before and after.
        expect(shell(root, run, workstream.env), `${workstream.id}: ${run}`).not.toBe(0);
      }
    }
  });

  it('leaves the user checkout as it was', () => {
    expect(git(root, 'diff', 'HEAD')).toBe('');
    expect(git(root, 'branch', '--show-current')).toBe('main');
  });
});

/** Paths that the tasks changed outside the scope. */
function outside(tree: string, { tasks, files_scope }: Planned): string[] {
  const changed = git(tree, 'diff', '--name-only', '--no-renames', `HEAD~${tasks.length}`).split('\n');
  return changed.filter(
    (path) => !files_scope.some((scope) => path === scope || path.startsWith(`${scope}/`)),
  );
}
