import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import { errnoOf } from '../errors.ts';

const CONTROL = /[\u0000-\u001f\u007f]/;
const UP = /(?:^|[/{},|()])\.\.(?:$|[/{},|()])/;
const GIT_FOLDER = /(?:^|[/{},|()])\.git[. ]*(?:$|[/{},|()])/i;

/** Each more costs another factor of the length of a name that does not match. */
const MAX_STARS = 4;
const MAX_DEEP_STARS = 3;

function wildcardFault(path: string): string | null {
  const most = Math.max(...path.split('/').map((name) => name.match(/\*+/g)?.length ?? 0));
  if (most > MAX_STARS) return `must hold at most ${MAX_STARS} "*" between two slashes`;
  const deep = path.match(/\*{2,}/g)?.length ?? 0;
  return deep > MAX_DEEP_STARS ? `must hold at most ${MAX_DEEP_STARS} "**"` : null;
}

/** Null if `path`, a file, folder or glob, stays inside the repository as spelled; else the rule it breaks. */
export function pathFault(path: string): string | null {
  if (path.trim() === '') return 'must not be empty';
  if (CONTROL.test(path)) return 'must not hold control characters';
  if (path.includes('\\')) return 'must be written with "/", without backslashes';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'must be relative to the repository';
  if (path === '~' || path.startsWith('~/')) return 'must be relative to the repository; "~" is not read';
  if (path.startsWith('!') || path.startsWith(':')) return 'must not begin with "!" or ":"';
  if (UP.test(path)) return 'must stay inside the repository, without ".."';
  if (GIT_FOLDER.test(path)) return 'must not lie in a .git folder';
  return wildcardFault(path);
}

/** The path without `./` and doubled slashes; a slash at its end, which says folder, stays. */
export function tidyPath(path: string): string {
  return posix.normalize(path);
}

/**
 * Null if what `copy` names is absent or really inside `root`, links followed; else the rule it breaks.
 * What a folder holds is not looked at: whoever copies must not follow links either.
 */
export async function copyFault(root: string, entry: string): Promise<string | null> {
  if (tidyPath(entry).replace(/\/$/, '') === '.') return 'must name a file or folder inside the repository';
  const path = join(root, entry);
  try {
    await lstat(path);
    const inside = relative(await realpath(root), await realpath(path));
    if (isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`)) {
      return 'must not lead out of the repository through a link';
    }
    return inside === '' ? 'must not lead to the repository itself' : pathFault(inside.split(sep).join('/'));
  } catch (error) {
    return copyErrno(error, path);
  }
}

async function copyErrno(error: unknown, path: string): Promise<string | null> {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return (await isDanglingLink(path)) ? 'must not be a link that leads nowhere' : null;
    case 'ELOOP':
    case 'EACCES':
    case 'EPERM':
    case 'ENAMETOOLONG':
      return `must be a path that can be looked at (${errnoOf(error)})`;
    default:
      throw error;
  }
}

async function isDanglingLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
