import { pollStatus } from '../../orchestrate/poll.ts';
import { jsonLine } from '../../protocol/text.ts';
import { requireShown } from '../known.ts';
import type { GlobalOptions } from '../options.ts';
import { findState } from '../root.ts';
import type { Verb } from '../verb.ts';

type StatusArgs = { id: string[] | undefined; watch: boolean };

/**
 * One look at everything, as a table or as JSON. Writes nothing but stdout.
 * @throws OrchError NO_STATE, NO_WORKSTREAM.
 */
export async function showStatus(ids: readonly string[], options: GlobalOptions): Promise<number> {
  const root = await findState(options.root);
  const list = await pollStatus(root, { ids, usage: true });
  requireShown(list, ids);
  if (options.json) {
    process.stdout.write(jsonLine(list));
    return 0;
  }
  const { renderStatus, screenOf } = await import('../render.ts');
  process.stdout.write(renderStatus(list, screenOf(options.color)));
  return 0;
}

export const verb: Verb<StatusArgs> = {
  command: 'status [id..]',
  describe: 'Show where each workstream is; writes nothing',
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', array: true, describe: 'Only these workstreams' })
      .option('watch', { type: 'boolean', default: false, describe: 'Redraw on each change, until Ctrl+C' })
      .example('$0 status --json', 'one JSON object, for programs')
      .example('$0 status WS-001 --watch', 'follow one workstream'),
  async handle(args) {
    const ids = args.id ?? [];
    if (!args.watch) return showStatus(ids, args);
    const { watchScreen } = await import('../render-live.ts');
    return watchScreen(ids, args);
  },
};
