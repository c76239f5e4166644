import { cpSync, lstatSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { errnoOf, messageOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { mergedBase } from '../git/merge.ts';
import type { TellRefs } from '../git/moved-refs.ts';
import { prepareWorktree, type Prepared as Worktree } from '../git/worktree.ts';
import { gitLockPath } from '../protocol/layout.ts';
import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import { isSuccess } from '../protocol/status.ts';
import { withLock } from '../store/lock.ts';
import { readRecord } from '../store/records.ts';

/** Creating worktrees races on git's own files: one at a time, however long a large checkout takes. */
const GIT_LOCK_BOUND_MS = 3_600_000;

/**
 * The commit that a workstream starts from: the frozen base, its one parent's head, or its parents' heads merged
 * in plan order onto the frozen base.
 * @throws OrchError BASE_CONFLICT, WORKTREE_FAILED where a parent is not done.
 */
async function findBase(root: string, plan: FrozenPlan, workstream: PlannedWorkstream): Promise<string> {
  const order = plan.workstreams.map(({ id }) => id);
  const parents = [...workstream.depends_on].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const heads = parents.map((id) => ({ id, head: headOf(root, id) }));
  const { id, title } = workstream;
  const merged = await mergedBase(root, plan.base, heads, title, id);
  if (merged.ok) return merged.commit;
  const paths = merged.conflicts.slice(0, 5).join(', ');
  const hint = `Make their scopes disjoint, or let one depend on the other, then run \`orch retry --fresh\`.`;
  throw new OrchError('BASE_CONFLICT', `the branches it depends on conflict: ${merged.id} in ${paths}`, {
    hint,
  });
}

function headOf(root: string, id: string): string {
  const read = readRecord(root, id);
  if (read.kind === 'record' && isSuccess(read.record)) return read.record.head;
  throw new OrchError('WORKTREE_FAILED', `the dependency ${id} is not completed`);
}

/** `base`: where the chain of checkpoints began; it stays what it was unless the attempt is fresh. */
export type Prepared = Worktree & { base: string };

/** A worktree on its branch at the last checkpoint, with the files of `copy` in it. */
export async function prepare(
  root: string,
  plan: FrozenPlan,
  workstream: PlannedWorkstream,
  attempt: number,
  fresh: boolean,
  tellRefs: TellRefs,
): Promise<Prepared> {
  const base = await findBase(root, plan, workstream);
  const { id } = workstream;
  const prepared = await withLock(
    gitLockPath(root),
    () => prepareWorktree({ root, id, base, attempt, fresh, exclude: workstream.copy, tellRefs }),
    GIT_LOCK_BOUND_MS,
  );
  for (const path of workstream.copy) copyIn(root, prepared.path, path);
  return { ...prepared, base: prepared.checkpoint.base ?? base };
}

/** Copies a file or folder of the user's checkout into the worktree; nothing that is or leads through a link. */
function copyIn(root: string, worktree: string, path: string): void {
  const from = join(root, path);
  const hint = `Make the file, or take it out of "copy".`;
  try {
    const real = realpathSync(from);
    if (relative(realpathSync(root), real) !== relative(root, from) || lstatSync(from).isSymbolicLink()) {
      throw new OrchError('WORKTREE_FAILED', `copy: ${path} leads through a symbolic link`, { hint });
    }
    const target = placeIn(worktree, path);
    failpoint('worker.copy.before');
    cpSync(from, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    failpoint('worker.copy.after');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null || error instanceof OrchError) throw error;
    const what = errno === 'ENOENT' ? 'is not there' : `cannot be copied: ${messageOf(error)}`;
    throw new OrchError('WORKTREE_FAILED', `copy: ${path} ${what}`, { hint, cause: error });
  }
}

/**
 * Where a file is copied to. A tool of an earlier task or attempt may have put a link there, or a link in place of
 * one of its folders: what is copied must not leave the worktree through it.
 */
function placeIn(worktree: string, path: string): string {
  const target = join(worktree, path);
  for (const part of partsOf(path)
    .slice(0, -1)
    .map((above) => join(worktree, above))) {
    const stats = lstatSync(part, { throwIfNoEntry: false });
    if (stats === undefined) mkdirSync(part);
    else if (!stats.isDirectory()) throw inTheWay(path, part);
  }
  const there = lstatSync(target, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() === true || (there?.isDirectory() === true && holdsLink(target)))
    throw inTheWay(path, target);
  return target;
}

/** `a`, `a/b`, `a/b/c`. */
function partsOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

function holdsLink(folder: string): boolean {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) =>
    entry.isSymbolicLink(),
  );
}

function inTheWay(path: string, place: string): OrchError {
  const hint = 'Commit no link where "copy" puts files, or start over with `orch retry --fresh`.';
  return new OrchError('WORKTREE_FAILED', `copy: ${path} would go through a symbolic link: ${place}`, {
    hint,
  });
}
