import { join } from 'node:path';
import { selfAndAbove } from '../protocol/scope.ts';
import { kindOf, type Worktree } from './admin.ts';
import { clearFlags } from './index-flags.ts';
import { placeOf } from './nested.ts';
import { git, splitNul } from './run.ts';

export type Staging = {
  /** A temporary index; the worktree's own otherwise. */
  index?: string;
  /** Paths whose content is never read: copied files. */
  exclude: readonly string[];
  /** Nested repositories. */
  nested: readonly string[];
  /** The commit whose version of the excluded paths is staged instead; null: they are not staged at all. */
  keep: string | null;
};

/**
 * Stages all that is in the worktree but ignored files, `exclude` and `nested`, and returns the tree.
 * Fails if one file cannot be read, rather than leave it out.
 */
export async function stageAll(worktree: Worktree, staging: Staging): Promise<string> {
  const place = placeOf(worktree, staging.index);
  await clearFlags(worktree, staging.index);
  await unstage(worktree, staging);
  const seen = await notIgnored(worktree, [...staging.exclude, ...staging.nested], staging.index);
  const left = seen.map((path) => `:(exclude,top,literal)${path}`);
  await git(worktree.path, ['add', '--all', '--', ':(top)', ...left], place);
  return writeTree(worktree, staging.index);
}

/** Git fails if an ignored path is named, even to leave it out; it leaves those out unasked. */
async function notIgnored(
  worktree: Worktree,
  paths: readonly string[],
  index: string | undefined,
): Promise<string[]> {
  const real: string[] = [];
  // Where a tool put a link in place of a folder, there is no such path any more, and git fails if it is named.
  for (const path of paths) if (!(await isBehindLink(worktree.path, path))) real.push(path);
  if (real.length === 0) return [];
  // This command knows no literal pathspecs; with `./` before it no path begins like a magic one.
  const input = real.map((path) => `./${path}\0`).join('');
  const options = { ...placeOf(worktree, index), input, answers: [1] };
  const { stdout } = await git(worktree.path, ['check-ignore', '-z', '--stdin'], options);
  const ignored = new Set(splitNul(stdout));
  return real.filter((path) => !ignored.has(`./${path}`));
}

async function isBehindLink(folder: string, path: string): Promise<boolean> {
  for (const above of selfAndAbove(path).slice(1)) {
    if ((await kindOf(join(folder, above))) === 'other') return true;
  }
  return false;
}

/** Takes nested repositories out of the index and sets the excluded paths back to their version in `keep`. */
export async function unstage(worktree: Worktree, staging: Staging): Promise<void> {
  const place = placeOf(worktree, staging.index);
  const { exclude, nested, keep } = staging;
  const remove = [
    '--literal-pathspecs',
    'rm',
    '-r',
    '--cached',
    '--force',
    '--quiet',
    '--ignore-unmatch',
    '--',
  ];
  const drop = keep === null ? [...nested, ...exclude] : nested;
  if (drop.length > 0) await git(worktree.path, [...remove, ...drop], place);
  if (keep !== null && exclude.length > 0) {
    await git(worktree.path, ['--literal-pathspecs', 'reset', '--quiet', keep, '--', ...exclude], place);
  }
}

/** The tree of an index without unmerged files. */
export async function writeTree(worktree: Worktree, index?: string): Promise<string> {
  return (await git(worktree.path, ['write-tree'], placeOf(worktree, index))).stdout.trim();
}

/** True if the index holds the sides of a merge that was not finished. */
export async function isUnmerged(worktree: Worktree, index?: string): Promise<boolean> {
  const { stdout } = await git(worktree.path, ['ls-files', '-z', '--unmerged'], placeOf(worktree, index));
  return splitNul(stdout).length > 0;
}
