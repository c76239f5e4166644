import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { STATE_FOLDERS } from '../../protocol/layout.ts';
import { hasSecretName } from './secret.ts';

/** Where in a worktree a model may look and write. Every path of an answer passes here before anything is touched. */

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const LONE_SURROGATE = /\p{Cs}/u;
/** Characters that some file systems leave out of a name, so that others would be `.git` too. */
const IGNORED_IN_NAMES = /[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3_000;

/** The path without `./` before it; the rest stays as it is spelled. */
export const plainPath = (path: string): string => path.replace(/^(?:\.\/)+/, '');

/** Null if `path` names a file inside the worktree as spelled; else the rule it breaks. */
export function pathRule(path: string): string | null {
  if (path === '') return 'the path is empty';
  if (CONTROL.test(path) || LONE_SURROGATE.test(path)) return 'the path holds control characters';
  if (path.includes('\\')) return 'paths are written with "/", without backslashes';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'the path must be relative to the repository';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return 'the path is too long';
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..'))
    return 'the path must hold no "..", no "." and no empty name';
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) return 'a name in the path is too long';
  if (names.some(isGitName)) return 'git’s own folder is not to be touched';
  if (STATE_FOLDERS.some((folder) => folder === names[0])) return 'the folders of orch are not to be touched';
  if (hasSecretName(path)) return 'the name says that it holds a secret: orch neither sends nor changes it';
  return null;
}

function isGitName(name: string): boolean {
  const seen = name
    .normalize('NFKC')
    .replaceAll(IGNORED_IN_NAMES, '')
    .toLowerCase()
    .replace(/[. ]+$/, '');
  return seen === '.git' || /^git~\d+$/.test(seen);
}

/** What stands at a path; `no`: nothing may be read or written there, and why. */
export type Spot =
  | { kind: 'absent' }
  | { kind: 'file'; mode: number; size: number }
  | { kind: 'folder' }
  | { kind: 'no'; why: string };

/** Looks at each name of the path in turn, and through no link. `path` must have passed `pathRule`. */
export function lookAt(worktree: string, path: string): Spot {
  const names = path.split('/');
  for (let depth = 1; depth < names.length; depth += 1) {
    const above = names.slice(0, depth).join('/');
    const stats = statsOf(join(worktree, above));
    if (stats === null) return { kind: 'absent' };
    if (stats.isSymbolicLink()) return { kind: 'no', why: `${above} is a symbolic link` };
    if (!stats.isDirectory()) return { kind: 'no', why: `${above} is a file, not a folder` };
    if (isRepository(join(worktree, above)))
      return { kind: 'no', why: `${above} is a git repository of its own` };
  }
  const stats = statsOf(join(worktree, path));
  if (stats === null) return { kind: 'absent' };
  if (stats.isSymbolicLink()) return { kind: 'no', why: 'it is a symbolic link' };
  if (stats.isFile()) return { kind: 'file', mode: stats.mode & 0o777, size: stats.size };
  if (!stats.isDirectory()) return { kind: 'no', why: 'it is neither a file nor a folder' };
  return isRepository(join(worktree, path))
    ? { kind: 'no', why: 'it is a git repository of its own' }
    : { kind: 'folder' };
}

const isRepository = (folder: string): boolean => statsOf(join(folder, '.git')) !== null;

function statsOf(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null;
    throw error;
  }
}

/**
 * The bytes of a file that `lookAt` found, or null where it has become something else or is larger than `maxBytes`.
 * Neither a link nor a pipe that came in between is followed or waited for.
 */
export function readBytes(worktree: string, path: string, maxBytes: number): Buffer | null {
  let descriptor: number;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    descriptor = openSync(join(worktree, path), flags);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? ''))
      return null;
    throw error;
  }
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(descriptor) : null;
  } finally {
    closeSync(descriptor);
  }
}
