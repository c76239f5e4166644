import { isAliveState, isFinal } from '../../lib/protocol/status.ts';
import type { RecordEvent, Writer } from '../../lib/protocol/transitions.ts';
import { identityOf } from '../rig/worlds.ts';
import { follower, recordAt } from './disk.ts';
import { actionAt, hasLease, isAsked, leaseAt, livenessOf, tokenOf } from './judge.ts';
import type { Step } from './search.ts';
import { type ActorName, isFree, moved, rested, type Setup, type State, type Worker } from './state.ts';

/** The steps of `act` and `launchWorker`, and of every change of a record: lock, read again, write, sync, unlock. */

export type Writing = { lease: { attempt: number }; writer: Writer; event: RecordEvent };

/** Puts a record on disk; names the guarantee that this very write breaks. */
export function written(state: State, after: number, writing: Writing, setup: Setup): State {
  const before = recordAt(state.record.seen);
  const { status, attempt } = recordAt(after);
  let fault: string | null = null;
  if (writing.lease.attempt < before.attempt) fault = 'an older attempt wrote after a newer one had begun';
  else if (isFinal(before, setup.restart) && writing.writer !== 'person')
    fault = `${before.status} is final and was made ${status} by the ${writing.writer}`;
  else if (status === 'starting' && state.stop.seen === before.attempt + 1)
    fault = `attempt ${attempt} was launched after a person had stopped it`;
  else if (status === 'stopped' && state.done === 'retry') fault = 'an old stop word undid a retry';
  return { ...state, record: { seen: after, kept: state.record.kept }, fault };
}

/** After the folder was synced the lock is given back. A crash in between is one with the disk synced. */
export function synced(state: State, { without }: Setup): Partial<State> {
  const { record, stop } = state;
  if (without === 'fsync') return { recordLock: null };
  return {
    recordLock: null,
    record: { seen: record.seen, kept: record.seen },
    stop: { seen: stop.seen, kept: stop.seen },
  };
}

export function lockSteps(state: State, name: ActorName, next: string, setup: Setup): Step<State>[] {
  if (setup.without === 'record lock')
    return [
      {
        what: `${name} goes on without the lock of the record`,
        isFault: false,
        next: moved(state, name, { at: next }),
      },
    ];
  if (!isFree(state.recordLock)) return [];
  const locked = moved(state, name, { at: next }, { recordLock: name });
  return [{ what: `${name} locks the record`, isFault: false, next: locked }];
}

/** Lets go of the record, if this actor has it. */
const freed = (state: State, name: ActorName): Partial<State> =>
  state.recordLock === name ? { recordLock: null } : {};

/** Where an actor goes when its action is done or refused. */
const HOME = 'look';

function eventOf(state: State, todo: number): { event: RecordEvent; writer: Writer } | null {
  const action = actionAt(todo);
  const { restarts } = recordAt(state.record.seen);
  const end = { type: 'end', exitCode: null, signal: null } as const;
  switch (action.type) {
    case 'settle':
      return { event: { ...end, status: action.status, reason: action.reason }, writer: 'settler' };
    case 'end':
      return {
        event: { ...end, status: action.status, reason: action.reason, signal: 'SIGKILL' },
        writer: 'settler',
      };
    case 'requeue':
      return { event: { type: 'requeue', restarts: action.restarts, reason: null }, writer: 'orchestrator' };
    case 'hold':
      return { event: { type: 'requeue', restarts, reason: action.reason }, writer: 'orchestrator' };
    default:
      return null;
  }
}

/** `isProvedDead` of act.ts. */
function isProvedDead(state: State, setup: Setup): boolean {
  const record = recordAt(state.record.seen);
  if (!isAliveState(record)) {
    const waits = record.status === 'pending' || record.status === 'crashed';
    return (
      waits && (setup.without === 'stop word under the lock' || isAsked(state.stop.seen, state.record.seen))
    );
  }
  return livenessOf(state, state.record.seen, setup) === 'dead';
}

