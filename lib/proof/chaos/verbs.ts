import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { Action } from './action.ts';
import { startCommand } from './command.ts';
import { listOurs } from './processes.ts';
import { killOne } from './signals.ts';
import { later, type Stage } from './stage.ts';
import { count } from './tally.ts';

type Call = { args: string[]; killAfterMs: number | null };

function decideArgs(random: Random, ids: readonly string[]): string[] {
  const id = ids[random.between(0, ids.length - 1)] ?? 'W-1';
  const choice = random.between(0, 99);
  if (choice < 22) return ['launch'];
  if (choice < 32) return ['status', '--json'];
  if (choice < 47) return ['reattach'];
  if (choice < 57) return ['reattach', '--once'];
  if (choice < 62) return ['reattach', '--no-launch'];
  if (choice < 72) return ['reap', '--json'];
  if (choice < 76) return ['stop', id];
  if (choice < 78) return ['stop', '--all'];
  if (choice < 84) return ['retry', id];
  if (choice < 92) return ['retry', '--failed'];
  if (choice < 94) return ['run'];
  return ['wait', '--timeout', '3s'];
}

function decideCall(random: Random, ids: readonly string[]): Call {
  const args = decideArgs(random, ids);
  return { args, killAfterMs: random.chance(40) ? random.between(20, 1_200) : null };
}

async function call(stage: Stage, { args, killAfterMs }: Call): Promise<void> {
  const { pid } = startCommand(stage, args);
  count(stage.tally.deeds, `orch ${args[0] ?? ''}`);
  if (killAfterMs === null) return;
  const kill = async (): Promise<void> => {
    await sleep(killAfterMs);
    const target = (await listOurs(stage.mark)).find((one) => one.pid === pid);
    if (target !== undefined) await killOne(stage, target);
  };
  later(stage, kill());
}

/** One to four commands at once; some are killed at a random moment of their short lives. */
export const COMMANDS: Action = {
  name: 'commands',
  weight: 18,
  decide(random, ids) {
    const calls = Array.from({ length: random.chance(70) ? 1 : random.between(2, 4) }, () =>
      decideCall(random, ids),
    );
    const run = async (stage: Stage): Promise<void> => {
      for (const one of calls) await call(stage, one);
    };
    return { what: calls.map(({ args }) => args.join(' ')).join(' & '), run };
  },
};
