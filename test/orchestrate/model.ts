import type { Action } from '../../lib/orchestrate/decide.ts';
import type { Liveness, View, World } from '../../lib/orchestrate/world.ts';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import { isAliveState, type StatusRecord } from '../../lib/protocol/status.ts';
import { advance, type RecordEvent, type Writer } from '../../lib/protocol/transitions.ts';
import { plainRecord } from '../protocol/arbitraries.ts';
import { identityOf, kinOf, worldOf } from '../rig/worlds.ts';

/**
 * A machine as small as can be: it does what `act` does, and its workers begin, complete, fail and die as a stream
 * of choices has it. Records go through their text, as on a real disk.
 */
export type Model = { world: World; seconds: number; launches: number; choose: () => number };

const HASH = 'b'.repeat(40);
const WHY = { code: 'error', message: 'it failed', hint: null };

export function modelOf(world: World, choices: readonly number[]): Model {
  let next = 0;
  // When the choices have run out, everything goes well: every run comes to an end.
  const choose = (): number => choices[next++] ?? 9;
  return { world, seconds: 0, launches: 0, choose };
}

const stored = (record: StatusRecord): StatusRecord => {
  const parsed = parseRecord(encodeRecord(record));
  if (parsed.kind !== 'record') throw new Error(JSON.stringify(parsed));
  return parsed.record;
};

function put(model: Model, view: View): void {
  const { plan, held, views, strays, lacking } = model.world;
  model.world = worldOf(
    plan,
    held,
    views.map((one) => (one.id === view.id ? view : one)),
    strays,
    lacking,
  );
}

function change(model: Model, view: View, event: RecordEvent, writer: Writer): View {
  if (view.read.kind !== 'record') throw new Error(`${event.type} of ${view.id}, which has no record`);
  const record = stored(advance(view.read.record, event, writer, model.seconds));
  const isAlive = isAliveState(record);
  const liveness: Liveness | null = isAlive ? (view.liveness ?? 'alive') : null;
  const next: View = {
    ...view,
    read: { kind: 'record', record, mtimeMs: 1 },
    liveness,
    sinceMs: 0,
    awakeMs: 0,
  };
  put(model, next);
  return next;
}

/** Does what `act` does; throws where that would be a fault against the guarantees. */
export function apply(model: Model, action: Action): boolean {
  const { world } = model;
  if (action.id === null) {
    model.world = worldOf(world.plan, world.held, world.views, [], world.lacking);
    return true;
  }
  const view = world.byId.get(action.id);
  if (view === undefined) throw new Error(`${action.type} of ${action.id}, which is not there`);
  switch (action.type) {
    case 'create': {
      if (view.planned === null || !['missing', 'unreadable'].includes(view.read.kind))
        throw new Error('created twice');
      const record = plainRecord({ workstream: view.id });
      put(model, { ...view, read: { kind: 'record', record, mtimeMs: 1 }, sinceMs: 0 });
      return true;
    }
    case 'kill':
      put(model, { ...view, leftovers: [] });
      return true;
    case 'remove':
      put(model, { ...view, stale: view.stale.filter(({ path }) => path !== action.file.path) });
      return true;
    case 'end': {
      if (view.liveness !== 'alive') throw new Error(`killed ${view.id}, which is ${view.liveness}`);
      const event = { ...action, type: 'end', exitCode: null, signal: 'SIGKILL' } as const;
      change(model, { ...view, liveWorker: null }, event, 'settler');
      return true;
    }
    case 'settle':
      if (view.read.kind === 'foreign') {
        if (view.foreignEnd === null) throw new Error(`settled ${view.id}, which is not proved dead`);
        const record = { ...view.read.record, status: action.status };
        put(model, { ...view, read: { ...view.read, record }, foreignEnd: null });
        return true;
      }
      change(model, view, { ...action, type: 'end', exitCode: null, signal: null }, 'settler');
      return true;
    case 'requeue':
      change(model, view, { type: 'requeue', restarts: action.restarts, reason: null }, 'orchestrator');
      return true;
    case 'rejoin': {
      const { plan } = world;
      if (view.planned === null || plan === null) throw new Error(`${view.id} is not planned`);
      const { title, depends_on, definition } = view.planned;
      const again = { run: plan.run, title, depends_on, definition, progress: '0/1', fresh: action.fresh };
      const event = { type: 'requeue', restarts: 0, reason: null, again } as const;
      change(model, { ...view, stopAskedMs: null }, event, 'person');
      return true;
    }
    case 'release':
    case 'block': {
      if (view.read.kind !== 'record') throw new Error('no record');
      const { restarts } = view.read.record;
      const event: RecordEvent =
        action.type === 'block'
          ? { type: 'block', blockedBy: action.blockedBy, reason: action.reason }
          : { type: 'requeue', restarts, reason: null };
      change(model, view, event, 'orchestrator');
      return true;
    }
    case 'hold': {
      if (view.read.kind !== 'record' || view.read.record.status !== 'pending')
        throw new Error('no pending record');
      const { restarts } = view.read.record;
      change(model, view, { type: 'requeue', restarts, reason: action.reason }, 'orchestrator');
      return true;
    }
    case 'launch':
      launch(model, view);
      return true;
  }
}