function writeSteps(state: State, name: ActorName, setup: Setup): Step<State>[] {
  const { seen, todo } = state.actors[name];
  const change = eventOf(state, todo);
  if (change === null) return [];
  const isBlind = setup.without === 're-read';
  const before = isBlind ? seen : state.record.seen;
  const same =
    hasLease(before, leaseAt(seen)) &&
    recordAt(before).status === recordAt(seen).status &&
    (change.writer !== 'settler' || isBlind || isProvedDead(state, setup));
  if (!same) {
    return [
      {
        what: `${name} finds that the record has changed`,
        isFault: false,
        next: rested(state, name, HOME, freed(state, name)),
      },
    ];
  }
  const after = follower(before, change.event, change.writer);
  const next = written(state, after, { ...change, lease: leaseAt(seen) }, setup);
  const what = `${name} writes ${recordAt(after).status} over ${recordAt(state.record.seen).status}`;
  return [{ what, isFault: false, next: moved(next, name, { at: 'sync' }) }];
}

/** What each action begins with. */
export function entryOf(todo: number, setup: Setup): string {
  switch (actionAt(todo).type) {
    case 'kill':
      return 'sweep';
    case 'end':
      return 'kill';
    case 'launch':
      return setup.without === 'stop word under the lock' ? 'launch: word' : 'launch: lock';
    case 'remove':
      return setup.without === 'removal under the lock' ? 'remove: look' : 'remove: lock';
    default:
      return 'lock';
  }
}

/** Kills the worker that the record names, with its tools: whoever is judged to be it. */
function killSteps(state: State, name: ActorName, setup: Setup): Step<State>[] {
  const { seen } = state.actors[name];
  const number = recordAt(seen).pid ?? 0;
  const isStranger = livenessOf(state, seen, setup) === 'alive' && state.stranger === number;
  const workers = state.workers.filter((worker) => worker.number !== number);
  const orphan = state.orphan === number ? 0 : state.orphan;
  const recordLock = state.recordLock === number ? 'dead' : state.recordLock;
  const fault = isStranger ? 'a stranger was killed' : state.fault;
  const next = moved(state, name, { at: 'lock' }, { workers, orphan, recordLock, fault });
  return [{ what: `${name} kills worker ${number} and all that it runs`, isFault: false, next }];
}

function removeSteps(state: State, name: ActorName, setup: Setup): Step<State>[] {
  const { at, seen } = state.actors[name];
  const home = (more: Partial<State>): State => rested(state, name, HOME, more);
  if (at === 'remove: lock') return lockSteps(state, name, 'remove: look', setup);
  if (at === 'remove: look') {
    const same = state.record.seen === seen;
    const next = same ? moved(state, name, { at: 'remove: unlink' }) : home(freed(state, name));
    return [{ what: `${name} reads the record again before it removes the stop word`, isFault: false, next }];
  }
  const record = recordAt(state.record.seen);
  const isWanted =
    state.stop.seen !== 0 && isAliveState(record) && isAsked(state.stop.seen, state.record.seen);
  const fault = isWanted ? 'the stop word of a live attempt was removed' : state.fault;
  const next = home({ ...freed(state, name), stop: { seen: 0, kept: state.stop.kept }, fault });
  return [{ what: `${name} removes the stop word`, isFault: false, next }];
}

