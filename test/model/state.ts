import { isFinal } from '../../lib/protocol/status.ts';
import { FIRST_RECORD, type OnDisk, recordAt } from './disk.ts';

/**
 * The protocol of one workstream as plain data: what is on disk, and where each process stands. Any process may
 * stand still between two steps for as long as it likes (SIGSTOP, a slow disk), and may die there.
 */

/** `launcher` is `orch launch`; `person` is `orch stop` or `orch retry`. */
export const ACTORS = ['A', 'B', 'launcher', 'person'] as const;
export type ActorName = (typeof ACTORS)[number];

/** `seen`: the record that it decides on. `todo`: the number of its action. `child`: the worker that it starts. */
export type Actor = {
  readonly at: string;
  readonly seen: number;
  readonly todo: number;
  readonly child: number;
  readonly resigned: boolean;
};

/** `by`: whose pipe keeps its gate closed, null once that is broken. `number` stands for its PID and its token. */
export type Worker = {
  readonly number: number;
  readonly attempt: number;
  readonly at: string;
  readonly by: ActorName | null;
  readonly seen: number;
  readonly gotTerm: boolean;
  readonly word: 'completed' | 'stopped' | 'crashed';
};

/** Who holds a lock: `dead` is a holder whose death is proved. Null: nobody. */
export type Holder = ActorName | number | 'dead' | null;

export type State = {
  readonly record: OnDisk;
  /** The attempt that a person's stop means, plus 1; 0: no stop. */
  readonly stop: OnDisk;
  /** The live process that `_orchestrator.json` names. */
  readonly chief: ActorName | null;
  readonly recordLock: Holder;
  readonly roleLock: Holder;
  readonly actors: Readonly<Record<ActorName, Actor>>;
  /** Live ones. */
  readonly workers: readonly Worker[];
  /** The worker whose tool outlived it; 0: none. */
  readonly orphan: number;
  /** The dead worker whose PID and start time a stranger has by now; 0: none. */
  readonly stranger: number;
  readonly spawned: number;
  /** The highest attempt that ever passed its gate. */
  readonly begun: number;
  readonly crashes: number;
  /** How many of the person's commands were given. */
  readonly said: number;
  /** What the last stop or retry of the person came to. */
  readonly done: 'stop' | 'retry' | null;
  /** The guarantee that the last step broke. */
  readonly fault: string | null;
};

/** A step of the protocol that can be left out, to see that it is needed. */
export type Part =
  | 'gate'
  | 'token'
  | 'record lock'
  | 'role lock'
  | 're-read'
  | 'fsync'
  | 'word before PID file'
  | 'last look'
  | 'stop word under the lock'
  | 'old stop word'
  | 'removal under the lock';

export type Setup = {
  commands: readonly ('stop' | 'retry')[];
  restart: number;
  crashesMax: number;
  /** Begins with `orch launch`; else with an orchestrator at work. */
  launch: boolean;
  /** B is `orch reap`: it cleans up beside the orchestrator, without the role. */
  reaper: boolean;
  without: Part | null;
};

export const IDLE: Actor = { at: 'off', seen: -1, todo: -1, child: 0, resigned: false };

export function firstState({ launch, reaper }: Setup): State {
  const roles = launch ? { chief: null, roleLock: null } : ({ chief: 'A', roleLock: 'A' } as const);
  return {
    record: { seen: FIRST_RECORD, kept: FIRST_RECORD },
    stop: { seen: 0, kept: 0 },
    ...roles,
    recordLock: null,
    actors: {
      A: launch ? IDLE : { ...IDLE, at: 'look' },
      B: reaper ? { ...IDLE, at: 'look' } : IDLE,
      launcher: launch ? { ...IDLE, at: 'take' } : IDLE,
      person: IDLE,
    },
    workers: [],
    orphan: 0,
    stranger: 0,
    spawned: 0,
    begun: 0,
    crashes: 0,
    said: 0,
    done: null,
    fault: null,
  };
}

const keyOfActor = ({ at, seen, todo, child, resigned }: Actor): string =>
  at === 'off' ? '-' : `${at},${seen},${todo},${child},${resigned ? 1 : 0}`;

const SWAPPED: ReadonlyMap<unknown, string> = new Map([
  ['A', 'B'],
  ['B', 'A'],
]);

/** Orchestrators run the same program: a state and the one with both changed places are one, unless A is an heir. */
export function keyOf(state: State, setup: Setup): string {
  const { record, stop, actors, workers, recordLock, roleLock, chief } = state;
  const a = keyOfActor(actors.A);
  const b = keyOfActor(actors.B);
  const isSwapped = a < b && actors.launcher.at === 'off' && !setup.reaper;
  const named = (holder: Holder): Holder | string => (isSwapped ? (SWAPPED.get(holder) ?? holder) : holder);
  const keyOfWorker = ({ number, attempt, at, by, seen, gotTerm, word }: Worker): string =>
    `${number},${attempt},${at},${named(by)},${seen},${gotTerm ? 1 : 0},${word}`;
  const others = `${keyOfActor(actors.launcher)};${keyOfActor(actors.person)};${workers.map(keyOfWorker).join('+')}`;
  const processes = isSwapped ? `${b};${a};${others}` : `${a};${b};${others}`;
  const files = `${record.seen},${record.kept},${stop.seen},${stop.kept},${named(chief)},${named(recordLock)},${named(roleLock)}`;
  return `${processes};${files};${state.orphan},${state.stranger},${state.spawned},${state.begun},${state.crashes},${state.said},${state.done},${state.fault}`;
}

export const isOver = (state: State, { restart }: Setup): boolean =>
  isFinal(recordAt(state.record.seen), restart);

/** A change of one actor. */
export function moved(
  state: State,
  name: ActorName,
  change: Partial<Actor>,
  more: Partial<State> = {},
): State {
  return { ...state, ...more, actors: { ...state.actors, [name]: { ...state.actors[name], ...change } } };
}

/** An orchestrator that may be started. */
export const startable = (state: State, setup: Setup): 'A' | 'B' | undefined =>
  (setup.reaper ? (['A'] as const) : (['A', 'B'] as const)).find((name) => state.actors[name].at === 'off');

/** Back to where nothing is in hand. */
export const rested = (state: State, name: ActorName, at: string, more: Partial<State> = {}): State =>
  moved(state, name, { at, seen: -1, todo: -1, child: 0 }, more);

export const isFree = (holder: Holder): boolean => holder === null || holder === 'dead';
