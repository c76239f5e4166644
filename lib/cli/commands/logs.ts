import { OrchError } from '../../errors.ts';
import { knownIds, pollStatus } from '../../orchestrate/poll.ts';
import type { LogRange, LogStream } from '../../store/log-files.ts';
import { followLogs, showAll } from '../follow-logs.ts';
import { interruptSignal } from '../interrupt.ts';
import { noWorkstream, requireShown } from '../known.ts';
import { emptyText, type LogSource, noAttempt, openSource, rangeOfAttempt } from '../log-source.ts';
import { countOption, type GlobalOptions } from '../options.ts';
import { painter, screenOf } from '../render.ts';
import { jsonSink, type LogSink, newSheet, rawSink, textSink } from '../render-log.ts';
import { findState } from '../root.ts';
import { cells, cutCells } from '../table.ts';
import type { Verb } from '../verb.ts';

type LogsArgs = {
  id: string[] | undefined;
  follow: boolean;
  lines: number | undefined;
  stderr: boolean;
  attempt: number | undefined;
  raw: boolean;
};

export const verb: Verb<LogsArgs> = {
  command: 'logs [id..]',
  describe: 'Print what workers and their tools wrote',
  isShow: true,
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', array: true, describe: 'The workstreams (default: all)' })
      .option('follow', {
        alias: 'f',
        type: 'boolean',
        default: false,
        describe: 'Go on until all are final',
      })
      .option('lines', {
        alias: 'n',
        type: 'number',
        requiresArg: true,
        describe: 'Only the last N lines of each',
      })
      .option('stderr', {
        type: 'boolean',
        default: false,
        describe: 'What went to stderr, in place of stdout',
      })
      .option('attempt', { type: 'number', requiresArg: true, describe: 'Only what attempt N wrote' })
      .option('raw', {
        type: 'boolean',
        default: false,
        describe: 'The bytes as they are: nothing masked, stripped or escaped',
      })
      .example('$0 logs WS-001 -f', 'watch a worker')
      .example('$0 logs -f -n 5', 'watch all of them, each from its last 5 lines on')
      .example('$0 logs WS-001 --attempt 1 -n 20', 'how the first attempt ended') as never,
  async handle(args) {
    const lines = args.lines === undefined ? null : countOption('lines', args.lines, 0);
    const root = await findState(args.root);
    const named = [...new Set(args.id ?? [])];
    const ids = await idsOf(root, named);
    refuseMixture(args, ids);
    const signal = interruptSignal();
    const stream: LogStream = args.stderr ? 'stderr' : 'stdout';
    const makeSink = sinkMaker(args, stream, ids, named.length === 1, signal);
    const sources: LogSource[] = [];
    const open = (id: string, isNew: boolean): void => {
      const range = rangeOf(root, id, stream, args.attempt, named.length > 0);
      if (range === null) return;
      const { json, quiet } = args;
      const options = { root, id, stream, range, json, quiet, sink: makeSink(id) };
      sources.push(openSource({ ...options, lines: isNew ? null : lines }));
    };
    for (const id of ids) open(id, false);
    const known = new Set(ids);
    const renew = (): void => {
      if (named.length > 0) return;
      for (const id of knownIds(root).filter((one) => !known.has(one))) {
        known.add(id);
        open(id, true);
      }
    };
    try {
      await showAll(sources, signal);
      const [only] = sources;
      if (only !== undefined && sources.length === 1 && !only.isThere() && !args.follow && !args.quiet)
        process.stderr.write(emptyText(only.id, stream, args.json));
      if (args.follow) await followLogs(root, sources, { signal, renew });
    } finally {
      for (const source of sources) await source.end();
    }
    return signal.aborted ? 130 : 0;
  },
};

/** The ids that were named, or all. Throws OrchError NO_WORKSTREAM, NO_STATE. */
async function idsOf(root: string, named: readonly string[]): Promise<string[]> {
  const known = knownIds(root);
  const absent = named.find((id) => !known.includes(id));
  if (absent !== undefined) throw noWorkstream(absent, known);
  if (named.length > 0) return [...named];
  if (known.length === 0) requireShown(await pollStatus(root), []);
  return known;
}

function refuseMixture({ raw, json }: LogsArgs & GlobalOptions, ids: readonly string[]): void {
  if (!raw) return;
  const hint = 'Name one workstream: `orch logs WS-001 --raw`.';
  if (ids.length !== 1)
    throw new OrchError('USAGE', 'with --raw the bytes of several logs would mix', { hint });
  if (json) throw new OrchError('USAGE', '--raw and --json exclude each other', { hint });
}

/** Null where a workstream that nobody named has no such attempt. */
function rangeOf(
  root: string,
  id: string,
  stream: LogStream,
  attempt: number | undefined,
  isNamed: boolean,
): LogRange | null {
  if (attempt === undefined) return { start: 0, end: null };
  const range = rangeOfAttempt(root, id, stream, countOption('attempt', attempt, 1));
  if (range === null && isNamed) throw noAttempt(root, id, stream, attempt);
  return range;
}

const PREFIX_MAX = 24;
const PREFIX_STYLES = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const;

/** Makes where the lines of each workstream go: with its id before them, unless only one was asked for. */
function sinkMaker(
  { json, raw, color }: LogsArgs & GlobalOptions,
  stream: LogStream,
  ids: readonly string[],
  isAlone: boolean,
  signal: AbortSignal,
): (id: string) => LogSink {
  const screen = screenOf(color);
  const paint = painter(screen);
  const sheet = newSheet();
  const width = Math.min(PREFIX_MAX, Math.max(...ids.map(cells), 1));
  let count = 0;
  return (id) => {
    if (raw) return rawSink(signal);
    if (json) return jsonSink(id, stream, signal);
    if (isAlone) return textSink(screen, signal);
    const shown = cutCells(id, width);
    const style = PREFIX_STYLES[count % PREFIX_STYLES.length] ?? 'cyan';
    count += 1;
    const prefix = `${paint(style)(`${shown}${' '.repeat(width - cells(shown))} |`)} `;
    return textSink(screen, signal, { prefix, sheet });
  };
}
