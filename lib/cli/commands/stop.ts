import { OrchError } from '../../errors.ts';
import { pollStatus } from '../../orchestrate/poll.ts';
import { escapeControls, jsonLine } from '../../protocol/text.ts';
import { type Actor, audit } from '../../store/events.ts';
import { makeFolders } from '../../store/folders.ts';
import { listRecordIds, readRecord } from '../../store/records.ts';
import { writeHold } from '../../store/signs.ts';
import { graceOf } from '../grace.ts';
import { refuseUnclear, requireShown } from '../known.ts';
import { durationOption } from '../options.ts';
import { findState } from '../root.ts';
import { refuseUnasked } from '../stop-foreign.ts';
import type { Stopped } from '../stop-request.ts';
import { stopWorkstream } from '../stop-workstream.ts';
import type { Verb } from '../verb.ts';

type Args = {
  id?: string[] | undefined;
  all: boolean;
  grace?: string | undefined;
  foreign: boolean;
  'presume-dead': boolean;
};

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
      .option('grace', {
        type: 'string',
        defaultDescription: '10s',
        describe: 'How long it may take until the whole tree is killed',
      })
      .option('presume-dead', {
        type: 'boolean',
        default: false,
        describe: 'Settle one that cannot be judged from here',
      })
      .option('foreign', {
        type: 'boolean',
        default: false,
        describe: 'Also workers that orch did not start: the one process of the PID file',
      })
      .example('$0 stop WS-003', 'SIGTERM, half-done edits salvaged, killed after 10 s')
      .example('$0 stop --all', 'everything') as never,
  handle: async (args) => {
    refuseUnclear(args.id, '--all', args.all);
    const given = args.grace === undefined ? null : durationOption('grace', args.grace);
    if (args.all && (args.foreign || args['presume-dead'])) {
      const option = args.foreign ? '--foreign' : '--presume-dead';
      const hint = 'Name them: each is a word of yours about that one.';
      throw new OrchError('USAGE', `${option} does not go with --all`, { hint });
    }
    const root = await findState(args.root);
    const graceMs = given ?? graceOf(root);
    const ids = args.all ? listRecordIds(root) : (args.id ?? []);
    // Ids that nobody knows are refused before anything is stopped.
    requireShown(await pollStatus(root, { ids }), ids);
    if (!args.all && !args.foreign) await refuseUnasked(root, ids);
    makeFolders(root);
    const actor: Actor = { role: 'stop', pid: process.pid };
    if (args.all) {
      await writeHold(root);
      audit(root, actor, { event: 'hold', workstream: null, why: 'a person stopped everything' });
    }
    const request = { graceMs, presumeDead: args['presume-dead'], foreign: args.foreign, actor };
    const stop = (id: string): Promise<Stopped> | Stopped =>
      (args.all ? leaveForeign(root, id) : null) ?? stopWorkstream(root, id, request);
    const results = await Promise.all(ids.map(stop));
    for (const result of results) tell(result, args);
    return results.every(({ ok }) => ok) ? 0 : 4;
  },
};

/** `--all` means what orch started; null for that. */
function leaveForeign(root: string, id: string): Stopped | null {
  const read = readRecord(root, id);
  if (read.kind !== 'foreign') return null;
  const note = 'left alone: a foreign worker, which orch did not start';
  return { workstream: id, ok: true, status: read.record.status, note };
}

function tell(result: Stopped, output: { json: boolean; quiet: boolean }): void {
  if (output.json) process.stdout.write(jsonLine({ schema: 'orch.stop/1', ...result }));
  else if (!result.ok) process.stderr.write(`orch: ${result.workstream}: ${escapeControls(result.note)}\n`);
  else if (!output.quiet)
    process.stdout.write(`${result.workstream}  ${escapeControls(`${result.status}  ${result.note}`)}\n`);
}
