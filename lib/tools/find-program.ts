import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Found } from './adapter.ts';
import { programOnPath } from './on-path.ts';

/**
 * Whether a program is there: an absolute path, or a name in the absolute folders of `env`'s PATH. A relative folder
 * would be looked up in the worktree, where what a tool wrote could take the place of the tool. Runs nothing.
 */
export function findProgram(executable: string, env: Record<string, string | undefined>): Found {
  if (executable.includes('/')) return findFile(executable);
  const folders = (env['PATH'] ?? '').split(delimiter).filter(isAbsolute);
  const file = programOnPath(executable, folders.join(delimiter));
  if (file !== null) return { usable: true, file };
  return {
    usable: false,
    why: `${executable} is not on PATH`,
    hint: `Install ${executable}, or say where it is in the config: "executable" of the tool.`,
  };
}

function findFile(file: string): Found {
  const hint = 'Mend "executable" of the tool in the config: an absolute path, or a name on PATH.';
  if (!isAbsolute(file)) return { usable: false, why: `${file} is no absolute path`, hint };
  try {
    accessSync(file, constants.X_OK);
    if (statSync(file).isFile()) return { usable: true, file };
  } catch (error) {
    // Whatever hinders the look would hinder the start too.
    if (errnoOf(error) === null) throw error;
    return { usable: false, why: `${file} cannot be run (${errnoOf(error)})`, hint };
  }
  return { usable: false, why: `${file} is no file`, hint };
}
