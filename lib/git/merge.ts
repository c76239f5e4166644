import { commitTree } from './commit.ts';
import { listRefs, moveRefs } from './refs.ts';
import { commonDirOf } from './repository.ts';
import { git, splitNul } from './run.ts';

export type MergedBase = { ok: true; commit: string } | { ok: false; id: string; conflicts: string[] };

/** The ref that keeps the merged base of a workstream. */
const baseRef = (id: string): string => `refs/orch/base/${id}`;

/**
 * The commit that workstream `id` starts from: the head of its one dependency, or the heads of several merged
 * one after another onto the frozen base, without a worktree. The same inputs give the same commit. It stays
 * reachable through `refs/orch/base/<id>`. A conflict names the dependency whose head did not merge.
 * Takes no lock: the caller holds `.status/_git.lock`.
 */
export async function mergedBase(
  root: string,
  base: string,
  heads: readonly { id: string; head: string }[],
  title: string,
  id: string,
): Promise<MergedBase> {
  const [only] = heads;
  if (only === undefined) return { ok: true, commit: base };
  if (heads.length === 1) return { ok: true, commit: only.head };
  let commit = base;
  for (const { id: parent, head } of heads) {
    if (await isAncestor(root, head, commit)) continue;
    if (await isAncestor(root, commit, head)) {
      commit = head;
      continue;
    }
    const merged = await mergeTrees(root, commit, head);
    if (!merged.ok) return { ok: false, id: parent, conflicts: merged.conflicts };
    const message = `Merge ${parent} for ${id}\n\n${title.replaceAll(/\s+/g, ' ').trim()}\n`;
    const fixed = { date: await latestDate(root, [commit, head]) };
    commit = await commitTree(root, { tree: merged.tree, parents: [commit, head], message, fixed });
  }
  await keep(root, id, commit);
  return { ok: true, commit };
}

async function isAncestor(root: string, ancestor: string, descendant: string): Promise<boolean> {
  const args = ['merge-base', '--is-ancestor', ancestor, descendant];
  return (await git(root, args, { answers: [1] })).code === 0;
}

async function mergeTrees(
  root: string,
  ours: string,
  theirs: string,
): Promise<{ ok: true; tree: string } | { ok: false; conflicts: string[] }> {
  const args = ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', ours, theirs];
  const { code, stdout } = await git(root, args, { answers: [1] });
  const [tree = '', ...conflicts] = splitNul(stdout);
  return code === 0 ? { ok: true, tree } : { ok: false, conflicts };
}

/** The later committer date, so that repeating the merge makes the same commit. */
async function latestDate(root: string, commits: readonly string[]): Promise<string> {
  const args = ['rev-list', '--no-walk', '--no-commit-header', '--format=%ct', ...commits];
  const { stdout } = await git(root, args);
  return `@${Math.max(...stdout.trim().split('\n').map(Number))} +0000`;
}

async function keep(root: string, id: string, commit: string): Promise<void> {
  const ref = baseRef(id);
  const from = (await listRefs(root, [ref])).refs.get(ref) ?? null;
  await moveRefs(root, await commonDirOf(root), [{ ref, from, to: commit }], { why: 'orch: merged base' });
}
