import { NONE, readCheckpoints } from '../git/chain.ts';
import { highestAttempt } from '../git/salvage.ts';
import { branchOf, worktreePath } from '../protocol/layout.ts';
import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import { type RecordOf, STATUS_SCHEMA } from '../protocol/status.ts';

/**
 * The record of a workstream that has none: what git knows of it (checkpoints, salvaged attempts) is taken over,
 * so that a record that was deleted costs nothing. `known`: those that git knows anything of, if that was looked up
 * for many at once. `fresh`: it begins at the base all the same.
 */
export async function firstRecord(
  root: string,
  plan: FrozenPlan,
  workstream: PlannedWorkstream,
  mode: 'attached' | 'detached',
  { fresh, known }: { fresh: boolean; known?: ReadonlySet<string> },
): Promise<RecordOf<'pending'>> {
  const { id, title, depends_on, tasks, definition } = workstream;
  const isNew = known !== undefined && !known.has(id);
  const state = isNew ? NONE : await readCheckpoints(root, id);
  const done = fresh ? 0 : tasks.filter(({ digest }) => state.done.includes(digest)).length;
  return {
    status: 'pending',
    current_task: null,
    progress: `${done}/${tasks.length}`,
    last_update: Date.now() / 1000,
    exit_code: null,
    workstream: id,
    schema: STATUS_SCHEMA,
    title,
    run: plan.run,
    attempt: isNew ? 0 : await highestAttempt(root, id),
    restarts: 0,
    cut_offs: 0,
    launcher: null,
    mode,
    pid: null,
    identity: null,
    tool: null,
    tool_session: null,
    tool_runs: [],
    branch: branchOf(id),
    worktree: worktreePath(root, id),
    base: state.base,
    head: state.tip,
    depends_on,
    blocked_by: [],
    started_at: null,
    ended_at: null,
    signal: null,
    reason: null,
    checks: [],
    violations: [],
    usage: null,
    containment: 'none yet',
    fresh,
    definition,
  };
}
