import { OrchError } from '../errors.ts';
import { idsWithRefs } from '../git/refs.ts';
import { leftToBegin } from '../protocol/anew.ts';
import type { Anew, FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import { isSuccess } from '../protocol/status.ts';
import type { Actor } from '../store/events.ts';
import { createRecord } from '../store/records.ts';
import { beginAnew } from './begin-anew.ts';
import { firstRecord } from './first-record.ts';
import { recordOf, type View, type World } from './world.ts';

/** How a workstream of a new plan meets what is already there under its id. */
export type Joining =
  | { how: 'create'; id: string; rebuild: boolean; anew: Anew & { seen: null } }
  | { how: 'adopt'; id: string }
  | { how: 'keep'; id: string }
  | { how: 'requeue'; id: string; anew: Anew };

/**
 * Joins a new plan with earlier records by id. The living are adopted; what is completed is kept if its definition
 * is the same; everything else begins a new attempt from its checkpoint. Pure, so that nothing is written before
 * all of it is known to be possible.
 * @throws OrchError DEFINITION_CHANGED, BUSY (a live worker outside the new plan), PLAN_INVALID (a foreign worker's
 * id, or one that differs from another in case).
 */
export function join(world: World, workstreams: readonly PlannedWorkstream[], fresh: boolean): Joining[] {
  const planned = new Set(workstreams.map(({ id }) => id));
  const outside = world.views.find((view) => !planned.has(view.id) && mayLive(view));
  if (outside !== undefined) {
    const hint = 'Wait for it, stop it with `orch stop`, or launch a plan that has it too.';
    throw new OrchError('BUSY', `${outside.id} is at work and not in this plan`, { hint });
  }
  refuseOtherCase(world, workstreams);
  const run = world.plan?.run ?? null;
  return workstreams.map((workstream) => joinOne(world.byId.get(workstream.id), workstream, run, fresh));
}

/** The plan with a word of what begins anew, for whoever finishes this launch if it is cut off. */
export function withJoinings(plan: FrozenPlan, joinings: readonly Joining[]): FrozenPlan {
  const begun = new Map(joinings.flatMap((one) => ('anew' in one ? [[one.id, one.anew] as const] : [])));
  const workstreams = plan.workstreams.map((workstream) => {
    const anew = begun.get(workstream.id);
    return anew === undefined ? workstream : { ...workstream, anew };
  });
  return { ...plan, workstreams };
}

/** Where a file system does not tell cases apart, two such ids are one record, one branch and one worktree. */
function refuseOtherCase(world: World, workstreams: readonly PlannedWorkstream[]): void {
  const spelled = new Map(workstreams.map(({ id }) => [id.toLowerCase(), id]));
  for (const { id } of world.views) {
    const own = spelled.get(id.toLowerCase());
    if (own === undefined || own === id || world.byId.get(own)?.planned?.id === own) continue;
    const hint = `Write it as ${id} if it is the same work, else give it another id.`;
    throw new OrchError('PLAN_INVALID', `${own} differs only in case from ${id}, which is here already`, {
      hint,
    });
  }
}

function mayLive(view: View): boolean {
  return view.liveWorker !== null || view.liveness === 'alive' || view.liveness === 'unknown';
}

/** `run`: of the plan in force until now, whose launch may have been cut off: what it had not come to stands. */
function joinOne(
  view: View | undefined,
  workstream: PlannedWorkstream,
  run: string | null,
  fresh: boolean,
): Joining {
  const { id } = workstream;
  const anew = { seen: null, fresh };
  if (view === undefined || view.read.kind === 'missing') return { how: 'create', id, rebuild: false, anew };
  if (mayLive(view)) return { how: 'adopt', id };
  if (view.read.kind === 'foreign') {
    const hint = 'Give the workstream another id, or move that record away.';
    throw new OrchError('PLAN_INVALID', `${id} is the id of a foreign worker's record`, { hint });
  }
  const record = recordOf(view);
  if (record === null) return { how: 'create', id, rebuild: true, anew };
  const left = leftToBegin(run, view.planned, record);
  if (!isSuccess(record) || fresh || left !== null) {
    // A launch that was cut off before it began is still fresh.
    const startsOver = fresh || record.fresh || left?.fresh === true;
    return { how: 'requeue', id, anew: { seen: record.last_update, fresh: startsOver } };
  }
  if (record.definition === workstream.definition) return { how: 'keep', id };
  const hint =
    'Give the changed work an id of its own, or start over with `--fresh`: what was done is salvaged.';
  throw new OrchError(
    'DEFINITION_CHANGED',
    `${id} is ${record.status}, and its definition has changed since`,
    { hint },
  );
}

/** Carries out joinings; the caller holds the role and has written the plan. */
export async function applyJoinings(
  world: World,
  plan: FrozenPlan,
  joinings: readonly Joining[],
  actor: Actor,
): Promise<void> {
  // Once for all: a git call for each of a thousand takes minutes on a busy machine.
  const known = await idsWithRefs(world.root);
  for (const joining of joinings) await applyJoining(world, plan, joining, { actor, known });
}

async function applyJoining(
  world: World,
  plan: FrozenPlan,
  joining: Joining,
  { actor, known }: { actor: Actor; known: ReadonlySet<string> },
): Promise<void> {
  const { id } = joining;
  const workstream = plan.workstreams.find((one) => one.id === id);
  if (workstream === undefined || joining.how === 'adopt' || joining.how === 'keep') return;
  const { fresh } = joining.anew;
  if (joining.how === 'create') {
    const record = await firstRecord(world.root, plan, workstream, plan.mode, { fresh, known });
    const created = await createRecord(world.root, actor, record, { rebuild: joining.rebuild });
    if (!created.ok) throw changedMeanwhile(id);
    return;
  }
  const view = world.byId.get(id);
  const record = view === undefined ? null : recordOf(view);
  if (record === null) throw changedMeanwhile(id);
  const changed = await beginAnew(world.root, plan, workstream, record, fresh, actor);
  if (!changed.ok) throw changedMeanwhile(id);
}

function changedMeanwhile(id: string): OrchError {
  return new OrchError('BUSY', `the record of ${id} changed while it was joined`, {
    hint: 'Run the command again.',
  });
}
