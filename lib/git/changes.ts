import type { Worktree } from './admin.ts';
import { placeOf } from './nested.ts';
import { git, splitNul } from './run.ts';

/**
 * What differs between trees and in commits. Paths are bytes, one character each: a name that is not UTF-8 must
 * come back to git as it was. `readable` makes texts of them.
 */

export type Side = { mode: string; id: string };
export type Change = { path: string; before: Side | null; after: Side | null };

const ABSENT = '000000';
/** Beyond so many new times gone files only renames without a change of content are found. */
const RENAME_LIMIT = 2_000;

export const readable = (path: string): string => Buffer.from(path, 'latin1').toString('utf8');

/** All paths that differ from tree `from` to tree `to`; renames count as two. */
export async function changesBetween(worktree: Worktree, from: string, to: string): Promise<Change[]> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', from, to];
  const { stdout } = await git(worktree.path, args, { ...placeOf(worktree), bytes: true });
  const parts = splitNul(stdout);
  const changes: Change[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    changes.push({ path: parts[at + 1] ?? '', ...sidesOf(parts[at] ?? '') });
  }
  return changes;
}

/** Both sides of an entry of `--raw`, which begins with a colon. */
export function sidesOf(entry: string): { before: Side | null; after: Side | null } {
  const [mode = '', modeAfter = '', id = '', idAfter = ''] = entry.slice(1).split(' ');
  const side = (has: string, object: string): Side | null =>
    has === ABSENT ? null : { mode: has, id: object };
  return { before: side(mode, id), after: side(modeAfter, idAfter) };
}

/** Pairs of a path that is gone and the one where its content is now, as `git diff -M` finds them. */
export async function renamesBetween(
  worktree: Worktree,
  from: string,
  to: string,
): Promise<(readonly [string, string])[]> {
  // Empty files are all alike: to call them renames of one another would be a guess.
  const find = ['-M', `-l${RENAME_LIMIT}`, '--no-rename-empty', '--diff-filter=R', '--name-status'];
  const args = ['diff-tree', '-r', '-z', ...find, from, to];
  const { stdout } = await git(worktree.path, args, { ...placeOf(worktree), bytes: true });
  const parts = splitNul(stdout);
  const pairs: (readonly [string, string])[] = [];
  for (let at = 0; at + 2 < parts.length; at += 3) pairs.push([parts[at + 1] ?? '', parts[at + 2] ?? '']);
  return pairs;
}

/** Paths that the commits after `start` up to `head` changed, also where a later one changed them back. */
export async function pathsInCommits(worktree: Worktree, start: string, head: string): Promise<string[]> {
  const place = placeOf(worktree);
  const commits = await git(worktree.path, ['rev-list', `${start}..${head}`, '--'], place);
  if (commits.stdout === '') return [];
  // -c: of a merge only what none of its parents has; what came with a parent is in the parent's own commits.
  const args = [
    'diff-tree',
    '--stdin',
    '--root',
    '-r',
    '-c',
    '-z',
    '--no-renames',
    '--name-only',
    '--no-commit-id',
  ];
  const { stdout } = await git(worktree.path, args, { ...place, input: commits.stdout, bytes: true });
  return [...new Set(splitNul(stdout))];
}
