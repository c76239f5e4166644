import type { Machine, Step } from './search.ts';

/**
 * The lock of lib/store/lock.ts, call by call: a folder that holds one file, whose name tells who holds it. Each
 * contender may die between any two calls; who is dead can be proved.
 */

const CONTENDERS = ['A', 'B', 'C'] as const;
type Name = (typeof CONTENDERS)[number];

/** `mark`: whose file it has read the name of. */
type Contender = { readonly at: string; readonly mark: Name | null };

/** `folder`: the names in the lock's folder; null: there is no folder. */
export type LockState = {
  readonly folder: readonly Name[] | null;
  readonly contenders: Readonly<Record<Name, Contender>>;
  readonly crashes: number;
};

export type LockPart = 'rename refuses a full folder' | 'unlink of that name' | 'proof of death';
export type LockSetup = { crashesMax: number; without: LockPart | null };

const isDead = (state: LockState, name: Name): boolean => state.contenders[name].at === 'dead';

function put(
  state: LockState,
  name: Name,
  at: string,
  more: Partial<LockState> = {},
  mark: Name | null = null,
) {
  return { ...state, ...more, contenders: { ...state.contenders, [name]: { at, mark } } };
}

/** Rename of the folder made aside onto the lock: onto nothing or an empty folder. */
function take(state: LockState, name: Name, { without }: LockSetup): Step<LockState> {
  const isFull = state.folder !== null && state.folder.length > 0;
  if (isFull && without !== 'rename refuses a full folder')
    return { what: `${name} finds the folder full`, isFault: false, next: put(state, name, 'read') };
  const next = put(state, name, 'holds', { folder: [name] });
  return { what: `${name} renames its folder onto the lock`, isFault: false, next };
}

function unlinkDead(state: LockState, name: Name, mark: Name, { without }: LockSetup): Step<LockState> {
  const isBlunt = without === 'unlink of that name';
  const folder = state.folder === null ? null : isBlunt ? [] : state.folder.filter((one) => one !== mark);
  return {
    what: `${name} unlinks what ${mark} left`,
    isFault: false,
    next: put(state, name, 'take', { folder }),
  };
}

function stepsOf(state: LockState, name: Name, setup: LockSetup): Step<LockState>[] {
  const { at, mark } = state.contenders[name];
  const step = (what: string, next: LockState): Step<LockState>[] => [
    { what: `${name} ${what}`, isFault: false, next },
  ];
  switch (at) {
    case 'take':
      return [take(state, name, setup)];
    case 'read': {
      const [owner = null] = state.folder ?? [];
      if (owner === null) return step('finds it empty', put(state, name, 'take'));
      const isOver = isDead(state, owner) || setup.without === 'proof of death';
      if (!isOver) return step(`finds ${owner} alive`, put(state, name, 'take'));
      return step(`finds ${owner} dead`, put(state, name, 'break', {}, owner));
    }
    case 'break':
      return mark === null ? [] : [unlinkDead(state, name, mark, setup)];
    case 'holds': {
      const folder = state.folder?.filter((one) => one !== name) ?? null;
      return step('unlinks its own file', put(state, name, 'leave', { folder }));
    }
    case 'leave': {
      const folder = state.folder?.length === 0 ? null : state.folder;
      return step('removes the folder if it is empty', put(state, name, 'done', { folder }));
    }
    default:
      return [];
  }
}

function crashesOf(state: LockState, { crashesMax }: LockSetup): Step<LockState>[] {
  if (state.crashes === crashesMax) return [];
  const living = CONTENDERS.filter((name) => !['dead', 'done'].includes(state.contenders[name].at));
  return living.map((name) => {
    const next = put(state, name, 'dead', { crashes: state.crashes + 1 });
    return { what: `${name} is killed`, isFault: true, next };
  });
}

const isOver = ({ contenders }: LockState): boolean =>
  CONTENDERS.every((name) => ['dead', 'done'].includes(contenders[name].at));

export function lockMachine(setup: LockSetup): Machine<LockState> {
  const first = { at: 'take', mark: null };
  return {
    initial: [{ folder: null, contenders: { A: first, B: first, C: first }, crashes: 0 }],
    key: ({ folder, contenders, crashes }) => {
      const places = CONTENDERS.map((name) => `${contenders[name].at}:${contenders[name].mark}`);
      return `${folder?.join('+') ?? 'none'};${places.join(';')};${crashes}`;
    },
    broken: ({ contenders }) => {
      const holders = CONTENDERS.filter((name) => contenders[name].at === 'holds');
      return holders.length > 1 ? `${holders.join(' and ')} hold the lock at once` : null;
    },
    isGoal: isOver,
    steps: (state) => [
      ...CONTENDERS.flatMap((name) => stepsOf(state, name, setup)),
      ...crashesOf(state, setup),
    ],
  };
}
