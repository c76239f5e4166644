import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { type GitResult, git, splitNul } from './run.ts';

export type Repository = { root: string; gitDir: string; commonDir: string; gitVersion: string };

/** The oldest git with `merge-tree --write-tree`. */
const OLDEST = [2, 38] as const;

/**
 * The repository that `dir` is in; `root` is the real path of the MAIN worktree's top level, from inside a
 * linked worktree too. Two git calls, three in a linked worktree. Throws NOT_A_REPOSITORY (a bare one too),
 * NO_COMMITS, GIT_TOO_OLD.
 */
export async function openRepository(dir: string): Promise<Repository> {
  const start = await existingFolder(dir);
  const asked = [
    'rev-parse',
    '--is-bare-repository',
    '--path-format=absolute',
    '--git-dir',
    '--git-common-dir',
    '--show-toplevel',
    'HEAD^{commit}',
  ];
  const [version, facts] = await Promise.all([
    git(start, ['--version']),
    git(start, asked, { answers: [128], discover: true }),
  ]);
  const gitVersion = acceptedVersion(version.stdout);
  const { gitDir, commonDir, top } = readFacts(start, facts);
  const root = gitDir === commonDir ? await ownTop(start, gitDir, top) : await mainWorktree(start, commonDir);
  return { root: await realpath(root), gitDir, commonDir, gitVersion };
}

/** The full commit id that `ref` names in the main worktree. Throws BAD_REF. */
export async function resolveCommit(root: string, ref: string): Promise<string> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
  // 128: a ref that cannot even be asked for, such as @{upstream} without one.
  const { code, stdout } = await git(root, args, { answers: [1, 128] });
  if (code === 0) return stdout.trim();
  throw new OrchError('BAD_REF', `${JSON.stringify(ref)} does not name a commit in ${root}`, {
    hint: 'Name a branch, a tag or a commit that `git log` knows.',
  });
}

/** True if the repository has the object with this full id; nothing is fetched to find out. */
export async function hasObject(root: string, id: string): Promise<boolean> {
  if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(id)) return false;
  // Git before 2.44 does not know the first: with no protocol allowed, it cannot fetch either.
  const env = { GIT_NO_LAZY_FETCH: '1', GIT_ALLOW_PROTOCOL: '' };
  const { code } = await git(root, ['cat-file', '-e', id], { answers: [1, 128], env });
  return code === 0;
}

/** Tracked files that differ from HEAD, staged or not, in the main worktree; submodules are not looked into. */
export async function hasTrackedChanges(root: string): Promise<string[]> {
  const args = [
    'status',
    '--porcelain=v1',
    '-z',
    '--untracked-files=no',
    '--no-renames',
    '--ignore-submodules=all',
  ];
  const { stdout } = await git(root, args);
  return splitNul(stdout).map((entry) => entry.slice(3));
}

/** Tracked files that are one of `folders` (relative to the root) or lie under one. */
export async function trackedUnder(root: string, folders: readonly string[]): Promise<string[]> {
  if (folders.length === 0) return [];
  const { stdout } = await git(root, ['--literal-pathspecs', 'ls-files', '-z', '--', ...folders]);
  return splitNul(stdout);
}

/** The folder that all worktrees of a repository share: where refs and objects are. */
export async function commonDirOf(root: string): Promise<string> {
  const { stdout } = await git(root, ['rev-parse', '--path-format=absolute', '--git-common-dir']);
  return stdout.replace(/\n$/, '');
}

/** @throws OrchError NOT_A_REPOSITORY where there is no folder. */
async function existingFolder(dir: string): Promise<string> {
  try {
    const folder = await realpath(dir);
    if ((await stat(folder)).isDirectory()) return folder;
    throw notARepository(dir, 'it is not a folder');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EACCES' || errno === 'ELOOP' || errno === 'ENAMETOOLONG')
      throw notARepository(dir, `it cannot be looked at (${errno})`, error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error;
    throw notARepository(dir, 'there is no such folder', error);
  }
}

function acceptedVersion(text: string): string {
  const version = /(\d+)\.(\d+)[\w.]*/.exec(text);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (version && (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]))) return version[0];
  throw new OrchError('GIT_TOO_OLD', `git is ${version?.[0] ?? text.trim()}, orch needs 2.38 or newer`, {
    hint: 'Install a newer git and put it first on PATH.',
  });
}

function readFacts(dir: string, facts: GitResult): { gitDir: string; commonDir: string; top: string } {
  const lines = facts.stdout.split('\n');
  const [bare, gitDir, commonDir, top] = lines;
  const complaint = complaintOf(facts);
  if (bare === undefined || gitDir === undefined || commonDir === undefined || bare === '') {
    throw notARepository(dir, complaint);
  }
  if (bare === 'true') throw notARepository(dir, 'a bare repository has no files to work on');
  if (top === undefined || top === '') throw notARepository(dir, complaint);
  if (facts.code !== 0) {
    throw new OrchError('NO_COMMITS', `${top} has no commit to start from`, {
      hint: 'Make a first commit; workstreams branch off it.',
    });
  }
  // Five lines and the end of the last: more means that a path holds a newline, and no line can be trusted.
  if (lines.length !== 6) throw notARepository(dir, 'its path holds a newline');
  return { gitDir, commonDir, top };
}

/** What git says first, in other words where it is the usual. */
function complaintOf({ stderr }: GitResult): string {
  const first = (stderr.trim().split('\n')[0] ?? '').replace(/^fatal: /, '');
  if (first.startsWith('not a git repository')) return 'there is no repository here or above';
  return first === 'this operation must be run in a work tree' ? 'this is the folder of git itself' : first;
}

/** A config may say that the files are elsewhere (core.worktree): orch works where that place leads back here. */
async function ownTop(start: string, gitDir: string, top: string): Promise<string> {
  if (join(top, '.git') === gitDir) return top;
  const asked = ['rev-parse', '--path-format=absolute', '--git-dir'];
  const back = await git(await existingFolder(top), asked, { answers: [128] });
  if (back.stdout.replace(/\n$/, '') === gitDir) return top;
  throw notARepository(
    start,
    `its config (core.worktree) puts its files in ${top}, which does not belong to it`,
  );
}

async function mainWorktree(start: string, commonDir: string): Promise<string> {
  const { stdout } = await git(start, ['worktree', 'list', '--porcelain', '-z'], { discover: true });
  const first = (stdout.split('\0\0')[0] ?? '').split('\0');
  const path = first.find((line) => line.startsWith('worktree '))?.slice('worktree '.length);
  if (path === undefined || first.includes('bare')) {
    throw notARepository(start, 'its repository is bare: there is no main worktree');
  }
  // Git guesses this path from where the repository is, which fails for --separate-git-dir.
  const check = await git(await existingFolder(path), ['rev-parse', '--path-format=absolute', '--git-dir'], {
    answers: [128],
  });
  if (check.stdout.trim() === commonDir) return path;
  throw notARepository(start, 'its main worktree cannot be found from here');
}

function notARepository(dir: string, why: string, cause?: unknown): OrchError {
  const hint = why.includes('dubious ownership')
    ? 'Somebody else owns the repository; see `git help config`, safe.directory.'
    : 'Run orch inside the main worktree of a git repository, or name it with --root.';
  return new OrchError('NOT_A_REPOSITORY', `${dir} is not in a git worktree: ${why}`, { hint, cause });
}
