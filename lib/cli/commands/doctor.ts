import { styleText } from 'node:util';
import { OrchError } from '../../errors.ts';
import { ENV } from '../../protocol/layout.ts';
import { escapeControls, jsonLine } from '../../protocol/text.ts';
import type { Check, Level } from '../doctor/check.ts';
import { examine } from '../doctor/examine.ts';
import { screenOf } from '../render.ts';
import type { Verb } from '../verb.ts';

type Args = { chaos: boolean; agents: boolean; minutes: number; seed: number | undefined };

const STYLES = { ok: 'green', none: 'dim', warn: 'yellow', fail: 'red' } as const satisfies Record<
  Level,
  string
>;

/** `orch doctor`: what could keep a run from going well, before it begins. */
export const verb: Verb<Args> = {
  command: 'doctor',
  describe: 'Look for what could keep a run from going well; changes nothing',
  builder: (yargs) =>
    yargs
      .option('chaos', {
        type: 'boolean',
        default: false,
        describe: 'Prove the guarantees here: kill what orch runs in temporary repositories, and look',
      })
      .option('agents', {
        type: 'boolean',
        default: false,
        describe: 'Try each coding tool that is found against a fake model server, in temporary repositories',
      })
      .option('minutes', {
        type: 'number',
        default: 2,
        requiresArg: true,
        describe: 'How long, with --chaos',
      })
      .option('seed', { type: 'number', requiresArg: true, describe: 'Repeats the decisions of a --chaos' })
      .example('$0 doctor --chaos', 'two minutes of violence in repositories of its own')
      .example('$0 doctor --agents', 'does each coding tool do what orch expects of it? no model is asked')
      .example('$0 doctor', 'before a long night; exit code 1 where a check fails')
      .example('$0 doctor --quiet', 'only what is not well') as never,
  handle: async (args) => {
    if (args.chaos && args.agents)
      throw new OrchError('USAGE', '--chaos and --agents are two proofs', { hint: 'Give one of them.' });
    if (args.chaos) return (await import('../doctor/chaos.ts')).proveHere(args);
    const dir = args.root ?? process.env[ENV.root] ?? '.';
    if (args.agents) return (await import('../doctor/agents.ts')).probeAgents({ ...args, root: dir });
    const checks = await examine(dir);
    if (args.json) process.stdout.write(jsonLine({ schema: 'orch.doctor/1', checks }));
    else show(checks, args.quiet, screenOf(args.color).color);
    return checks.some(({ level }) => level === 'fail') ? 1 : 0;
  },
};

const NAME_CELLS = 16;
const INDENT = ' '.repeat(6);

function show(checks: readonly Check[], quiet: boolean, color: boolean): void {
  for (const { name, level, found, hint } of checks) {
    if (quiet && (level === 'ok' || level === 'none')) continue;
    const word = (level === 'none' ? '-' : level).padEnd(4);
    const painted = color ? styleText(STYLES[level], word, { validateStream: false }) : word;
    const [first = '', ...more] = found.split('\n').map(escapeControls);
    process.stdout.write(`${painted}  ${name.padEnd(NAME_CELLS)}${first}\n`);
    for (const line of more) process.stdout.write(`${INDENT}${line}\n`);
    if (hint !== null) process.stdout.write(`${INDENT}${escapeControls(hint)}\n`);
  }
  const count = (wanted: Level): number => checks.filter(({ level }) => level === wanted).length;
  if (!quiet)
    process.stdout.write(`\n${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed\n`);
}
