import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf, messageOf, OrchError } from '../../errors.ts';

/** Where the codemod tool of the demo is: the npm package `@ast-grep/cli`, a native program. */

const run = promisify(execFile);
const CLI = '@ast-grep/cli';
const PROGRAM = process.platform === 'win32' ? 'ast-grep.exe' : 'ast-grep';
const LIBC: Partial<Record<NodeJS.Platform, string>> = { linux: '-gnu', win32: '-msvc' };
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Absolute path of an `ast-grep` that has just answered `--version`; looked up from the module `from`, so the
 * same in `lib/` and in `dist/`. Throws `NO_TOOL` if none is installed, or none runs on this machine.
 */
export async function findAstGrep(from: string = import.meta.url): Promise<string> {
  const failures: string[] = [];
  for (const path of candidates(from)) {
    const failure = await probe(path);
    if (failure === null) return path;
    failures.push(`${path}: ${failure}`);
  }
  throw new OrchError('NO_TOOL', `${CLI} is not installed, or does not run here`, {
    hint: `npm install ${CLI}, without --omit=optional: its program comes as an optional dependency`,
    cause: failures.length > 0 ? new Error(failures.join('\n')) : undefined,
  });
}

/** The platform's own package first: in the other one the program is a stub until its postinstall has run. */
function candidates(from: string): string[] {
  const cli = resolvePackage(CLI, from);
  if (cli === null) return [];
  const native = `${CLI}-${process.platform}-${process.arch}${LIBC[process.platform] ?? ''}`;
  const platform = resolvePackage(native, cli);
  return [platform, cli].filter((path) => path !== null).map((path) => join(dirname(path), PROGRAM));
}

function resolvePackage(name: string, from: string): string | null {
  try {
    return createRequire(from).resolve(`${name}/package.json`);
  } catch (error) {
    if (errnoOf(error) === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

/** Null if the program runs; else why not. A program of another libc fails here, not in the first task. */
async function probe(path: string): Promise<string | null> {
  try {
    await run(path, ['--version'], { timeout: PROBE_TIMEOUT_MS });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
