import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AskedWorkstream } from './evidence.ts';
import { planOf, type Wish } from './material.ts';
import { hookText, SCRIPTS } from './scripts.ts';

/** A temporary repository that looks like somebody's, and beside it the scripts and the ledger of its tasks. */
export type Workshop = {
  root: string;
  /** `<root>.aside`: what is noted there is in no commit and in no salvage. */
  aside: string;
  asked: AskedWorkstream[];
  planPath: string;
};

const HOOKS = ['pre-commit', 'post-commit', 'post-checkout', 'reference-transaction', 'post-index-change'];

/**
 * Makes the repository with what a user may have there: hooks that note that they ran, a branch, a tag, a stash, an
 * untracked file. The plan is `orch.plan.json`, committed.
 */
export function makeWorkshop(wishes: readonly Wish[], folder = tmpdir()): Workshop {
  const root = realpathSync(mkdtempSync(join(folder, 'orch-proof-')));
  const aside = `${root}.aside`;
  mkdirSync(aside, { mode: 0o700 });
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(aside, name), text);
  writeFileSync(join(aside, 'ledger'), '');
  const { plan, asked } = planOf(aside, wishes);
  const planPath = join(root, 'orch.plan.json');
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const git = (...args: string[]): void => runGit(root, args);
  git('init', '--quiet', '--initial-branch=main');
  write('README.md', 'a repository for proofs of orch\n');
  write('src/first.txt', 'first\n');
  write('orch.plan.json', `${JSON.stringify(plan, null, 1)}\n`);
  git('add', '--all');
  git('commit', '--quiet', '--message=start');
  git('branch', 'feature');
  git('tag', 'v1');
  write('src/first.txt', 'stashed\n');
  git('stash', 'push', '--quiet', '--message=for later');
  write('notes of a person.txt', 'untracked\n');
  for (const name of HOOKS) {
    const path = join(root, '.git/hooks', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, hookText(aside));
    chmodSync(path, 0o755);
  }
  return { root, aside, asked, planPath };
}

/** Lets the children of tasks end by themselves, those too that nobody found. */
export function releaseChildren({ aside }: { aside: string }): void {
  writeFileSync(join(aside, 'over'), '');
}

/** Lets the tasks that wait for `name` go on. */
export function releaseTask({ aside }: { aside: string }, name: string): void {
  writeFileSync(join(aside, name), '');
}

/** As the person would: nothing of theirs is asked, no hook runs. */
function runGit(root: string, args: readonly string[]): void {
  const settings = ['user.name=Person', 'user.email=person@localhost', 'commit.gpgSign=false'];
  const config = [...settings, 'core.hooksPath=/dev/null'].flatMap((setting) => ['-c', setting]);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  execFileSync('git', ['-C', root, ...config, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
}