function launch(model: Model, view: View): void {
  if (view.liveWorker !== null || view.leftovers.length > 0) throw new Error(`two workers of ${view.id}`);
  if (view.read.kind !== 'record') throw new Error(`launched ${view.id} without a record`);
  if (model.world.lacking.has(view.id)) throw new Error(`launched ${view.id} without its environment`);
  model.launches += 1;
  const token = `t${model.launches}`;
  const attempt = view.read.record.attempt + 1;
  const event = {
    type: 'start',
    pid: 100,
    identity: identityOf(token),
    attempt,
    containment: 'none',
  } as const;
  // A stop request means the attempt before.
  change(model, { ...view, liveWorker: { pid: 100, token }, stopAskedMs: null }, event, 'orchestrator');
}

/** A second or more goes by; what lives goes on, ends or dies. */
export function live(model: Model): void {
  const stepMs = 1_000 + (model.choose() % 3) * 20_000;
  model.seconds += stepMs / 1000;
  for (const { id } of model.world.views) {
    const view = model.world.byId.get(id);
    if (view === undefined) continue;
    const stopAskedMs = view.stopAskedMs === null ? null : view.stopAskedMs + stepMs;
    const aged = { ...view, sinceMs: view.sinceMs + stepMs, awakeMs: view.awakeMs + stepMs, stopAskedMs };
    put(model, aged);
    if (aged.liveness === 'alive') work(model, aged);
    else if (aged.liveWorker !== null && model.choose() % 3 === 0) put(model, { ...aged, liveWorker: null });
  }
}

function work(model: Model, view: View): void {
  const choice = model.choose() % 10;
  if (choice < 2) return;
  if (choice < 4) {
    // Killed: it leaves the record as it is, and perhaps a tool behind.
    const leftovers = choice === 2 ? [kinOf(view.id, 300)] : [];
    put(model, { ...view, liveness: 'dead', liveWorker: null, leftovers });
    return;
  }
  if (view.read.kind !== 'record') return;
  if (view.read.record.status === 'starting') {
    change(model, view, { type: 'run' }, 'worker');
    return;
  }
  const gone = { ...view, liveWorker: null };
  const failed = { type: 'end', status: 'failed', exitCode: 1, signal: null, reason: WHY } as const;
  if (choice === 4) change(model, gone, failed, 'worker');
  else if (choice === 5 && view.stopAskedMs === null) put(model, { ...view, stopAskedMs: 0 });
  else if (choice === 6) change(model, view, failed, 'worker');
  else change(model, gone, { type: 'complete', head: HASH, reason: null }, 'worker');
}
