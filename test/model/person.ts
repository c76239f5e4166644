import { isAliveState, isFinal, isSuccess } from '../../lib/protocol/status.ts';
import { actSteps, lockSteps, synced, written } from './act.ts';
import { follower, recordAt } from './disk.ts';
import { actionNumber, hasLease, leaseAt, livenessOf } from './judge.ts';
import type { Step } from './search.ts';
import { isOver, moved, rested, type Setup, type State, startable } from './state.ts';

/** A person's commands, one after the other: `orch stop` and `orch retry`. */

const NAME = 'person';
const reason = { code: 'stopped', message: 'a person stopped it', hint: null };
const END = { type: 'end', status: 'stopped', reason } as const;

const step = (what: string, next: State): Step<State>[] => [{ what: `person ${what}`, isFault: false, next }];
const at = (state: State, place: string, more: Partial<State> = {}): State =>
  moved(state, NAME, { at: place }, more);
const unlocked = (state: State): Partial<State> => (state.recordLock === NAME ? { recordLock: null } : {});

/** The command is over; the next one may be given. */
const over = (state: State, more: Partial<State> = {}): State =>
  rested(state, NAME, 'off', { said: state.said + 1, ...more });

/** A reader may see a record whose folder is not synced yet, which a power cut takes back: its word is worth that. */
const told = ({ record, done }: State): Partial<State> => ({
  done: record.seen === record.kept ? 'stop' : done,
});

function begin(state: State, setup: Setup): Step<State>[] {
  const command = setup.commands[state.said];
  if (command === undefined) return [];
  return step(`gives the command ${command}`, at(state, command === 'stop' ? 'look' : 'retry'));
}

/** The record under the lock is still the one that was looked at. */
function isSame(state: State): boolean {
  const { seen } = state.actors.person;
  const before = recordAt(seen);
  return hasLease(state.record.seen, leaseAt(seen)) && recordAt(state.record.seen).status === before.status;
}

function stopSteps(state: State, setup: Setup): Step<State>[] {
  const { seen } = state.actors.person;
  const again = (): Step<State>[] => step('looks again', rested(state, NAME, 'look', unlocked(state)));
  const { record } = state;
  switch (state.actors.person.at) {
    case 'look': {
      if (isFinal(recordAt(record.seen), setup.restart))
        return step('sees that it has ended', over(state, told(state)));
      return step('reads the record', moved(state, NAME, { at: 'ask: lock', seen: record.seen }));
    }
    case 'ask: lock':
      return lockSteps(state, NAME, 'ask: read', setup);
    case 'ask: read': {
      if (setup.without !== 're-read' && !isSame(state)) return again();
      const stop = { seen: recordAt(record.seen).attempt + 1, kept: state.stop.kept };
      return step('writes the stop word', at(state, 'ask: sync', { stop, done: null }));
    }
    case 'ask: sync':
      return step(
        'syncs it and unlocks',
        at(state, isAliveState(recordAt(seen)) ? 'signal' : 'end: lock', synced(state, setup)),
      );
    case 'signal': {
      if (livenessOf(state, seen, setup) !== 'alive') return settle(state);
      const number = recordAt(seen).pid;
      if (state.stranger === number) return step('signals', { ...state, fault: 'a stranger was signalled' });
      const workers = state.workers.map((one) => (one.number === number ? { ...one, gotTerm: true } : one));
      return step(`sends SIGTERM to worker ${number}`, at(state, 'wait', { workers }));
    }
    case 'wait': {
      if (livenessOf(state, seen, setup) === 'alive')
        return step(
          'loses patience',
          moved(state, NAME, { at: 'kill', todo: actionNumber({ ...END, id: 'WS-001' }) }),
        );
      const isEnded = !isSame(state) && !isAliveState(recordAt(record.seen));
      return isEnded ? step('sees that it has ended', over(state, told(state))) : settle(state);
    }
    case 'end: lock':
      return lockSteps(state, NAME, 'end: write', setup);
    case 'end: write': {
      if (!isSame(state)) return again();
      const event = { ...END, exitCode: null, signal: null };
      const after = follower(record.seen, event, 'person');
      const next = written(state, after, { lease: leaseAt(seen), writer: 'person', event }, setup);
      return step('writes stopped', at(next, 'sync'));
    }
    default:
      return actSteps(state, NAME, setup);
  }
}

/** It died without a last word: it is settled as stopped. */
const settle = (state: State): Step<State>[] =>
  step('finds it dead', moved(state, NAME, { at: 'lock', todo: actionNumber({ ...END, id: 'WS-001' }) }));

/** True if `orch retry` takes it: nothing of it lives, and it did not complete. */
function isRetryable(state: State): boolean {
  const record = recordAt(state.record.seen);
  return !isAliveState(record) && !isSuccess(record) && state.workers.length === 0;
}

function retrySteps(state: State, setup: Setup): Step<State>[] {
  const { seen } = state.actors.person;
  const { record } = state;
  switch (state.actors.person.at) {
    case 'retry': {
      if (!isRetryable(state)) return step('is refused', over(state));
      return step('reads the record', moved(state, NAME, { at: 'retry: kill', seen: record.seen }));
    }
    case 'retry: kill':
      return step('kills what is left of it', at(state, 'retry: lock', { orphan: 0 }));
    case 'retry: lock':
      return lockSteps(
        state,
        NAME,
        setup.without === 'old stop word' ? 'retry: write' : 'retry: unlink',
        setup,
      );
    case 'retry: unlink':
      if (!isSame(state)) return step('is refused', over(state, unlocked(state)));
      return step(
        'removes the old stop word and syncs',
        at(state, 'retry: write', { stop: { seen: 0, kept: 0 } }),
      );
    case 'retry: write': {
      if (setup.without !== 're-read' && !isSame(state))
        return step('is refused', over(state, unlocked(state)));
      const event = { type: 'requeue', restarts: 0, reason: null } as const;
      const after = follower(seen, event, 'person');
      const next = written(state, after, { lease: leaseAt(seen), writer: 'person', event }, setup);
      return step('writes pending', at(next, 'retry: sync', { done: 'retry' }));
    }
    case 'retry: sync':
      return step('syncs and unlocks', at(state, 'retry: ensure', synced(state, setup)));
    default: {
      if (state.chief !== null) return step('sees that somebody orchestrates', over(state));
      const name = startable(state, setup);
      if (name === undefined) return [];
      return step(`starts ${name}`, over(moved(state, name, { at: 'take' })));
    }
  }
}

export function personSteps(state: State, setup: Setup): Step<State>[] {
  const place = state.actors.person.at;
  if (place === 'off') return begin(state, setup);
  return setup.commands[state.said] === 'stop' ? stopSteps(state, setup) : retrySteps(state, setup);
}

/** Nobody is left, and yet there is work that somebody was told would be done. */
export function isAbandoned(state: State, setup: Setup): boolean {
  const { actors, workers, crashes, done } = state;
  const isQuiet = Object.values(actors).every((actor) => actor.at === 'off') && workers.length === 0;
  return isQuiet && crashes === 0 && done === 'retry' && !isOver(state, setup);
}