/** `launchWorker`: gate, record, byte. */
function launchSteps(state: State, name: ActorName, setup: Setup): Step<State>[] {
  const { at, seen, child } = state.actors[name];
  const step = (what: string, next: State): Step<State>[] => [
    { what: `${name} ${what}`, isFault: false, next },
  ];
  const refuse = (what: string): Step<State>[] => step(what, rested(state, name, HOME, freed(state, name)));
  const { record } = state;
  switch (at) {
    case 'launch: word':
      if (isAsked(state.stop.seen, seen)) return refuse('sees the stop word');
      return step('sees no stop word', moved(state, name, { at: 'launch: lock' }));
    case 'launch: lock':
      return lockSteps(state, name, 'launch: read', setup);
    case 'launch: read': {
      const isBlind = setup.without === 're-read';
      if (!isBlind && (!hasLease(record.seen, leaseAt(seen)) || recordAt(record.seen).status !== 'pending'))
        return refuse('finds that the record is not pending any more');
      if (setup.without !== 'stop word under the lock' && isAsked(state.stop.seen, record.seen))
        return refuse('finds a stop word');
      if (state.workers.length > 0 || state.orphan !== 0) return refuse('finds somebody alive');
      return step('finds the record pending and nobody alive', moved(state, name, { at: 'launch: spawn' }));
    }
    case 'launch: spawn': {
      const number = state.spawned + 1;
      const attempt = recordAt(setup.without === 're-read' ? seen : record.seen).attempt + 1;
      const worker: Worker = {
        number,
        attempt,
        at: 'gated',
        by: name,
        seen: -1,
        gotTerm: false,
        word: 'completed',
      };
      const made = { ...state, spawned: number, workers: [...state.workers, worker] };
      const next = setup.without === 'gate' ? begun(made, worker) : made;
      return step(
        `starts worker ${number} for attempt ${attempt}`,
        moved(next, name, { at: 'launch: write', child: number }),
      );
    }
    case 'launch: write': {
      const attempt = recordAt(setup.without === 're-read' ? seen : record.seen).attempt + 1;
      const event = {
        type: 'start',
        pid: child,
        identity: identityOf(tokenOf(child)),
        attempt,
        containment: 'none',
      } as const;
      const before = setup.without === 're-read' ? seen : record.seen;
      const isLegal = recordAt(before).status === 'pending';
      if (!isLegal) return refuse('finds that the record is not pending any more');
      const after = follower(before, event, 'orchestrator');
      const next = written(state, after, { lease: { attempt }, writer: 'orchestrator', event }, setup);
      return step(
        `writes starting, attempt ${attempt}, worker ${child}`,
        moved(next, name, { at: 'launch: open' }),
      );
    }
    case 'launch: open': {
      // A crash between the two leaves what a crash before both does: a closed gate.
      const { recordLock: _, ...kept } = synced(state, setup);
      const next = opened({ ...state, ...kept }, child);
      return step(
        `syncs, opens the gate of worker ${child} and unlocks`,
        rested(next, name, HOME, freed(state, name)),
      );
    }
    default:
      return [];
  }
}

/** Lets a worker run: from here on it is past the gate. */
function begun(state: State, worker: Worker): State {
  const others = state.workers.filter(({ number }) => number !== worker.number);
  const fault =
    worker.attempt <= state.begun
      ? `attempt ${worker.attempt} has begun twice`
      : state.orphan !== 0
        ? 'a worker began beside a tool of an earlier one'
        : state.fault;
  const running = { ...worker, at: 'lock', by: null, seen: state.record.seen };
  const workers = [...others, running].sort((a, b) => a.number - b.number);
  return { ...state, workers, begun: Math.max(state.begun, worker.attempt), fault };
}

function opened(state: State, child: number): State {
  const worker = state.workers.find(({ number }) => number === child);
  return worker === undefined || worker.at !== 'gated' ? state : begun(state, worker);
}

/** The steps of an action, for orchestrators and persons alike. */
export function actSteps(state: State, name: ActorName, setup: Setup): Step<State>[] {
  const { at } = state.actors[name];
  if (at.startsWith('launch')) return launchSteps(state, name, setup);
  if (at.startsWith('remove')) return removeSteps(state, name, setup);
  switch (at) {
    case 'sweep': {
      const next = rested(state, name, HOME, { orphan: 0 });
      return [{ what: `${name} kills the tool that outlived its worker`, isFault: false, next }];
    }
    case 'kill':
      return killSteps(state, name, setup);
    case 'lock':
      return lockSteps(state, name, 'write', setup);
    case 'write':
      return writeSteps(state, name, setup);
    case 'sync':
      return [
        {
          what: `${name} syncs and unlocks`,
          isFault: false,
          next: rested(state, name, HOME, synced(state, setup)),
        },
      ];
    default:
      return [];
  }
}
