import { isAliveState } from '../../lib/protocol/status.ts';
import { recordAt } from './disk.ts';
import { faultSteps } from './faults.ts';
import { isActing, roleSteps } from './orchestrator.ts';
import { isAbandoned, personSteps } from './person.ts';
import type { Machine } from './search.ts';
import { firstState, isOver, keyOf, type Setup, type State } from './state.ts';
import { workerSteps } from './worker.ts';

/** The protocol of one workstream, and the guarantees that must hold in each of its states. */

function broken(state: State, setup: Setup): string | null {
  if (state.fault !== null) return state.fault;
  const { workers, record, done } = state;
  const past = workers.filter(({ at }) => at !== 'gated');
  if (past.length > 1) return 'two workers are past the gate at once';
  const { pid, status, attempt } = recordAt(record.seen);
  if (past.some(({ number }) => number !== pid)) return 'a worker is at work that no record names';
  if (!setup.reaper && isActing(state, 'A') && isActing(state, 'B')) return 'two orchestrators act at once';
  if (done === 'stop' && (isAliveState(recordAt(record.seen)) || status === 'pending'))
    return `a person stopped it, and it is ${status}`;
  const isOrdered = setup.without !== 'word before PID file';
  const isRemoved = past.some(({ at }) => at === 'unlink stop' || (at === 'lock again' && !isOrdered));
  if (isRemoved && isAliveState(recordAt(record.kept)))
    return `its PID file is gone, and attempt ${attempt} has no last word`;
  return isAbandoned(state, setup) ? 'work is left, and nobody will do it' : null;
}

export function protocolMachine(setup: Setup): Machine<State> {
  return {
    initial: [firstState(setup)],
    key: (state) => keyOf(state, setup),
    broken: (state) => broken(state, setup),
    isGoal: (state) => isOver(state, setup) && state.workers.length === 0 && state.orphan === 0,
    steps: (state) => [
      ...roleSteps(state, setup),
      ...personSteps(state, setup),
      ...state.workers.flatMap((worker) => workerSteps(state, worker, setup)),
      ...faultSteps(state, recordAt(state.record.seen).pid, setup),
    ],
  };
}
