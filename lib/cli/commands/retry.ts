import { jsonLine } from '../../protocol/text.ts';
import { refuseUnclear } from '../known.ts';
import { retryWorkstreams } from '../retry-workstreams.ts';
import { findState } from '../root.ts';
import type { Verb } from '../verb.ts';

type Args = { id?: string[] | undefined; failed: boolean; fresh: boolean };

/** `orch retry`: a new attempt of what ended, from its last checkpoint. */
export const verb: Verb<Args> = {
  command: 'retry [id..]',
  describe: 'Begin a new attempt of what ended, from its last checkpoint',
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', array: true, describe: 'Workstreams' })
      .option('failed', { type: 'boolean', default: false, describe: 'All that ended without success' })
      .option('fresh', {
        type: 'boolean',
        default: false,
        describe: 'From the base; what was done is salvaged',
      })
      .example('$0 retry WS-003', 'after mending what made it fail')
      .example('$0 retry --failed', 'everything that did not complete') as never,
  handle: async (args) => {
    refuseUnclear(args.id, '--failed', args.failed);
    const root = await findState(args.root);
    const which = args.failed ? 'failed' : (args.id ?? []);
    for (const id of await retryWorkstreams(root, which, args.fresh)) tell(id, args);
    return 0;
  },
};

function tell(id: string, output: { json: boolean; quiet: boolean }): void {
  if (output.json) process.stdout.write(jsonLine({ schema: 'orch.retry/1', workstream: id }));
  else if (!output.quiet) process.stdout.write(`${id}  pending\n`);
}
