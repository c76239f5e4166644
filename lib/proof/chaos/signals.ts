import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { type Action, chosen } from './action.ts';
import { startCommand } from './command.ts';
import { hit, listOurs, type Ours, type Role } from './processes.ts';
import { later, type Stage, thaw } from './stage.ts';
import { count } from './tally.ts';

/** The same role several times: as often it is tried first. */
const TARGETS = [
  ...(['worker', 'worker', 'worker', 'worker', 'orchestrator', 'launcher'] as const),
  ...(['command', 'tool', 'tool', 'git', 'git', 'git'] as const),
] as const satisfies readonly Role[];

const AIM_MS = 2_500;
const LOOK_MS = 40;

/**
 * A process of that role, as soon as there is one; after a while anybody. Workers, their tools and git are what
 * matters most, and live only now and then.
 */
async function aim(stage: Stage, role: Role, thousandth: number): Promise<Ours | undefined> {
  let all: Ours[] = [];
  for (const end = performance.now() + AIM_MS; performance.now() < end; await sleep(LOOK_MS)) {
    all = await listOurs(stage.mark);
    const wanted = all.filter((one) => one.role === role);
    if (wanted.length > 0) return chosen(wanted, thousandth);
    if (role === 'command' || role === 'launcher') break;
    // With everybody dead somebody comes back: else there would be nothing to hit any more.
    if (all.length === 0) startCommand(stage, ['reattach']);
  }
  return chosen(all, thousandth);
}

function nameOf({ role, verb }: Ours): string {
  return role === 'command' ? verb : role;
}

/** SIGKILL, counted only where it was sent. */
export async function killOne(stage: Stage, target: Ours): Promise<void> {
  if (!(await hit(target, 'SIGKILL'))) return;
  count(stage.tally.kills, nameOf(target));
  stage.note(`killed ${nameOf(target)} ${target.pid}`);
}

function decideTarget(random: Random): { role: Role; at: number } {
  return { role: random.pick(TARGETS), at: random.between(0, 999) };
}

/** kill -9 of one process. */
export const KILL: Action = {
  name: 'kill',
  weight: 40,
  decide(random) {
    const { role, at } = decideTarget(random);
    const run = async (stage: Stage): Promise<void> => {
      const target = await aim(stage, role, at);
      if (target !== undefined) await killOne(stage, target);
    };
    return { what: `kill a ${role}`, run };
  },
};

/** kill -9 of several processes at the same moment, or of all of them. */
export const KILL_SEVERAL: Action = {
  name: 'kill-several',
  weight: 6,
  decide(random) {
    const all = random.chance(25);
    const most = all ? Number.POSITIVE_INFINITY : random.between(2, 4);
    const targets = Array.from({ length: 4 }, () => decideTarget(random));
    const run = async (stage: Stage): Promise<void> => {
      const ours = await listOurs(stage.mark);
      const some = targets.flatMap(({ at }) => chosen(ours, at) ?? []);
      const victims = new Set(all ? ours : some.slice(0, most));
      for (const one of victims) await killOne(stage, one);
    };
    return { what: all ? 'kill all' : `kill ${most} at once`, run };
  },
};

/** SIGTERM, as of somebody who tidies up. */
export const TERMINATE: Action = {
  name: 'terminate',
  weight: 5,
  decide(random) {
    const { role, at } = decideTarget(random);
    const run = async (stage: Stage): Promise<void> => {
      const target = await aim(stage, role, at);
      if (target === undefined || !(await hit(target, 'SIGTERM'))) return;
      count(stage.tally.deeds, 'terminate');
      stage.note(`SIGTERM to ${nameOf(target)} ${target.pid}`);
    };
    return { what: `terminate a ${role}`, run };
  },
};

/** SIGSTOP, and SIGCONT after a while or when the violence is over. */
export const FREEZE: Action = {
  name: 'freeze',
  weight: 8,
  decide(random) {
    const { role, at } = decideTarget(random);
    const forMs = random.chance(70) ? random.between(50, 2_500) : null;
    const run = async (stage: Stage): Promise<void> => {
      const target = await aim(stage, role, at);
      if (target === undefined || !(await hit(target, 'SIGSTOP'))) return;
      count(stage.tally.deeds, 'freeze');
      stage.frozen.set(target.pid, target);
      stage.note(`froze ${nameOf(target)} ${target.pid}`);
      if (forMs !== null)
        later(
          stage,
          sleep(forMs).then(() => thaw(stage, target.pid)),
        );
    };
    return { what: `freeze a ${role} for ${forMs ?? 'long'} ms`, run };
  },
};
