import { OrchError } from '../../errors.ts';
import { pollStatus } from '../../orchestrate/poll.ts';
import { type Actor, audit } from '../../store/events.ts';
import { listRecordIds } from '../../store/records.ts';
import { writeHold } from '../../store/signs.ts';
import { requireShown } from '../known.ts';
import { durationOption } from '../options.ts';
import { findState } from '../root.ts';
import { type Stopped, stopWorkstream } from '../stop-workstream.ts';
import type { Verb } from '../verb.ts';

type Args = { id?: string[] | undefined; all: boolean; grace: string; 'presume-dead': boolean };

/** `orch stop`: a person's word, which holds even if orch dies in the middle of it. */
export const verb: Verb<Args> = {
  command: 'stop [id..]',
  describe: 'Stop workstreams at the next safe point; half-done edits are salvaged',
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', array: true, describe: 'Workstreams' })
      .option('all', {
        type: 'boolean',
        default: false,
        describe: 'All, and launch nothing until the next launch or retry',
      })
      .option('grace', { type: 'string', default: '10s', describe: 'Before the whole tree is killed' })
      .option('presume-dead', {
        type: 'boolean',
        default: false,
        describe: 'Settle one that cannot be judged from here',
      })
      .example('$0 stop WS-003', 'SIGTERM, half-done edits salvaged, killed after 10 s')
      .example('$0 stop --all', 'everything') as never,
  handle: async (args) => {
    const root = await findState(args.root);
    const ids = args.all ? listRecordIds(root) : (args.id ?? []);
    if (ids.length === 0 && !args.all) {
      throw new OrchError('USAGE', 'which workstreams?', { hint: 'Name them, or use --all.' });
    }
    // Ids that nobody knows are refused before anything is stopped.
    requireShown(await pollStatus(root, { ids }), ids);
    const graceMs = durationOption('grace', args.grace);
    const actor: Actor = { role: 'stop', pid: process.pid };
    if (args.all) {
      await writeHold(root);
      audit(root, actor, { event: 'hold', workstream: null, why: 'a person stopped everything' });
    }
    const request = { graceMs, presumeDead: args['presume-dead'], actor };
    const results = await Promise.all(ids.map((id) => stopWorkstream(root, id, request)));
    for (const result of results) tell(result, args);
    return results.every(({ ok }) => ok) ? 0 : 4;
  },
};

function tell(result: Stopped, output: { json: boolean; quiet: boolean }): void {
  if (output.json) process.stdout.write(`${JSON.stringify({ schema: 'orch.stop/1', ...result })}\n`);
  else if (!result.ok) process.stderr.write(`orch: ${result.workstream}: ${result.note}\n`);
  else if (!output.quiet) process.stdout.write(`${result.workstream}  ${result.status}  ${result.note}\n`);
}
