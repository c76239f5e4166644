import { lstatSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { ENV } from '../protocol/layout.ts';
import { hasState } from '../store/folders.ts';

/**
 * The top of the main worktree around `--root`, `ORCH_ROOT` or this folder. A plain `.git` folder needs no git to
 * be understood; all else (linked worktrees, bare repositories) git answers.
 */
export async function findRoot(option: string | undefined): Promise<string> {
  const named = option ?? process.env[ENV.root];
  const start = resolve(named ?? '.');
  let folder: string;
  try {
    folder = realpathSync(start);
  } catch (cause) {
    throw new OrchError('NOT_A_REPOSITORY', `there is no folder ${start}`, {
      hint: 'Give the repository with --root DIR, or run orch inside it.',
      cause,
    });
  }
  for (let at = folder; ; at = dirname(at)) {
    const kind = gitKind(join(at, '.git'));
    if (kind === 'folder') return at;
    if (kind === 'other' || at === dirname(at)) break;
  }
  const { openRepository } = await import('../git/repository.ts');
  return (await openRepository(folder)).root;
}

function gitKind(path: string): 'folder' | 'other' | 'none' {
  try {
    return lstatSync(path).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return 'none';
    throw error;
  }
}

/** As `findRoot`, for commands that need something to look at. */
export async function findState(option: string | undefined): Promise<string> {
  const root = await findRoot(option);
  if (!hasState(root)) {
    throw new OrchError('NO_STATE', `nothing was ever launched in ${root}`, {
      hint: 'Start with `orch launch PLAN`, or try `orch demo`.',
    });
  }
  return root;
}
