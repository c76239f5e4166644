import type { Random } from '../random.ts';
import type { Stage } from './stage.ts';

/** One decision of a schedule: made by the seed before the round begins, done while it runs. */
export type Step = { name: string; what: string; afterMs: number; run: (stage: Stage) => Promise<void> };

/** A kind of violence. `decide` draws from `random` all that it needs: what is decided repeats, its timing does not. */
export type Action = {
  name: string;
  /** How often, beside the others. */
  weight: number;
  decide(random: Random, ids: readonly string[]): { what: string; run: (stage: Stage) => Promise<void> };
};

/** One of a list that may be empty, by a number from 0 to 999. */
export function chosen<T>(list: readonly T[], thousandth: number): T | undefined {
  return list[Math.floor((thousandth / 1_000) * list.length)];
}

/** An action, as often as its weight says. */
function pickAction(random: Random, actions: readonly Action[]): Action | undefined {
  const total = actions.reduce((all, { weight }) => all + weight, 0);
  let left = random.between(1, total);
  return actions.find(({ weight }) => {
    left -= weight;
    return left <= 0;
  });
}

/** What happens to a round and when, decided by `random` alone. */
export function scheduleOf(
  random: Random,
  ids: readonly string[],
  actions: readonly Action[],
  once: readonly Action[],
): Step[] {
  const steps: Step[] = [];
  for (let left = random.between(16, 40); left > 0; left -= 1) {
    const action = pickAction(random, actions);
    if (action === undefined) break;
    steps.push(decideStep(random, ids, action));
  }
  for (const action of once)
    steps.splice(random.between(0, steps.length), 0, decideStep(random, ids, action));
  return steps;
}

function decideStep(random: Random, ids: readonly string[], action: Action): Step {
  const afterMs = random.chance(45) ? random.between(0, 30) : random.between(30, 350);
  return { name: action.name, afterMs, ...action.decide(random, ids) };
}
