import { OrchError } from '../../errors.ts';
import { pollStatus, type StatusList } from '../../orchestrate/poll.ts';
import { jsonLine } from '../../protocol/text.ts';
import { requireShown } from '../known.ts';
import type { GlobalOptions } from '../options.ts';
import { findState } from '../root.ts';
import type { Verb } from '../verb.ts';

type StatusArgs = {
  id: string[] | undefined;
  watch: boolean;
  columns?: string | undefined;
  format?: string | undefined;
};

export type StatusOptions = GlobalOptions & Pick<StatusArgs, 'columns' | 'format'>;

const FORMATS = ['table', 'wide', 'json', 'ndjson'] as const;
type Format = (typeof FORMATS)[number];

/**
 * One look at everything, as a table or as JSON. Writes nothing but stdout.
 * @throws OrchError USAGE, NO_STATE, NO_WORKSTREAM.
 */
export async function showStatus(ids: readonly string[], options: StatusOptions): Promise<number> {
  const { columns } = options;
  const format = formatOf(options);
  const isPlain = columns === undefined && format !== 'wide';
  // Before the look: a wrong name is told at once. Lazily: plain `orch status` needs none of it.
  const chosen = isPlain ? null : (await import('../status-columns.ts')).chooseColumns(columns ?? null);
  const root = await findState(options.root);
  const list = await pollStatus(root, { ids, usage: true });
  requireShown(list, ids);
  if (format === 'json') process.stdout.write(jsonLine(list));
  else if (format === 'ndjson') await writeLines(list);
  else {
    const { renderStatus, screenOf } = await import('../render.ts');
    process.stdout.write(renderStatus(list, screenOf(options.color), chosen));
  }
  return 0;
}

async function writeLines(list: StatusList): Promise<void> {
  const { statusLines } = await import('../status-columns.ts');
  process.stdout.write(statusLines(list).map(jsonLine).join(''));
  for (const warning of list.faults ?? []) process.stderr.write(jsonLine({ warning }));
}

/** Throws OrchError USAGE for one that there is not, and for what contradicts it. */
function formatOf({ format, json, columns }: StatusOptions): Format {
  const found = FORMATS.find((one) => one === (format ?? (json ? 'json' : 'table')));
  if (found === undefined) {
    const hint = `There are: ${FORMATS.join(', ')}.`;
    throw new OrchError('USAGE', `there is no format ${JSON.stringify(format)}`, { hint });
  }
  const isTable = found === 'table' || found === 'wide';
  if (json && isTable) {
    const hint = 'Leave one of them away; --json is --format json.';
    throw new OrchError('USAGE', `--json and --format ${found} exclude each other`, { hint });
  }
  if (columns !== undefined && !isTable) {
    const hint = 'Programs get every field; `jq` picks some.';
    throw new OrchError('USAGE', `--columns is for tables, not for ${found}`, { hint });
  }
  return found;
}

export const verb: Verb<StatusArgs> = {
  command: 'status [id..]',
  describe: 'Show where each workstream is; writes nothing',
  isShow: true,
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', array: true, describe: 'Only these workstreams' })
      .option('watch', {
        type: 'boolean',
        default: false,
        describe: 'The live view, until q or Ctrl+C; piped, each change',
      })
      .option('format', {
        type: 'string',
        requiresArg: true,
        choices: FORMATS,
        defaultDescription: 'table',
        describe: 'table, wide (all that fits), json (one object), ndjson (a line for each workstream)',
      })
      .option('columns', {
        type: 'string',
        requiresArg: true,
        describe: 'Which columns, with commas between: workstream,status,cpu,memory,cost …',
      })
      .example('$0 status --json', 'one JSON object, for programs')
      .example('$0 status --columns workstream,status,elapsed,cost', 'what you want to see')
      .example(
        '$0 status --format ndjson | jq -r \'select(.verdict == "failed").workstream\'',
        'ids of the failed',
      )
      .example('$0 status WS-001 --watch', 'follow one workstream') as never,
  async handle(args) {
    const ids = args.id ?? [];
    if (!args.watch) return showStatus(ids, args);
    if (args.format !== undefined || args.columns !== undefined) {
      const hint = 'Leave --format and --columns away.';
      throw new OrchError('USAGE', '--watch shows a view of its own', { hint });
    }
    const { watchScreen } = await import('../render-live.ts');
    return watchScreen(ids, args);
  },
};
