import { lstat, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from '../failpoint.ts';
import { selfAndAbove } from '../protocol/scope.ts';
import { findWorktree, kindOf, type Marker, markReady, readyWorktree, type Worktree } from './admin.ts';
import { placeOf } from './nested.ts';
import { commonDirOf } from './repository.ts';
import { git, splitNul } from './run.ts';

/**
 * Files of the worktree that are put to another version while acceptance tests run. The mark of the worktree names
 * them before the first is touched, and as long as they may be there: whoever salvages from the worktree or prepares
 * it takes them back first, so that they are never taken for work. Nothing is staged, and no task runs meanwhile.
 */

/** `source`: the commit whose version is put there. `text`: that is written instead, into a regular file. */
export type PutBack = { path: string; source: string; text?: string };

/** Puts the files there. Killed anywhere: see above. The caller holds the lease; the worktree is as its last commit. */
export async function putBackFiles(root: string, id: string, files: readonly PutBack[]): Promise<void> {
  const worktree = await readyWorktree(root, id);
  await mark(
    worktree,
    files.map(({ path }) => path),
  );
  const whole = new Map<string, string[]>();
  for (const { path, source, text } of files) {
    if (text !== undefined && (await isPlainFile(worktree, path))) {
      await writeAnew(join(worktree.path, path), text);
    } else whole.set(source, [...(whole.get(source) ?? []), path]);
  }
  for (const [source, paths] of whole) await checkOutFrom(worktree, source, paths);
}

/** Never into the file that is there: by another name it may be one outside of the worktree (a hard link). */
async function writeAnew(place: string, text: string): Promise<void> {
  const { mode } = await lstat(place);
  failpoint('git.gate.write');
  await rm(place);
  await writeFile(place, text, { flag: 'wx', mode: mode & 0o777 });
  failpoint('git.gate.written');
}

/**
 * Puts them back to `head`, the last commit, and removes those that it does not have: they may be ignored there, so
 * that no reset and no clean finds them. What else the tests left stays as it is. Nothing to do where nothing was put.
 */
export async function takeBackFiles(root: string, id: string, head: string): Promise<void> {
  const found = await findWorktree(root, await commonDirOf(root), id);
  if (found.kind === 'ready' && found.folder) await takeBack(found.worktree, found.marker, head);
}

/** As above, for whoever has found the worktree already. */
export async function takeBack(worktree: Worktree, marker: Marker, head: string): Promise<void> {
  const paths = marker.put_back ?? [];
  if (paths.length === 0) return;
  const args = ['ls-tree', '-r', '-z', '--name-only', '--full-tree', head];
  const tracked = new Set(splitNul((await git(worktree.root, args)).stdout));
  for (const path of paths) {
    // Where a folder on the way is a link now, what it leads to is not ours.
    if (tracked.has(path) || !(await isPlainFile(worktree, path))) continue;
    failpoint('git.gate.remove');
    await rm(join(worktree.path, path), { force: true });
    failpoint('git.gate.removed');
  }
  await checkOutFrom(
    worktree,
    head,
    paths.filter((path) => tracked.has(path)),
  );
  await mark(worktree, []);
}

/** By way of an index of its own: the worktree's may be damaged, and must not know of it. */
async function checkOutFrom(worktree: Worktree, source: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const index = join(worktree.admin, 'orch-gate-index');
  const place = placeOf(worktree, index);
  try {
    // A killed git may have left its lock.
    await rm(`${index}.lock`, { force: true });
    await git(worktree.path, ['read-tree', source], place);
    const input = paths.map((path) => `${path}\0`).join('');
    await git(worktree.path, ['checkout-index', '--force', '--quiet', '-z', '--stdin'], { ...place, input });
  } finally {
    await rm(index, { force: true });
  }
}

async function mark(worktree: Worktree, put_back: string[]): Promise<void> {
  const found = await findWorktree(worktree.root, worktree.commonDir, worktree.id);
  if (found.kind === 'ready') await markReady(worktree, { ...found.marker, put_back });
}

async function isPlainFile(worktree: Worktree, path: string): Promise<boolean> {
  for (const above of selfAndAbove(path).slice(1)) {
    if ((await kindOf(join(worktree.path, above))) !== 'folder') return false;
  }
  return (await kindOf(join(worktree.path, path))) === 'file';
}
