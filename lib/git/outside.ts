import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worktree } from './admin.ts';
import { type Outside, splitAtBorder } from './border.ts';
import { type Change, changesBetween, pathsInCommits, readable, renamesBetween } from './changes.ts';
import { placeOf } from './nested.ts';
import { git } from './run.ts';
import { writeTree } from './stage.ts';
import { putBackSubmodule } from './submodules.ts';

export type Border = {
  /** What the work began from. */
  start: string;
  isInside: (path: string) => boolean;
};

/** How often a look follows on a taking-out: with a `.gitignore` that came back other files count. */
const ROUNDS = 5;

/** The changes from `start` to `tree` that cannot stay. One git call where all are inside, else two. */
export async function findOutside(
  worktree: Worktree,
  tree: string,
  { start, isInside }: Border,
): Promise<{ taken: Change[]; outside: Outside[] }> {
  const changes = await changesBetween(worktree, start, tree);
  if (changes.every(({ path }) => isInside(readable(path)))) return { taken: [], outside: [] };
  return splitAtBorder(changes, await renamesBetween(worktree, start, tree), isInside);
}

/** Paths outside that only the tool's own commits up to `head` changed, not what they led to. */
export async function findUndone(
  worktree: Worktree,
  head: string,
  { start, isInside }: Border,
): Promise<Outside[]> {
  const paths = (await pathsInCommits(worktree, start, head)).map(readable);
  return paths.filter((path) => !isInside(path)).map((path) => ({ path, change: 'undone' }));
}

/** How `takeOut` reaches the world: all not ignored files as a tree in the index, and such a tree made safe. */
export type Hands = { stage: () => Promise<string>; keep: (tree: string) => Promise<void> };

/**
 * Brings files, index and the tree that is returned to what the work inside the border made of `start`. `keep`
 * has ended before anything is changed. Killed anywhere, nothing that `keep` does not hold is gone. A number of
 * git calls that does not depend on the number of files.
 */
export async function takeOut(
  worktree: Worktree,
  border: Border,
  { stage, keep }: Hands,
): Promise<{ tree: string; outside: Outside[] }> {
  const found = new Map<string, Outside>();
  let before = new Set<string>();
  for (let round = 1; ; round += 1) {
    const tree = await stage();
    const { taken, outside } = await findOutside(worktree, tree, border);
    if (taken.length === 0) return { tree, outside: [...found.values()] };
    const inside = await treeWithout(worktree, tree, taken);
    // Put back, yet changed as before: git itself sees no way to have it unchanged (line ends, a filter).
    const stuck = taken.filter((change) => before.has(keyOf(change)));
    if (round > ROUNDS || stuck.length === taken.length) {
      for (const { path } of stuck.filter(isFile)) found.delete(readable(path));
      return { tree: inside, outside: [...found.values()] };
    }
    await keep(tree);
    const rules = taken.filter((change) => IGNORE_FILE.test(change.path) && !stuck.includes(change));
    const back = rules.length > 0 ? rules : taken;
    before = new Set(back.map(keyOf));
    const paths = new Set(back.map(({ path }) => readable(path)));
    for (const one of outside) if (paths.has(one.path) && !found.has(one.path)) found.set(one.path, one);
    if (rules.length > 0) await putBackRules(worktree, tree, border.start, rules);
    else await putBack(worktree, { from: tree, to: inside }, taken);
  }
}

const IGNORE_FILE = /(?:^|\/)\.gitignore$/;

/**
 * Brings only `.gitignore` files back, and the index to `start`: what they ignore is judged by the next look. A
 * tool that emptied one must not have `node_modules` deleted as a change of its own.
 */
async function putBackRules(
  worktree: Worktree,
  tree: string,
  start: string,
  rules: readonly Change[],
): Promise<void> {
  await checkOut(worktree, tree, await treeWithout(worktree, tree, rules));
  // -m keeps what git knows of files that are as they were.
  await git(worktree.path, ['read-tree', '-m', start], placeOf(worktree));
}

const LINK = '160000';
const isFile = ({ before, after }: Change): boolean => before?.mode !== LINK && after?.mode !== LINK;
const keyOf = ({ path, after }: Change): string => `${after?.mode} ${after?.id} ${path}`;

/** `tree` with `taken` as it was before. */
async function treeWithout(worktree: Worktree, tree: string, taken: readonly Change[]): Promise<string> {
  const index = join(worktree.admin, 'orch-scope-index');
  const place = placeOf(worktree, index);
  try {
    // A killed git may have left its lock.
    await rm(`${index}.lock`, { force: true });
    await git(worktree.path, ['read-tree', tree], place);
    const gone = taken.map(
      ({ path, before, after }) => `0 ${'0'.repeat((before ?? after)?.id.length ?? 40)}\t${path}\0`,
    );
    const back = taken.flatMap(({ path, before }) =>
      before ? [`${before.mode} ${before.id}\t${path}\0`] : [],
    );
    // All goes before anything comes back: a folder makes room for a file.
    const input = [...gone, ...back].join('');
    await git(worktree.path, ['update-index', '-z', '--index-info'], { ...place, input, bytes: true });
    return await writeTree(worktree, index);
  } finally {
    await rm(index, { force: true });
  }
}

/** Brings index and files from tree `from`, which they are at, to tree `to`; what both have alike is not touched. */
async function checkOut(worktree: Worktree, from: string, to: string): Promise<void> {
  const place = placeOf(worktree);
  const careful = await git(worktree.path, ['read-tree', '-m', '-u', from, to], {
    ...place,
    answers: [1, 128],
  });
  // Something ignored stands in the way, which neither commits nor salvage hold in any case.
  if (careful.code !== 0) await git(worktree.path, ['read-tree', '--reset', '-u', to], place);
}

async function putBack(
  worktree: Worktree,
  { from, to }: { from: string; to: string },
  taken: readonly Change[],
): Promise<void> {
  await checkOut(worktree, from, to);
  for (const { path, before, after } of taken) {
    if (before?.mode === LINK && after?.mode === LINK)
      await putBackSubmodule(worktree, readable(path), before.id);
  }
}
