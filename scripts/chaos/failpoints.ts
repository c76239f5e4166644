import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Action, chosen } from '../../lib/proof/chaos/action.ts';
import { startCommand } from '../../lib/proof/chaos/command.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';

/** Commands that die or fail at a named place of the code, or lead to processes that do. */

const ROLES = ['', '', 'worker/', '_orchestrate/', 'launch/', 'reattach/'] as const;
const VERBS: readonly [string[], ...string[][]] = [
  ['launch'],
  ['reattach'],
  ['reattach', '--once'],
  ['reap'],
  ['retry', '--failed'],
  ['run'],
];

/** `names`: of all failpoints; without any, nothing happens. */
export const failpointAt = (names: readonly string[]): Action => ({
  name: 'failpoint',
  weight: 8,
  decide(random) {
    const at = random.between(0, 999);
    const name = chosen(names, at) ?? '';
    const mode = random.pick(['kill', 'kill', 'kill', 'error', 'delay'] as const);
    const pass = mode === 'delay' ? random.between(20, 800) : random.pick([1, 1, 1, 2, 3, 5] as const);
    const order = `${random.pick(ROLES)}${name}:${mode}:${pass}`;
    const args = random.pick(VERBS);
    const run = async (stage: Stage): Promise<void> => {
      if (name === '') return;
      const once = join(stage.shop.aside, `once-${stage.commands.length}`);
      startCommand(stage, args, { ORCH_FAILPOINT: order, ORCH_FAILPOINT_ONCE: once });
      count(stage.tally.deeds, 'failpoint set');
      stage.undo.push(() => {
        if (existsSync(once))
          count(mode === 'kill' ? stage.tally.kills : stage.tally.deeds, `failpoint ${mode}`);
      });
    };
    return { what: `orch ${args.join(' ')} with ${order}`, run };
  },
});
