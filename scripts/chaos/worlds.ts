import { existsSync } from 'node:fs';
import type { Action } from '../../lib/proof/chaos/action.ts';
import { GENTLE } from '../../lib/proof/chaos/gentle.ts';
import { seedOf } from '../../lib/proof/chaos/seed.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { randomOf } from '../../lib/proof/random.ts';
import { sshMissing } from '../../test/rig/ssh.ts';
import { fakeClock, libfaketime, SET_CLOCK } from './clock.ts';
import { FILL_DISK, mountState, mountWhole } from './disk.ts';
import { failpointAt } from './failpoints.ts';
import { DELETE, GARBAGE } from './files.ts';
import { REUSE_PID } from './numbers.ts';
import { REBOOT } from './reboot.ts';
import { SSH_DROP, startSshd } from './ssh.ts';

/** What a round runs in: plain, or a machine with a peculiarity, which brings an action of its own. */
export type World = {
  weight: number;
  /** Namespaces of the round's own. */
  space: 'none' | 'mounts' | 'processes';
  prepare?: (stage: Stage) => void | Promise<void>;
  action?: Action;
  /** Why it cannot be had here, or null. */
  lack: () => string | null;
};

const isRoot = process.getuid?.() === 0;
const needsRoot = (): string | null => (isRoot ? null : 'it needs root');

export const WORLDS = {
  plain: { weight: 46, space: 'none', lack: () => null },
  'state-disk': { weight: 9, space: 'mounts', prepare: mountState, action: FILL_DISK, lack: needsRoot },
  'whole-disk': { weight: 9, space: 'mounts', prepare: mountWhole, action: FILL_DISK, lack: needsRoot },
  clock: {
    weight: 10,
    space: 'none',
    prepare: fakeClock,
    action: SET_CLOCK,
    lack: () => (libfaketime === null ? 'libfaketime is not installed' : null),
  },
  numbers: {
    weight: 14,
    space: 'processes',
    action: REUSE_PID,
    lack: () => needsRoot() ?? (existsSync('/proc/sys/kernel/ns_last_pid') ? null : 'no ns_last_pid'),
  },
  reboot: { weight: 8, space: 'processes', action: REBOOT, lack: needsRoot },
  ssh: { weight: 4, space: 'none', prepare: startSshd, action: SSH_DROP, lack: sshMissing },
} as const satisfies Record<string, World>;

export type WorldName = keyof typeof WORLDS;

export const WORLD_NAMES = Object.keys(WORLDS) as WorldName[];

export function worldOf(name: WorldName): World {
  return WORLDS[name];
}

/** Those of all worlds, then those that any world may have. */
const anywhere = (failpoints: readonly string[]): Action[] => [
  ...GENTLE,
  DELETE,
  GARBAGE,
  failpointAt(failpoints),
];

export const ACTION_NAMES: readonly string[] = [
  ...new Set(
    [...anywhere([]), ...WORLD_NAMES.flatMap((name) => worldOf(name).action ?? [])].map(({ name }) => name),
  ),
];

/** The world of a round, by the seed; `only` names actions, and a world that has none of its own is always possible. */
export function decideWorld(seed: number, round: number, only: readonly string[]): WorldName {
  const random = randomOf(seedOf(seed, round, 'world'));
  const names = WORLD_NAMES.filter((name) => {
    const { action } = worldOf(name);
    return only.length === 0 || (action === undefined ? !needsWorld(only) : only.includes(action.name));
  });
  const total = names.reduce((all, name) => all + worldOf(name).weight, 0);
  let left = random.between(1, total);
  return (
    names.find((name) => {
      left -= worldOf(name).weight;
      return left <= 0;
    }) ?? 'plain'
  );
}

/** True if every action that was named belongs to a world of its own. */
function needsWorld(only: readonly string[]): boolean {
  return only.every((name) => !anywhere([]).some((action) => action.name === name));
}

/** What may happen in a world, and what happens at least once. */
export function actionsOf(
  name: WorldName,
  only: readonly string[],
  failpoints: readonly string[],
): { actions: Action[]; once: Action[] } {
  const { action } = worldOf(name);
  const once = action === undefined ? [] : [action];
  const wanted = ({ name: one }: Action): boolean => only.length === 0 || only.includes(one);
  // Nothing happens to a plan that nobody is at: commands come in any case.
  const actions = [...anywhere(failpoints), ...once].filter((one) => wanted(one) || one.name === 'commands');
  return { actions, once: once.filter(wanted) };
}
