import { OrchError } from '../errors.ts';
import { act } from '../orchestrate/act.ts';
import { beginAnew } from '../orchestrate/begin-anew.ts';
import { refuseForeign } from '../orchestrate/foreign.ts';
import type { Observation } from '../orchestrate/observe.ts';
import { recordOf, type View } from '../orchestrate/world.ts';
import { leftToBegin } from '../protocol/anew.ts';
import { holdPath } from '../protocol/layout.ts';
import { isFinal, isSuccess, type StatusRecord } from '../protocol/status.ts';
import { type Actor, audit } from '../store/events.ts';
import { placeOf, UNREADABLE_HINT } from '../store/records.ts';
import { removeFile } from '../store/signs.ts';
import { ensureOrchestrator } from './ensure-orchestrator.ts';
import { observeWithoutLeavers } from './leaving.ts';

/**
 * A person's word that workstreams begin a new attempt, from the last checkpoint or (`fresh`) from the base; lifts the
 * hold of `stop --all`, and starts the background orchestrator where none lives. Returns their ids. All are checked
 * before any is changed.
 * @throws OrchError NO_WORKSTREAM, BUSY, USAGE where one cannot be retried.
 */
export async function retryWorkstreams(
  root: string,
  which: readonly string[] | 'failed',
  fresh: boolean,
): Promise<string[]> {
  const actor: Actor = { role: 'retry', pid: process.pid };
  const world = await observeWithoutLeavers(root, which === 'failed' ? 'all' : which);
  const views = which === 'failed' ? world.views.filter(hasFailed) : which.map((id) => viewOf(world, id));
  const records = views.map((view) => retryable(world, view, fresh));
  if (removeFile(holdPath(root)))
    audit(root, actor, { event: 'hold', workstream: null, why: 'lifted by a retry' });
  for (const record of records) await requeue(world, record, fresh, actor);
  await ensureOrchestrator(root, true);
  return records.map(({ workstream }) => workstream);
}

function viewOf(world: Observation, id: string): View {
  const view = world.byId.get(id);
  if (view !== undefined) return view;
  const hint = '`orch status` shows what there is.';
  throw new OrchError('NO_WORKSTREAM', `there is no workstream ${JSON.stringify(id)} here`, { hint });
}

function hasFailed(view: View): boolean {
  const record = recordOf(view);
  if (record === null || view.planned === null || view.liveWorker !== null) return false;
  return isFinal(record, 0) && !isSuccess(record) && record.status !== 'blocked';
}

/** All are checked before any is changed. */
function retryable({ root, plan }: Observation, view: View, fresh: boolean): StatusRecord {
  const { id, read } = view;
  const record = recordOf(view);
  if (read.kind === 'foreign') throw refuseForeign(id, 'Start it again as you did before.');
  if (read.kind === 'unreadable') {
    const message = `the record of ${id} cannot be read: ${placeOf(root, id, read)}`;
    throw new OrchError('NO_WORKSTREAM', message, { hint: UNREADABLE_HINT });
  }
  if (record === null) {
    throw new OrchError('NO_WORKSTREAM', `${id} has no record that orch could retry`, {
      hint: 'Run `orch reattach`.',
    });
  }
  if (view.liveWorker !== null || view.liveness === 'alive' || view.liveness === 'unknown') {
    throw new OrchError('BUSY', `${id} is at work`, { hint: `Stop it first: \`orch stop ${id}\`.` });
  }
  if (view.planned === null) {
    throw new OrchError('NO_WORKSTREAM', `${id} is not in the plan any more`, {
      hint: 'Launch a plan that has it.',
    });
  }
  if (isSuccess(record) && !fresh && leftToBegin(plan?.run ?? null, view.planned, record) === null) {
    const hint = 'With --fresh it starts over from its base; what was done is salvaged.';
    throw new OrchError('USAGE', `${id} is ${record.status} already`, { hint });
  }
  return record;
}

async function requeue(
  world: Observation,
  record: StatusRecord,
  fresh: boolean,
  actor: Actor,
): Promise<void> {
  const { root, plan, byId } = world;
  const id = record.workstream;
  const planned = byId.get(id)?.planned;
  if (plan === null || planned === null || planned === undefined) return;
  // While the record still names the worker: a pending one names nobody that leftovers could be found by.
  if (record.status === 'starting' || record.status === 'running') {
    throw new OrchError('BUSY', `${id} has died and is not settled yet`, { hint: 'Run `orch reattach`.' });
  }
  await act(world, { type: 'kill', id, why: 'a person retries it' }, plan.mode, actor);
  const left = leftToBegin(plan.run, planned, record);
  const startsOver = fresh || record.fresh || left?.fresh === true;
  const isSame = ({ status }: StatusRecord): boolean => status === record.status;
  const changed = await beginAnew(root, plan, planned, record, startsOver, actor, isSame);
  if (!changed.ok)
    throw new OrchError('BUSY', `the record of ${id} changed meanwhile`, { hint: 'Try again.' });
}
