import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errnoOf, messageOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { worktreePath, worktreesDir } from '../protocol/layout.ts';
import { replaceFile } from './durable.ts';
import { commonDirOf } from './repository.ts';

/**
 * The admin folder of a worktree (`.git/worktrees/<name>/`) and the two marks in it that say how far orch
 * came with making it:
 *
 * - `locked` with orch's words, which git itself writes first of all: being made or being removed. No tool
 *   has run in it, or all that one left has been salvaged.
 * - `orch-ready`: complete; a tool may have run.
 */

const MARKER = 'orch-ready';
const LOCK = 'locked';

/** The words in `locked` while orch makes or removes a worktree. */
export const makingReason = (id: string): string => `orch: at work on ${id}`;

/** What the worktree was last prepared for; whoever salvages it later needs to know. */
export type Marker = {
  base: string | null;
  attempt: number | null;
  exclude: string[];
  /** Files that are not as in the last commit while acceptance tests run; see `put-back.ts`. They are nobody's work. */
  put_back?: string[];
};

/** A worktree of orch: `path` its folder, `admin` git's folder for it, `commonDir` what all share. */
export type Worktree = { id: string; root: string; path: string; admin: string; commonDir: string };

export type Found =
  | { kind: 'absent' }
  | { kind: 'half-made'; worktree: Worktree }
  | { kind: 'ready'; worktree: Worktree; marker: Marker; folder: boolean; lockedBy: string | null }
  | { kind: 'foreign'; why: string };

/** What stands at a workstream's place; reads only. */
export async function findWorktree(root: string, commonDir: string, id: string): Promise<Found> {
  const path = worktreePath(root, id);
  const foreign = (why: string): Found => ({ kind: 'foreign', why });
  const top = await kindOf(worktreesDir(root));
  const folder = await kindOf(path);
  for (const [place, kind] of [
    [worktreesDir(root), top],
    [path, folder],
  ]) {
    if (kind !== 'absent' && kind !== 'folder') return foreign(`${place} is a link or a file, not a folder`);
  }
  const admin = await findAdmin(commonDir, id, path);
  if (admin === null) {
    const empty = folder === 'absent' || (await readdir(path)).length === 0;
    return empty ? { kind: 'absent' } : foreign(`${path} holds files and is no worktree of this repository`);
  }
  const worktree = { id, root, path, admin, commonDir };
  const [marker, locked] = [await readMarker(admin), await readLock(admin)];
  const ours = locked === makingReason(id);
  if (marker !== null) {
    return { kind: 'ready', worktree, marker, folder: folder === 'folder', lockedBy: ours ? null : locked };
  }
  // `initializing` is git's own word for a worktree that it never finished making.
  if (ours || locked === 'initializing') return { kind: 'half-made', worktree };
  return foreign(`${path} is a worktree that orch did not make`);
}

/** The worktree of `id`, ready to work in. Throws WORKTREE_FAILED where it is not. */
export async function readyWorktree(root: string, id: string): Promise<Worktree> {
  const found = await findWorktree(root, await commonDirOf(root), id);
  if (found.kind === 'ready' && found.folder) return found.worktree;
  if (found.kind === 'foreign') throw foreignWorktree(found.why);
  throw new OrchError('WORKTREE_FAILED', `the worktree of ${id} is not ready to work in`, {
    hint: 'Run the workstream again: its worktree is made anew.',
  });
}

/** What to do about a place that is somebody else's. */
export const FOREIGN_WORKTREE_HINT =
  'orch removes only what it made. Move it away (a worktree: `git worktree move`), then run again.';

/** The error for a place that is somebody else's. */
export function foreignWorktree(why: string): OrchError {
  return new OrchError('WORKTREE_FAILED', why, { hint: FOREIGN_WORKTREE_HINT });
}

/** Declares the worktree complete: from here on its content is salvaged, never just removed. */
export async function markReady(worktree: Worktree, marker: Marker): Promise<void> {
  await replaceFile(join(worktree.admin, MARKER), `${JSON.stringify(marker)}\n`);
  // Marker before unlock: killed in between leaves both, which reads as ready.
  if ((await readLock(worktree.admin)) === makingReason(worktree.id)) {
    await rm(join(worktree.admin, LOCK), { force: true });
    failpoint('git.locked.removed');
  }
}

