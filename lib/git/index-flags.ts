import { lstatSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Worktree } from './admin.ts';
import { placeOf } from './nested.ts';
import { git, splitNul } from './run.ts';

/**
 * Takes the flags from an index (the worktree's own, where none is given) by which a tool, or `setup`, hides edits from
 * git: `assume-unchanged` and `skip-worktree`. In a sparse checkout what is not there keeps the second, so that it stays
 * sparse. One command where there are none.
 */
export async function clearFlags(worktree: Worktree, index?: string): Promise<void> {
  const place = { ...placeOf(worktree, index), bytes: true };
  const { stdout } = await git(worktree.path, ['ls-files', '-v', '-z'], place);
  const entries = splitNul(stdout).map((entry) => ({ tag: entry.slice(0, 1), path: entry.slice(2) }));
  const assumed = entries.filter(({ tag }) => /[a-z]/.test(tag));
  const skips = entries.filter(({ tag }) => /s/i.test(tag));
  const isSparse = skips.length > 0 && (await isSparseCheckout(worktree));
  const skipped = isSparse ? skips.filter(({ path }) => isThere(worktree.path, path)) : skips;
  // Of two flags in one command git clears only the first.
  for (const [flag, flagged] of [
    ['--no-assume-unchanged', assumed],
    ['--no-skip-worktree', skipped],
  ] as const) {
    if (flagged.length === 0) continue;
    const input = flagged.map(({ path }) => `${path}\0`).join('');
    await git(worktree.path, ['update-index', flag, '-z', '--stdin'], { ...place, input });
  }
}

async function isSparseCheckout(worktree: Worktree): Promise<boolean> {
  const args = ['config', '--type=bool', '--get', 'core.sparseCheckout'];
  const { stdout } = await git(worktree.path, args, { ...placeOf(worktree), answers: [1] });
  return stdout.trim() === 'true';
}

/** `path` is bytes, one character each: a name need not be UTF-8. */
function isThere(folder: string, path: string): boolean {
  const place = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);
  try {
    return lstatSync(place, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
