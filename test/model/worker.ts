import type { RecordEvent } from '../../lib/protocol/transitions.ts';
import { synced, written } from './act.ts';
import { follower, recordAt } from './disk.ts';
import { hasLease, isAsked, tokenOf } from './judge.ts';
import type { Step } from './search.ts';
import { isFree, type Setup, type State, type Worker } from './state.ts';

/** The life of a worker: gate, running, work, last word, and its small files away. */

const reason = { code: 'why', message: 'why', hint: null };
const WORDS = {
  completed: { type: 'complete', head: 'a'.repeat(40), reason: null },
  stopped: { type: 'end', status: 'stopped', exitCode: null, signal: null, reason },
  crashed: { type: 'end', status: 'crashed', exitCode: null, signal: 'SIGTERM', reason },
} as const satisfies Record<Worker['word'], RecordEvent>;

function changed(state: State, worker: Worker, change: Partial<Worker>, more: Partial<State> = {}): State {
  const workers = state.workers.map((one) => (one === worker ? { ...one, ...change } : one));
  return { ...state, ...more, workers };
}

function without(state: State, worker: Worker, more: Partial<State> = {}): State {
  return { ...state, ...more, workers: state.workers.filter((one) => one !== worker) };
}

/** Takes the lock, reads again, and writes under its lease; without it, ends without a word. */
function write(state: State, worker: Worker, event: RecordEvent, next: string, setup: Setup): Step<State>[] {
  const { number, attempt } = worker;
  const lease = { run: recordAt(0).run, attempt, token: tokenOf(number) };
  const isBlind = setup.without === 're-read';
  const step = (what: string, to: State): Step<State>[] => [
    { what: `worker ${number} ${what}`, isFault: false, next: to },
  ];
  if (!isBlind && !hasLease(state.record.seen, lease)) {
    const recordLock = state.recordLock === number ? null : state.recordLock;
    return step('finds the record to be another’s and ends', without(state, worker, { recordLock }));
  }
  const before = isBlind ? worker.seen : state.record.seen;
  const after = follower(before, event, 'worker');
  const onDisk = written(state, after, { lease, writer: 'worker', event }, setup);
  return step(`writes ${recordAt(after).status}`, changed(onDisk, worker, { at: next, seen: after }));
}

function lock(state: State, worker: Worker, next: string, setup: Setup): Step<State>[] {
  if (setup.without !== 'record lock' && !isFree(state.recordLock)) return [];
  const recordLock = setup.without === 'record lock' ? state.recordLock : worker.number;
  const to = changed(state, worker, { at: next }, { recordLock });
  return [{ what: `worker ${worker.number} locks the record`, isFault: false, next: to }];
}

function sync(state: State, worker: Worker, next: string, setup: Setup): Step<State>[] {
  const to = changed(state, worker, { at: next }, synced(state, setup));
  return [{ what: `worker ${worker.number} syncs and unlocks`, isFault: false, next: to }];
}

/** How the work may end: done, as a person asked, or by a stranger's SIGTERM. */
function work(state: State, worker: Worker, setup: Setup): Step<State>[] {
  const at = setup.without === 'word before PID file' ? 'unlink PID' : 'lock again';
  const isStopped = isAsked(state.stop.seen, worker.seen);
  const end = (word: Worker['word'], what: string): Step<State> => ({
    what: `worker ${worker.number} ${what}`,
    isFault: false,
    next: changed(state, worker, { at, word }),
  });
  if (isStopped) return [end('stopped', 'obeys the stop word'), end('completed', 'is done')];
  if (worker.gotTerm) return [end('crashed', 'ends of a signal that no word explains')];
  return [end('completed', 'is done')];
}

export function workerSteps(state: State, worker: Worker, setup: Setup): Step<State>[] {
  const { at, by, number } = worker;
  const isOrdered = setup.without !== 'word before PID file';
  const step = (what: string, to: State): Step<State>[] => [
    { what: `worker ${number} ${what}`, isFault: false, next: to },
  ];
  switch (at) {
    case 'gated':
      return by === null ? step('finds its gate closed and exits', without(state, worker)) : [];
    case 'lock':
      return lock(state, worker, 'run', setup);
    case 'run':
      return write(state, worker, { type: 'run' }, 'sync', setup);
    case 'sync':
      return sync(state, worker, 'PID file', setup);
    case 'PID file':
      return step('writes its PID file', changed(state, worker, { at: 'work' }));
    case 'work':
      return work(state, worker, setup);
    case 'lock again':
      return lock(state, worker, 'word', setup);
    case 'word':
      return write(state, worker, WORDS[worker.word], 'sync word', setup);
    case 'sync word':
      return sync(state, worker, isOrdered ? 'unlink PID' : 'unlink stop', setup);
    case 'unlink PID': {
      const next = isOrdered ? 'unlink stop' : 'lock again';
      return step('removes its PID file', changed(state, worker, { at: next }));
    }
    case 'unlink stop': {
      const stop = worker.word === 'stopped' ? { seen: 0, kept: state.stop.kept } : state.stop;
      return step('removes the stop word that it obeyed, and exits', without(state, worker, { stop }));
    }
    default:
      throw new Error(`a worker at ${at}`);
  }
}
