import { OrchError } from '../../errors.ts';
import { knownIds, pollStatus } from '../../orchestrate/poll.ts';
import {
  attemptRange,
  attemptStarts,
  copyLog,
  type LogRange,
  type LogStream,
  logPath,
  logSpan,
  tailStart,
  watchLog,
} from '../../store/log-files.ts';
import { lookUntil } from '../follow.ts';
import { interruptSignal } from '../interrupt.ts';
import { noWorkstream } from '../known.ts';
import { countOption } from '../options.ts';
import { screenOf } from '../render.ts';
import { jsonSink, type LogSink, rawSink, terminalSink } from '../render-log.ts';
import { findState } from '../root.ts';
import type { Verb } from '../verb.ts';

type LogsArgs = {
  id: string;
  follow: boolean;
  lines: number | undefined;
  stderr: boolean;
  attempt: number | undefined;
};

export const verb: Verb<LogsArgs> = {
  command: 'logs <id>',
  describe: 'Print what a worker and its tools wrote',
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', demandOption: true, describe: 'The workstream' })
      .option('follow', { alias: 'f', type: 'boolean', default: false, describe: 'Go on until it is final' })
      .option('lines', { alias: 'n', type: 'number', requiresArg: true, describe: 'Only the last N lines' })
      .option('stderr', { type: 'boolean', default: false, describe: 'What went to stderr' })
      .option('attempt', { type: 'number', requiresArg: true, describe: 'Only what attempt N wrote' })
      .example('$0 logs WS-001 -f', 'watch a worker')
      .example('$0 logs WS-001 --attempt 1 -n 20', 'how the first attempt ended'),
  async handle(args) {
    const lines = args.lines === undefined ? null : countOption('lines', args.lines, 0);
    const root = await findState(args.root);
    const { id } = args;
    const known = knownIds(root);
    if (!known.includes(id)) throw noWorkstream(id, known);
    const stream: LogStream = args.stderr ? 'stderr' : 'stdout';
    const range =
      args.attempt === undefined ? { start: 0, end: null } : rangeOf(root, id, stream, args.attempt);
    const screen = screenOf(args.color);
    const plain = screen.width === null ? rawSink() : terminalSink(screen);
    const sink = args.json ? jsonSink(id, stream) : plain;
    const source = { root, id, stream };
    try {
      const at = await printNow(source, range, lines, sink);
      if (at === null && !args.follow && !args.quiet)
        process.stderr.write(`orch: ${id} has written nothing yet\n`);
      // An attempt that is over grows no more.
      if (!args.follow || range.end !== null) return 0;
      return await followLog(source, at ?? range.start, sink);
    } finally {
      await sink.end();
    }
  },
};

function rangeOf(root: string, id: string, stream: LogStream, attempt: number): LogRange {
  countOption('attempt', attempt, 1);
  const range = attemptRange(root, id, stream, attempt);
  if (range !== null) return range;
  const numbers = [...new Set(attemptStarts(root, id, stream).map((one) => one.attempt))];
  const hint = numbers.length === 0 ? 'None has begun yet.' : `There are: ${numbers.join(', ')}.`;
  throw new OrchError('NO_WORKSTREAM', `${id} has no attempt ${attempt}`, { hint });
}

type Source = { root: string; id: string; stream: LogStream };

const receiver = (sink: LogSink) => ({
  write: sink.write,
  gone: async (count: number): Promise<void> =>
    void process.stderr.write(`orch: ${count} bytes are gone: the log was rotated\n`),
});

/** Prints what is there; null if there is no file yet. */
async function printNow(
  { root, id, stream }: Source,
  range: LogRange,
  lines: number | null,
  sink: LogSink,
): Promise<number | null> {
  const span = logSpan(root, id, stream);
  if (span === null) return null;
  const end = Math.min(range.end ?? span.end, span.end);
  const from = Math.min(range.start, end);
  const start = lines === null ? from : tailStart(root, id, stream, { start: from, end }, lines);
  return copyLog(root, id, stream, { start, end }, receiver(sink));
}

/** Seconds for which a worker that had its last word may still print. */
const LAST_WORDS_SECONDS = 2;
const ASK_MS = 900;
const IDLE_LOOKS = 3;

/** Prints what is added, until nothing more can come and all of it is out; 130 on Ctrl+C. */
async function followLog(source: Source, from: number, sink: LogSink): Promise<number> {
  const { root, id, stream } = source;
  const signal = interruptSignal();
  const isOver = overForGood(root, id);
  let at = from;
  const look = async (): Promise<{ seen: null; last: boolean }> => {
    // First the state, then the rest of the file: what was written before the end is never missed.
    const last = await isOver();
    at = await printMore(source, at, sink);
    return { seen: null, last };
  };
  await lookUntil((onHint) => watchLog(logPath(root, id, stream), onHint), look, signal);
  return signal.aborted ? 130 : 0;
}

/**
 * Tells whether nobody writes any more: it has been final for a while, or nobody is at work on it and nobody
 * orchestrates, in several looks. A chatty log does not make it look at the records more often.
 */
function overForGood(root: string, id: string): () => Promise<boolean> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let finals = 0;
  let idles = 0;
  return async () => {
    if (performance.now() - askedAt < ASK_MS) return false;
    askedAt = performance.now();
    const { at, workstreams, orchestrator } = await pollStatus(root, { ids: [id] });
    const [status] = workstreams;
    finals = status?.final === true ? finals + 1 : 0;
    const isOrchestrated = orchestrator !== null && orchestrator.alive !== false;
    idles = !isOrchestrated && (status === undefined || status.alive === false) ? idles + 1 : 0;
    const isOld = at - (status?.last_update ?? at) > LAST_WORDS_SECONDS;
    return (finals > 0 && isOld) || finals > 1 || idles >= IDLE_LOOKS;
  };
}

async function printMore({ root, id, stream }: Source, at: number, sink: LogSink): Promise<number> {
  const span = logSpan(root, id, stream);
  if (span === null) return at;
  // Somebody emptied it: from its beginning.
  const start = span.end < at ? span.base : at;
  return copyLog(root, id, stream, { start, end: null }, receiver(sink));
}
