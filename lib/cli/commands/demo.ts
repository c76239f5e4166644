import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { OrchError } from '../../errors.ts';
import { makeDemoRepository } from '../demo/repository.ts';
import { ensureOrchestrator, untilResigned } from '../ensure-orchestrator.ts';
import { followUntilFinal } from '../follow.ts';
import { interruptSignal } from '../interrupt.ts';
import { launchPlan } from '../launch-plan.ts';
import { tellEnd } from '../tell-end.ts';
import type { Verb } from '../verb.ts';

type Args = { dir?: string | undefined };

/** `orch demo`: a real refactor of a small repository, from plan to finished branches. */
export const verb: Verb<Args> = {
  command: 'demo',
  describe: 'A real refactor of a small repository that it makes; no key, no network',
  builder: (yargs) =>
    yargs
      .option('dir', { type: 'string', describe: 'An empty or new folder for it (default: a temporary one)' })
      .example('$0 demo', 'watch seven workstreams refactor a small library')
      .example('$0 demo --dir /tmp/shop', 'in a folder of your choice, to look at afterwards') as never,
  handle: async (args) => {
    const dir = placeFor(args.dir);
    const say = (text: string): void => {
      if (!args.json && !args.quiet) process.stdout.write(text);
    };
    say(`Making a small code base in ${dir}\n`);
    const { planPath, workstreams } = await makeDemoRepository(dir);
    say(`Its plan, ${planPath}, has ${workstreams.length} workstreams. Launching them detached:\n\n`);
    const signal = interruptSignal();
    const code = await launchPlan({
      root: dir,
      plan: [planPath],
      only: [],
      skip: [],
      base: 'HEAD',
      fresh: false,
      dryRun: false,
      allowDirty: false,
      json: false,
      quiet: args.json || args.quiet,
      options: {},
    });
    if (code !== 0) return code;
    say('\nWatching, as `orch reattach` does:\n\n');
    const tick = (): Promise<void> => ensureOrchestrator(dir, false);
    const { end, list } = await followUntilFinal(dir, { json: args.json, quiet: args.quiet, signal, tick });
    if (end === 'aborted') {
      say(`\nStopped watching; the work goes on. Come back with: orch reattach --root ${dir}\n`);
      return 130;
    }
    await untilResigned(dir, signal);
    say('\n');
    const result = tellEnd(list, args);
    say(`\nThe finished work is on these branches of ${dir}:\n`);
    const done = list.workstreams.filter(({ verdict }) => verdict === 'completed');
    const branches = done.map(({ branch }) => branch);
    for (const branch of branches) say(`  ${branch}\n`);
    const one = branches.at(-1);
    if (one !== undefined) say(`\nLook at one:  git -C ${dir} log --stat main..${one}\n`);
    say(`Look around:  orch status --root ${dir}\nClean up:     rm -rf ${dir}\n`);
    return result;
  },
};

function placeFor(dir: string | undefined): string {
  if (dir === undefined) return mkdtempSync(join(tmpdir(), 'orch-demo-'));
  const place = resolve(dir);
  mkdirSync(place, { recursive: true });
  if (readdirSync(place).length > 0) {
    throw new OrchError('USAGE', `${place} is not empty`, {
      hint: 'Name a new folder: the demo makes a repository there.',
    });
  }
  return place;
}
