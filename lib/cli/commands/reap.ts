import { type ReapAction, reap } from '../../orchestrate/reap.ts';
import { escapeControls, jsonLine } from '../../protocol/text.ts';
import { makeFolders } from '../../store/folders.ts';
import { durationOption } from '../options.ts';
import { findState } from '../root.ts';
import type { Verb } from '../verb.ts';

type Args = { 'dry-run': boolean; 'older-than'?: string | undefined };

/** `orch reap`: cleans up what is proved dead, and nothing else. */
export const verb: Verb<Args> = {
  command: 'reap',
  describe: 'Clean up: kill orphans, settle the crashed, remove stale files',
  builder: (yargs) =>
    yargs
      .option('dry-run', {
        type: 'boolean',
        default: false,
        describe: 'Print the actions with their proof; do nothing',
      })
      .option('older-than', {
        type: 'string',
        describe: 'With an age such as 7d: also logs and records of merged or unplanned workstreams',
      })
      .example('$0 reap --dry-run', 'see what would be cleaned, and why')
      .example('$0 reap --older-than 7d', 'old logs and records too') as never,
  handle: async (args) => {
    const older = args['older-than'];
    const olderThanMs = older === undefined ? null : durationOption('older-than', older);
    const root = await findState(args.root);
    if (!args['dry-run']) makeFolders(root);
    const { actions, bystanders, left } = await reap(root, { dryRun: args['dry-run'], olderThanMs });
    if (args.json) process.stdout.write(jsonLine({ schema: 'orch.reap/1', actions, bystanders, left }));
    else tell(actions, args['dry-run'], args.quiet);
    for (const { pid, command, cwd } of args.json ? [] : bystanders) {
      process.stderr.write(
        `orch: left alone: pid ${pid} in ${escapeControls(`${cwd} (${command})`)}, which orch did not start\n`,
      );
    }
    for (const note of args.json ? [] : left) process.stderr.write(`orch: ${escapeControls(note)}\n`);
    return left.length > 0 ? 1 : 0;
  },
};

function tell(actions: readonly ReapAction[], dryRun: boolean, quiet: boolean): void {
  if (quiet) return;
  if (actions.length === 0) process.stdout.write('Nothing to clean up.\n');
  for (const { action, target, workstream, pid, why } of actions) {
    const what = pid === null ? target : `pid ${pid} (${target})`;
    const prefix = dryRun ? 'would ' : '';
    process.stdout.write(
      `${prefix}${action}  ${workstream ?? ''}  ${escapeControls(what)}: ${escapeControls(why)}\n`,
    );
  }
}
