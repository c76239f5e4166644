import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { branchRef } from '../protocol/layout.ts';
import { readText, type Worktree } from './admin.ts';
import { git } from './run.ts';

/** Files in the admin folder that name commits in a merge, rebase, pick or bisect under way. */
const OPERATION_HEADS = [
  'ORIG_HEAD',
  'MERGE_HEAD',
  'MERGE_AUTOSTASH',
  'CHERRY_PICK_HEAD',
  'REVERT_HEAD',
  'REBASE_HEAD',
  'rebase-merge/autostash',
  'rebase-merge/orig-head',
  'rebase-apply/autostash',
  'rebase-apply/orig-head',
];

const COMMIT_ID = /\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b/g;

/**
 * Commits that were once the HEAD of the worktree or the tip of its branch, or that an unfinished operation
 * names: all that a tool committed, amended, reset away or made on another branch. Reflogs name them, and git
 * keeps them as long as those do.
 */
export async function commitsSeen(
  commonDir: string,
  id: string,
  worktree: Worktree | null,
): Promise<string[]> {
  const texts = [await readText(join(commonDir, 'logs', branchRef(id)))];
  if (worktree !== null) {
    const { admin } = worktree;
    texts.push(await readText(join(admin, 'logs', 'HEAD')));
    for (const file of OPERATION_HEADS) texts.push(await readText(join(admin, file)));
    if (await hasOwnRefs(admin)) {
      const own = await git(commonDir, ['for-each-ref', '--format=%(objectname)', ...OWN_REFS], {
        gitDir: admin,
      });
      texts.push(own.stdout);
    }
  }
  const found = texts.flatMap((text) => reflogIds(text ?? ''));
  return [...new Set(found)].filter((commit) => !/^0+$/.test(commit));
}

/** Refs that belong to one worktree and go when it goes. */
const OWN_REFS = ['refs/worktree', 'refs/bisect', 'refs/rewritten'];

async function hasOwnRefs(admin: string): Promise<boolean> {
  try {
    return (await readdir(join(admin, 'refs'))).length > 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Ids in a reflog or in a file with one; what follows the tab of a reflog line is a message, not to be read. */
export function reflogIds(text: string): string[] {
  return text.split('\n').flatMap((line) => line.split('\t')[0]?.match(COMMIT_ID) ?? []);
}

/**
 * Of `candidates` and their history, what no commit in `kept` reaches. `heads` reach all the others. Ids that
 * name nothing any more are passed over.
 */
export async function findStrays(
  root: string,
  candidates: readonly string[],
  kept: readonly string[],
): Promise<{ heads: string[]; all: Set<string> }> {
  if (candidates.length === 0) return { heads: [], all: new Set() };
  const input = [...candidates, ...kept.map((commit) => `^${commit}`), ''].join('\n');
  const { stdout } = await git(root, ['rev-list', '--parents', '--ignore-missing', '--stdin'], { input });
  const rows = stdout
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => row.split(' '));
  const parents = new Set(rows.flatMap(([, ...rest]) => rest));
  const all = new Set(rows.flatMap(([commit]) => (commit === undefined ? [] : [commit])));
  return { heads: [...all].filter((commit) => !parents.has(commit)), all };
}
