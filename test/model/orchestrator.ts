import { actSteps, entryOf } from './act.ts';
import { recordAt } from './disk.ts';
import { actionAt, decided } from './judge.ts';
import type { Step } from './search.ts';
import { type ActorName, isFree, isOver, moved, rested, type Setup, type State, startable } from './state.ts';

/** The role: take, announce, bequeath, resign; and the loop of whoever has it. */

type Orchestrator = 'A' | 'B';

/** What `orch reap` does: see reap.ts. */
const CLEANUP: ReadonlySet<string> = new Set(['kill', 'settle', 'remove']);

const OUTSIDE = new Set(['off', 'gated', 'take', 'announce']);

/** True while this process acts as the orchestrator. */
export const isActing = (state: State, name: Orchestrator): boolean => !OUTSIDE.has(state.actors[name].at);

const gone = (state: State, name: ActorName): State => {
  const roleLock = state.roleLock === name ? null : state.roleLock;
  const chief = state.chief === name ? null : state.chief;
  return rested(state, name, 'off', { roleLock, chief });
};

/** Under the lock it reads who orchestrates, and gives the lock back if somebody else does. */
function claim(state: State, name: ActorName, more: Partial<State>): State {
  const isTaken = state.chief !== null && state.chief !== name;
  if (isTaken) return gone({ ...state, ...more }, name);
  return moved(state, name, { at: name === 'launcher' ? 'heir' : 'announce' }, more);
}

function take(state: State, name: ActorName, setup: Setup): Step<State>[] {
  const step = (what: string, next: State): Step<State> => ({
    what: `${name} ${what}`,
    isFault: false,
    next,
  });
  if (setup.without === 'role lock') return [step('takes no lock', claim(state, name, {}))];
  if (isFree(state.roleLock)) {
    return [step('takes the role’s lock and reads who orchestrates', claim(state, name, { roleLock: name }))];
  }
  // An heir waits for as long as it takes: others were told that it orchestrates.
  if (state.chief === name || state.crashes >= setup.crashesMax) return [];
  // Only where its holder stands still for 30 s.
  const next = gone({ ...state, crashes: state.crashes + 1 }, name);
  return [{ what: `${name} waits in vain for the role and ends`, isFault: true, next }];
}

/** `observe` reads the record, then the processes; `decide` says what is due, now or once all bounds have passed. */
function scan(state: State, name: Orchestrator, setup: Setup): Step<State>[] {
  const isReaper = setup.reaper && name === 'B';
  const { seen, resigned } = state.actors[name];
  const now = decided(state, seen, setup, false);
  const later = decided(state, seen, setup, true);
  const due = [...new Set([...now.todo, ...later.todo])];
  const mine = isReaper ? due.filter((todo) => CLEANUP.has(actionAt(todo).type)) : due;
  const steps = mine.map((todo): Step<State> => {
    const action = actionAt(todo);
    const what = `${name} decides to ${action.type}${'status' in action ? ` as ${action.status}` : ''}`;
    return { what, isFault: false, next: moved(state, name, { at: entryOf(todo, setup), todo, child: 0 }) };
  });
  if (isReaper && steps.length === 0) {
    return [{ what: `${name} is done`, isFault: false, next: rested(state, name, 'off') }];
  }
  if (isReaper || now.todo.length > 0) return steps;
  const step = (what: string, next: State): Step<State> => ({
    what: `${name} ${what}`,
    isFault: false,
    next,
  });
  if (now.open && resigned) return [step('takes its resignation back', rested(state, name, 'announce'))];
  if (now.open) return [...steps, step('waits', rested(state, name, 'look'))];
  if (resigned || setup.without === 'last look') return [step('leaves', gone(state, name))];
  return [step('resigns', moved(rested(state, name, 'look'), name, { resigned: true }, { chief: null }))];
}

function orchestratorSteps(state: State, name: Orchestrator, setup: Setup): Step<State>[] {
  const { at } = state.actors[name];
  const { launcher } = state.actors;
  const step = (what: string, next: State): Step<State>[] => [
    { what: `${name} ${what}`, isFault: false, next },
  ];
  switch (at) {
    case 'off':
      return [];
    case 'gated':
      return launcher.at === 'off' ? step('finds its gate closed and exits', gone(state, name)) : [];
    case 'take':
      return take(state, name, setup);
    case 'announce':
      return step('writes its name', moved(state, name, { at: 'look', resigned: false }, { chief: name }));
    case 'look':
      return step('reads the record', moved(state, name, { at: 'scan', seen: state.record.seen }));
    case 'scan':
      return scan(state, name, setup);
    default:
      return actSteps(state, name, setup);
  }
}

/** `orch launch` after the plan was written: it starts an heir behind a gate and names it before it lets go. */
function launcherSteps(state: State, setup: Setup): Step<State>[] {
  const step = (what: string, next: State): Step<State>[] => [
    { what: `launcher ${what}`, isFault: false, next },
  ];
  switch (state.actors.launcher.at) {
    case 'off':
      return [];
    case 'take':
      return take(state, 'launcher', setup);
    case 'heir': {
      if (state.actors.A.at !== 'off') return step('has nobody to start', gone(state, 'launcher'));
      return step(
        'starts A behind a gate',
        moved(moved(state, 'A', { at: 'gated' }), 'launcher', { at: 'name' }),
      );
    }
    case 'name': {
      const chief = state.actors.A.at === 'gated' ? 'A' : state.chief;
      return step('names A as the orchestrator', moved(state, 'launcher', { at: 'open' }, { chief }));
    }
    case 'open': {
      const opened = state.actors.A.at === 'gated' ? moved(state, 'A', { at: 'take' }) : state;
      return step('opens the gate of A', moved(opened, 'launcher', { at: 'leave' }));
    }
    case 'leave':
      return step('gives the role’s lock back', gone(state, 'launcher'));
    default:
      throw new Error(`the launcher at ${state.actors.launcher.at}`);
  }
}

/** `orch reattach`: starts an orchestrator where the file names none that lives. */
function reattach(state: State, setup: Setup): Step<State>[] {
  const isDue = state.chief === null && (!isOver(state, setup) || state.orphan !== 0);
  if (!isDue || state.actors.launcher.at !== 'off') return [];
  const name = startable(state, setup);
  if (name === undefined) return [];
  const status = recordAt(state.record.seen).status;
  const next = moved(state, name, { at: 'take' });
  return [{ what: `a person reattaches (${status}): ${name} is started`, isFault: false, next }];
}

export const roleSteps = (state: State, setup: Setup): Step<State>[] => [
  ...orchestratorSteps(state, 'A', setup),
  ...orchestratorSteps(state, 'B', setup),
  ...launcherSteps(state, setup),
  ...reattach(state, setup),
];
