import { join } from 'node:path';
import { worktreePath } from '../protocol/layout.ts';
import { scopeMatcher, selfAndAbove } from '../protocol/scope.ts';
import { kindOf } from './admin.ts';
import { readable } from './changes.ts';
import { git, splitNul } from './run.ts';

/** The files of a workstream, for tools that are told names of files. */

/** More names than this no tool can use; the first ones stay. */
const PRESENT_MAX = 1_000;
const GLOB = /[*?[{]|[@!+]\(/;

export type ScopeFiles = {
  present: string[];
  toCreate: string[];
  /** Of `present`, those that there was no room for included. */
  total: number;
};

/**
 * The regular files of `commit` that `files_scope` and `files_create` hold and that are regular files in the worktree
 * now, in the order of the entries and by name within one; at most 1,000. Never a link, what lies behind one, a
 * submodule, what git does not track, or what `exclude` holds (copied files). `toCreate`: entries of `files_create`
 * that spell one path, at which there is nothing yet. Empty where there are no entries.
 */
export async function filesOfScope(
  root: string,
  {
    id,
    files_scope,
    files_create,
  }: { id: string; files_scope: readonly string[]; files_create: readonly string[] },
  commit: string,
  exclude: readonly string[],
): Promise<ScopeFiles> {
  const entries = [...files_scope, ...files_create];
  if (entries.length === 0) return { present: [], toCreate: [], total: 0 };
  const worktree = worktreePath(root, id);
  const isInside = scopeMatcher(entries);
  const isExcluded = exclude.length === 0 ? () => false : scopeMatcher(exclude);
  const tracked = await regularFilesOf(root, commit);
  const left = new Set(tracked.filter((path) => isInside(path) && !isExcluded(path)));
  const ordered: string[] = [];
  for (const entry of entries) {
    const isIn = scopeMatcher([entry]);
    for (const path of left) {
      if (!isIn(path)) continue;
      left.delete(path);
      ordered.push(path);
    }
  }
  const present: string[] = [];
  for (const path of ordered) {
    if (present.length === PRESENT_MAX) break;
    if (await isPlainFile(worktree, path)) present.push(path);
  }
  const toCreate: string[] = [];
  for (const entry of new Set(files_create.map((path) => path.replace(/^(?:\.\/)+/, '')))) {
    if (GLOB.test(entry) || entry.endsWith('/') || entry === '' || entry === '.') continue;
    if (await isFree(worktree, entry)) toCreate.push(entry);
  }
  return { present, toCreate, total: ordered.length };
}

/** Names that are not UTF-8 are left out: no tool could be told of them. */
async function regularFilesOf(root: string, commit: string): Promise<string[]> {
  const args = ['ls-tree', '-r', '-z', '--full-tree', commit];
  const { stdout } = await git(root, args, { bytes: true });
  return splitNul(stdout).flatMap((entry) => {
    const path = readable(entry.slice(entry.indexOf('\t') + 1));
    return entry.startsWith('100') && !path.includes('\uFFFD') ? [path] : [];
  });
}

async function isPlainFile(worktree: string, path: string): Promise<boolean> {
  for (const above of selfAndAbove(path).slice(1)) {
    if ((await kindOf(join(worktree, above))) !== 'folder') return false;
  }
  return (await kindOf(join(worktree, path))) === 'file';
}

/** Nothing is there, and nothing but folders on the way: what is made there stays in the worktree. */
async function isFree(worktree: string, path: string): Promise<boolean> {
  for (const above of selfAndAbove(path).slice(1)) {
    if (!['folder', 'absent'].includes(await kindOf(join(worktree, above)))) return false;
  }
  return (await kindOf(join(worktree, path))) === 'absent';
}
