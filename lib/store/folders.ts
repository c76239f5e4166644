import { chmodSync, lstatSync, mkdirSync, type Stats, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { STATE_FOLDERS } from '../protocol/layout.ts';
import { asWriteFault } from './durable.ts';

const IGNORE = '*\n';

/**
 * Makes the state folders (0700), each with a `.gitignore` that hides it from git.
 * @throws OrchError UNSAFE_FOLDER where one is a link, another user's, or no folder.
 */
export function makeFolders(root: string): void {
  // All are looked at before any is made.
  hasState(root);
  for (const name of STATE_FOLDERS) {
    const folder = join(root, name);
    try {
      mkdirSync(folder, { mode: 0o700 });
      failpoint('store.folder.made');
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw cannotMake(folder, error);
    }
    checkFolder(folder);
    try {
      hideFromGit(join(folder, '.gitignore'));
    } catch (error) {
      throw cannotMake(folder, error);
    }
  }
}

/** An empty file is one that a full disk cut short, or that a person left so: it hides nothing. */
function hideFromGit(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || (stats.isFile() && stats.size === 0))
    writeFileSync(path, IGNORE, { mode: 0o600 });
  failpoint('store.folder.hidden');
}

const OTHER_HINT = 'orch keeps its state there and writes nowhere else. Move it away and try again.';

function refuseOther(folder: string, stats: Stats): void {
  const what = stats.isSymbolicLink() ? 'a symbolic link' : 'not a folder';
  if (!stats.isDirectory())
    throw new OrchError('UNSAFE_FOLDER', `${folder} is ${what}`, { hint: OTHER_HINT });
}

function checkFolder(folder: string): void {
  const stats = lstatSync(folder);
  refuseUnsafe(folder, stats);
  if ((stats.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/** The first fault for which `makeFolders` would refuse a folder that is there, or null. Changes nothing. */
export function unsafeFolder(root: string): OrchError | null {
  for (const name of STATE_FOLDERS) {
    const folder = join(root, name);
    try {
      const stats = lstatSync(folder, { throwIfNoEntry: false });
      if (stats !== undefined) refuseUnsafe(folder, stats);
    } catch (error) {
      return error instanceof OrchError ? error : cannotMake(folder, error);
    }
  }
  return null;
}

function refuseUnsafe(folder: string, stats: Stats): void {
  const uid = process.getuid?.() ?? stats.uid;
  refuseOther(folder, stats);
  if (stats.uid !== uid) {
    throw new OrchError('UNSAFE_FOLDER', `${folder} belongs to user ${stats.uid}, not to you (${uid})`, {
      hint: OTHER_HINT,
    });
  }
}

/** Refuses folders in which the repository tracks files of its own; `tracked` are paths below the root. */
export function refuseTracked(tracked: readonly string[]): void {
  const own = new Set<string>(STATE_FOLDERS.map((name) => `${name}/.gitignore`));
  const strange = tracked.find((path) => !own.has(path));
  if (strange === undefined) return;
  throw new OrchError('UNSAFE_FOLDER', `the repository tracks ${strange}, in a folder that orch needs`, {
    hint: `orch needs ${STATE_FOLDERS.join(', ')} for its own files. Move the tracked files elsewhere.`,
  });
}

/**
 * True if this repository has any state of orch.
 * @throws OrchError UNSAFE_FOLDER where one of the folders is a link or no folder: its content is somebody else's.
 */
export function hasState(root: string): boolean {
  const found = STATE_FOLDERS.map((name) => {
    const folder = join(root, name);
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (stats !== undefined) refuseOther(folder, stats);
    return stats !== undefined;
  });
  return found[0] === true;
}

function cannotMake(folder: string, cause: unknown): OrchError {
  const errno = errnoOf(cause) ?? 'unknown error';
  if (['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(errno)) return asWriteFault(folder, cause);
  const hint = 'orch needs to write at the root of the repository.';
  return new OrchError('UNSAFE_FOLDER', `cannot make ${folder} (${errno})`, { hint, cause });
}
