import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Action } from '../../lib/proof/chaos/action.ts';
import { startCommand } from '../../lib/proof/chaos/command.ts';
import type { Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';

/** Commands that die or fail at a named place of the code, or lead to processes that do. */

const LIB = join(import.meta.dirname, '../../lib');

/** Every name that the code says. */
function failpointNames(): string[] {
  const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const names = files.flatMap((name) => {
    const calls = readFileSync(join(LIB, name), 'utf8').matchAll(/\bfailpoint\(\s*['"]([\w.-]+)['"]/g);
    return [...calls].map(([, found = '']) => found);
  });
  return [...new Set(names)].sort();
}

const NAMES = failpointNames();
const ROLES = ['', '', 'worker/', '_orchestrate/', 'launch/', 'reattach/'] as const;
const VERBS: readonly [string[], ...string[][]] = [
  ['launch'],
  ['reattach'],
  ['reattach', '--once'],
  ['reap'],
  ['retry', '--failed'],
  ['run'],
];

export const FAILPOINT: Action = {
  name: 'failpoint',
  weight: NAMES.length > 0 ? 8 : 0,
  decide(random) {
    const name = NAMES[random.between(0, NAMES.length - 1)] ?? '';
    const mode = random.pick(['kill', 'kill', 'kill', 'error', 'delay'] as const);
    const pass = mode === 'delay' ? random.between(20, 800) : random.pick([1, 1, 1, 2, 3, 5] as const);
    const order = `${random.pick(ROLES)}${name}:${mode}:${pass}`;
    const args = random.pick(VERBS);
    const run = async (stage: Stage): Promise<void> => {
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
};
