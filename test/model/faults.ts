import type { Step } from './search.ts';
import { ACTORS, type ActorName, IDLE, moved, type Setup, type State, type Worker } from './state.ts';

/** What may happen to any process at any step: death, a power cut, and its number in a stranger's hands. */

function dead(state: State, name: ActorName): State {
  const recordLock = state.recordLock === name ? 'dead' : state.recordLock;
  const roleLock = state.roleLock === name ? 'dead' : state.roleLock;
  const chief = state.chief === name ? null : state.chief;
  // Its end of the pipe is closed by the kernel.
  const workers = state.workers.map((worker) => (worker.by === name ? { ...worker, by: null } : worker));
  const said = name === 'person' ? state.said + 1 : state.said;
  return moved({ ...state, recordLock, roleLock, chief, workers, said }, name, IDLE);
}

function kills(state: State): Step<State>[] {
  const crashes = state.crashes + 1;
  const steps: Step<State>[] = [];
  for (const name of ACTORS) {
    if (state.actors[name].at === 'off') continue;
    steps.push({ what: `${name} is killed`, isFault: true, next: { ...dead(state, name), crashes } });
  }
  for (const worker of state.workers) {
    const killed = { ...withoutWorker(state, worker), crashes };
    steps.push({ what: `worker ${worker.number} is killed`, isFault: true, next: killed });
    if (worker.at !== 'work' || state.orphan !== 0) continue;
    const left = { ...killed, orphan: worker.number };
    steps.push({ what: `worker ${worker.number} is killed, its tool lives on`, isFault: true, next: left });
  }
  return steps;
}

function withoutWorker(state: State, worker: Worker): State {
  const recordLock = state.recordLock === worker.number ? 'dead' : state.recordLock;
  return { ...state, recordLock, workers: state.workers.filter((one) => one !== worker) };
}

/** Everybody dies at once; of what was not synced, the old text or the new one is found afterwards. */
function powerCuts(state: State): Step<State>[] {
  const { record, stop } = state;
  let after: State = { ...state, workers: [], orphan: 0, stranger: 0, crashes: state.crashes + 1 };
  for (const name of ACTORS) if (after.actors[name].at !== 'off') after = dead(after, name);
  if (typeof after.recordLock === 'number') after = { ...after, recordLock: 'dead' };
  const steps: Step<State>[] = [];
  for (const found of new Set([record.seen, record.kept])) {
    for (const word of new Set([stop.seen, stop.kept])) {
      const next = { ...after, record: { seen: found, kept: found }, stop: { seen: word, kept: word } };
      const what = found === record.seen ? 'the power is cut' : 'the power is cut; the last record is lost';
      steps.push({ what, isFault: true, next });
    }
  }
  return steps;
}

/** One more of the faults that a search may meet. The kernel gives the number of a dead worker to somebody else, within the same tick. */
function strangers(state: State, recorded: number | null): Step<State>[] {
  const isGone = recorded !== null && !state.workers.some(({ number }) => number === recorded);
  if (!isGone || state.stranger !== 0) return [];
  return [
    {
      what: `a stranger gets the PID of worker ${recorded}`,
      isFault: true,
      next: { ...state, stranger: recorded, crashes: state.crashes + 1 },
    },
  ];
}

export function faultSteps(state: State, recorded: number | null, setup: Setup): Step<State>[] {
  if (state.crashes === setup.crashesMax) return [];
  return [...strangers(state, recorded), ...kills(state), ...powerCuts(state)];
}
