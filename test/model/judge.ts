import { type Action, decide, isOpen } from '../../lib/orchestrate/decide.ts';
import type { Liveness, View } from '../../lib/orchestrate/world.ts';
import { carriesToken } from '../../lib/process/identity.ts';
import type { ProcessInfo } from '../../lib/process/info.ts';
import { DEFAULT_OPTIONS, type FrozenPlan, type PlannedWorkstream } from '../../lib/protocol/plan.ts';
import { isAliveState, type StatusRecord } from '../../lib/protocol/status.ts';
import { holdsLease, type Lease, leaseOf } from '../../lib/store/records.ts';
import { meansAttempt, type StopRequest } from '../../lib/store/signs.ts';
import { ALL, kinOf, worldOf } from '../rig/worlds.ts';
import { recordAt } from './disk.ts';
import type { Setup, State } from './state.ts';

/** What the model's processes conclude from what they see: by the real `decide`, lease, token and stop word. */

const ID = 'WS-001';
const LATE_MS = 1e9;

export const tokenOf = (number: number): string => `t${number}`;

const infoOf = (environ: Record<string, string>): Pick<ProcessInfo, 'environ' | 'command'> => ({
  environ,
  command: 'a program',
});

/** As `judge` has it: PID and start time are those of the record; the token decides. */
export function livenessOf(state: State, number: number, { without }: Setup): Liveness | null {
  const { pid, identity } = recordAt(number);
  if (pid === null || identity === null) return null;
  const environ = state.workers.some((worker) => worker.number === pid)
    ? { ORCH_TOKEN: tokenOf(pid) }
    : state.stranger === pid
      ? {}
      : null;
  if (environ === null) return 'dead';
  const isSame = carriesToken(infoOf(environ) as ProcessInfo, identity.token) || without === 'token';
  return isSame ? 'alive' : 'dead';
}

export const leaseAt = (number: number): Lease => leaseOf(recordAt(number));
export const hasLease = (number: number, lease: Lease): boolean => holdsLease(recordAt(number), lease);

function wordAt(stop: number): StopRequest | null {
  return stop === 0 ? null : { run: recordAt(0).run, attempt: stop - 1, at: 0, by: 0 };
}

/** True if the stop word on disk means the attempt of this record. */
export const isAsked = (stop: number, record: number): boolean =>
  meansAttempt(wordAt(stop), leaseAt(record), recordAt(record).started_at);

/** As in `observe`. */
function isStopStale(state: State, record: StatusRecord, number: number): boolean {
  if (state.stop.seen === 0 || isAliveState(record)) return false;
  const isOver = record.status !== 'crashed' && record.status !== 'pending';
  return isOver || !isAsked(state.stop.seen, number);
}

const planned = { id: ID, depends_on: [], priority: 0, timeoutMs: null };
const planWith = (restart: number): FrozenPlan => {
  const workstreams = [planned as unknown as PlannedWorkstream];
  return { options: { ...DEFAULT_OPTIONS, restart }, workstreams } as unknown as FrozenPlan;
};

function viewOf(state: State, number: number, setup: Setup, isLate: boolean): View {
  const record = recordAt(number);
  const [worker] = state.workers;
  const asked = isAsked(state.stop.seen, number);
  const ms = isLate ? LATE_MS : 0;
  const stale = isStopStale(state, record, number) && worker === undefined;
  return {
    id: ID,
    read: { kind: 'record', record, mtimeMs: 0 },
    planned: planned as unknown as PlannedWorkstream,
    liveness: isAliveState(record) ? livenessOf(state, number, setup) : null,
    rebooted: false,
    launcherGone: false,
    liveWorker: worker === undefined ? null : { pid: worker.number, token: tokenOf(worker.number) },
    leftovers: state.orphan === 0 ? [] : [kinOf(ID, state.orphan)],
    stopAskedMs: asked ? ms : null,
    heartbeatAgeSeconds: null,
    awakeMs: ms,
    sinceMs: ms,
    foreignEnd: null,
    stale: stale ? [{ path: 'the stop word', why: 'it is over' }] : [],
  };
}

const actions: Action[] = [];
const numbers = new Map<string, number>();

export function actionNumber(action: Action): number {
  const key = JSON.stringify(action);
  const known = numbers.get(key);
  if (known !== undefined) return known;
  const number = actions.push(action) - 1;
  numbers.set(key, number);
  return number;
}

export function actionAt(number: number): Action {
  const action = actions[number];
  if (action === undefined) throw new Error(`there is no action ${number}`);
  return action;
}

export type Decided = { todo: readonly number[]; open: boolean };
const decisions = new Map<string, Decided>();

/** What the real `decide` says of this look; `isLate`: all bounds in time have passed. */
export function decided(state: State, seen: number, setup: Setup, isLate: boolean): Decided {
  const worker = state.workers[0]?.number ?? 0;
  const alive = livenessOf(state, seen, setup);
  const key = `${seen} ${alive} ${worker} ${state.orphan} ${state.stop.seen} ${setup.restart} ${isLate}`;
  const known = decisions.get(key);
  if (known !== undefined) return known;
  const world = worldOf(planWith(setup.restart), false, [viewOf(state, seen, setup, isLate)], []);
  const fresh = { todo: decide(world, ALL).map(actionNumber), open: isOpen(world) };
  decisions.set(key, fresh);
  return fresh;
}