/** Removes a worktree whose content is salvaged or was never a tool's. Killed anywhere, it can be repeated. */
export async function dismantle(worktree: Worktree): Promise<void> {
  const { admin, path, id } = worktree;
  // Back to half-made first: else a folder removed by half would be salvaged as a tool's deletions.
  await replaceFile(join(admin, LOCK), makingReason(id));
  await rm(join(admin, MARKER), { force: true });
  failpoint('git.orch-ready.removed');
  try {
    // Admin folder last: while it is there, what is left of the other is known to be orch's.
    await rm(path, { recursive: true, force: true });
    failpoint('git.folder.removed');
    await rm(admin, { recursive: true, force: true });
    failpoint('git.admin.removed');
  } catch (cause) {
    throw new OrchError('WORKTREE_FAILED', `${path} could not be removed: ${messageOf(cause)}`, {
      hint: 'Remove what stands in the way (files of another user?), then run again.',
      cause,
    });
  }
}

/**
 * Removes what `git worktree add` leaves when it is killed after it took orch's lock text and before it has
 * written where the worktree is. An entry cut off earlier holds nothing: git's own prune removes it.
 */
export async function sweepHalfMade(commonDir: string, id: string): Promise<void> {
  for (const name of await entries(commonDir)) {
    // Git appends a number where the name is taken.
    if (!name.startsWith(id) || !/^\d*$/.test(name.slice(id.length))) continue;
    const admin = join(commonDir, 'worktrees', name);
    if (await readText(join(admin, 'gitdir'))) continue;
    if ((await readLock(admin)) === makingReason(id)) {
      await rm(admin, { recursive: true, force: true });
      failpoint('git.half-made.removed');
    }
  }
}

async function findAdmin(commonDir: string, id: string, path: string): Promise<string | null> {
  const wanted = join(path, '.git');
  const names = await entries(commonDir);
  // Its likely name first: a thousand others need not be read.
  names.sort((a, b) => Number(b === id) - Number(a === id));
  for (const name of names) {
    const admin = join(commonDir, 'worktrees', name);
    const gitdir = (await readText(join(admin, 'gitdir')))?.replace(/\n$/, '');
    if (gitdir && resolve(admin, gitdir) === wanted) return admin;
  }
  return null;
}

async function entries(commonDir: string): Promise<string[]> {
  try {
    return await readdir(join(commonDir, 'worktrees'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readMarker(admin: string): Promise<Marker | null> {
  const text = await readText(join(admin, MARKER));
  if (text === null) return null;
  const value = parseObject(text);
  const { base, attempt, exclude, put_back } = value;
  return {
    base: typeof base === 'string' ? base : null,
    attempt: typeof attempt === 'number' ? attempt : null,
    exclude: textsOf(exclude),
    put_back: textsOf(put_back),
  };
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

/** The words in `locked`; git ends them with a newline. */
async function readLock(admin: string): Promise<string | null> {
  return (await readText(join(admin, LOCK)))?.replace(/\n$/, '') ?? null;
}

/** A marker that is there counts, whatever it says: a tool may have run. */
function parseObject(text: string): Partial<Record<keyof Marker, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/**
 * The text of a file, or null if there is none. A tool may write in git's folder: a pipe there is not waited for.
 * @throws OrchError WORKTREE_FAILED where it is no regular file, or too large for what git keeps there.
 */
export async function readText(path: string): Promise<string | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null;
    if (errno === 'ENXIO' || errno === 'ELOOP') throw notGits(path);
    throw error;
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > TEXT_MAX_BYTES) throw notGits(path);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** A reflog of many years is smaller. */
const TEXT_MAX_BYTES = 64 * 1024 * 1024;

function notGits(path: string): OrchError {
  const hint = 'Something other than git put it there. Look at it, move it away, then run again.';
  return new OrchError('WORKTREE_FAILED', `${path} is not a file that git wrote`, { hint });
}

/** What is at a path, links not followed. */
export async function kindOf(path: string): Promise<'absent' | 'folder' | 'file' | 'other'> {
  try {
    const stat = await lstat(path);
    if (stat.isDirectory()) return 'folder';
    return stat.isFile() ? 'file' : 'other';
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return 'absent';
    throw error;
  }
}
