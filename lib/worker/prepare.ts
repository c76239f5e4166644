import { OrchError } from '../errors.ts';
import { mergedBase } from '../git/merge.ts';
import type { TellRefs } from '../git/moved-refs.ts';
import { excludeOnly } from '../git/tidy.ts';
import { prepareWorktree, type Prepared as Worktree } from '../git/worktree.ts';
import { gitLockPath } from '../protocol/layout.ts';
import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import { isSuccess } from '../protocol/status.ts';
import { withLock } from '../store/lock.ts';
import { readRecord } from '../store/records.ts';
import { copyAll } from './copy-in.ts';

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

/**
 * `base`: where the chain of checkpoints began; it stays what it was unless the attempt is fresh. `excluded`: what was
 * copied in, which enters no commit.
 */
export type Prepared = Worktree & { base: string; excluded: string[] };

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
  const excluded = copyAll(root, prepared.path, workstream.copy);
  // Whole folders until here: killed in between, what is there is a copy and nothing else.
  await excludeOnly(root, id, excluded);
  return { ...prepared, base: prepared.checkpoint.base ?? base, excluded };
}
