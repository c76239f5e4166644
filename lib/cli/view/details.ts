import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { ageText, painter, STYLES } from '../render.ts';
import { cells, cutCells, wrapCells } from '../table.ts';
import {
  bytesText,
  costText,
  countText,
  elapsedOf,
  numberOf,
  objectsOf,
  percentText,
  progressOf,
  spentOf,
  textOf,
  textsOf,
} from './figures.ts';
import { titleLine } from './list.ts';
import type { Canvas, Details, Frame, Glance, ViewState } from './model.ts';
import { shown } from './rows.ts';
import { barOf, signOf } from './symbols.ts';

/** The pages with one workstream: what is known of it, and its log. */

const LABEL = 10;
const BAR = 20;
const TAIL_LINES = 12;
const CHECKS_MAX = 30;
const HASH = 10;

const graphemes = new Intl.Segmenter();

/** `text` in lines of at most `width` cells, cut anywhere: for logs, where blanks mean something. */
export function foldCells(text: string, width: number): string[] {
  if (cells(text) <= width || width < 2) return [cutCells(text, width)];
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const more = cells(segment);
    if (used + more > width) {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += segment;
    used += more;
  }
  return [...lines, line];
}

function clock(at: number | null): string {
  return at === null ? '-' : new Date(at * 1000).toTimeString().slice(0, 8);
}

/** Label and text; the text goes on below itself where it is long. None where there is no text. */
function field(label: string, text: string | null, canvas: Canvas): string[] {
  if (text === null || text === '') return [];
  const indent = ' '.repeat(LABEL);
  return wrapCells(shown(text), canvas.columns, indent, label.padEnd(LABEL));
}

function facts(status: WorkstreamStatus, glance: Glance, canvas: Canvas): string[] {
  const { at } = glance.list;
  const { pid, alive, reason, evidence, heartbeat_age, workstream } = status;
  const progress = progressOf(status);
  const bar = progress === null ? '' : `${barOf(progress, BAR, canvas.unicode)} `;
  const attempt = numberOf(status['attempt']);
  const outputAt = glance.outputAt.get(workstream);
  const { tokens, cost } = spentOf(status);
  const times = [
    `${ageText(elapsedOf(status, at))} since ${clock(numberOf(status['started_at']))}`,
    ...(outputAt === undefined ? [] : [`quiet for ${ageText(at - outputAt)}`]),
    ...(heartbeat_age === null ? [] : [`heartbeat ${ageText(heartbeat_age)} ago`]),
  ];
  const usage = `cpu ${percentText(status.cpu_percent)}, memory ${bytesText(status.memory_bytes)}`;
  const worker = [
    textOf(status['mode']),
    attempt === null ? null : `attempt ${attempt}`,
    pid === null || alive === false ? null : `pid ${pid}`,
  ].filter((one) => one !== null);
  const violations = objectsOf(status['violations']);
  const lines = (label: string, text: string | null): string[] => field(label, text, canvas);
  return [
    ...lines('title', textOf(status['title'])),
    ...lines('worker', worker.join(', ')),
    ...lines('progress', `${bar}${status.progress ?? '-'}`),
    ...lines('now', status.current_task),
    ...lines('tool', textOf(status['tool'])),
    ...lines('spent', tokens === null ? null : `${countText(tokens)} tokens, ${costText(cost)}`),
    ...lines('time', times.join(', ')),
    ...lines('usage', alive === true ? usage : null),
    ...lines('reason', reason === null ? null : `${reason.code}: ${reason.message}`),
    ...lines('hint', reason?.hint ?? null),
    ...lines('evidence', evidence),
    ...lines('exit', status.exit_code === null ? null : String(status.exit_code)),
    ...lines('branch', textOf(status['branch'])),
    ...lines('base', textOf(status['base'])?.slice(0, HASH) ?? null),
    ...lines('needs', textsOf(status['depends_on']).join(', ')),
    ...lines('blocked by', textsOf(status['blocked_by']).join(', ')),
    ...lines('outside', violations.map(({ path }) => String(path)).join(', ')),
  ];
}

function checkLines(status: WorkstreamStatus, canvas: Canvas): string[] {
  const checks = objectsOf(status['checks']).slice(0, CHECKS_MAX);
  const lines = checks.flatMap(({ text, passed, kind, seconds }) => {
    const sign =
      passed === true
        ? signOf('completed', canvas.unicode)
        : passed === false
          ? signOf('failed', canvas.unicode)
          : '?';
    const time = numberOf(seconds) === null ? '' : ` (${ageText(numberOf(seconds))})`;
    const note = kind === 'prose' ? ' (not machine-checked)' : time;
    return wrapCells(shown(`${String(text)}${note}`), canvas.columns, '    ', `  ${sign} `);
  });
  return lines.length === 0 ? [] : ['', 'checks', ...lines];
}

function commitLines(details: Details | null, at: number, canvas: Canvas): string[] {
  const commits = details?.commits ?? [];
  const lines = commits.map((commit) => {
    const text = `  ${commit.hash} ${commit.subject}  ${ageText(at - commit.at)} ago`;
    return cutCells(shown(text), canvas.columns);
  });
  return lines.length === 0 ? [] : ['', 'commits', ...lines];
}

/** The log in lines that fit, or what to say in its place. */
function logLines(details: Details | null, canvas: Canvas): string[] {
  if (details === null) return [];
  if (details.trouble !== null) return [cutCells(shown(details.trouble), canvas.columns)];
  if (details.log === null || details.log.length === 0)
    return [cutCells('(nothing was written yet)', canvas.columns)];
  return details.log.flatMap((line) => foldCells(line, canvas.columns));
}

const pad = (lines: readonly string[], room: number): string[] => [
  ...lines,
  ...Array.from({ length: Math.max(room - lines.length, 0) }, () => ''),
];

function headLine(status: WorkstreamStatus, canvas: Canvas, more: string): string {
  const paint = painter({ width: canvas.columns, color: canvas.color });
  const { verdict, workstream } = status;
  const word = status.status === verdict ? verdict : `${verdict} (${shown(status.status)})`;
  const text = `${signOf(verdict, canvas.unicode)} ${shown(workstream)}  ${word}${more}`;
  return paint(STYLES[verdict])(cutCells(text, canvas.columns));
}

/** Everything about one workstream, the end of its log last; it scrolls. */
export function detailsFrame(
  glance: Glance,
  state: ViewState,
  canvas: Canvas,
  room: number,
  status: WorkstreamStatus,
): Frame {
  const { details } = glance;
  const mine = details?.id === status.workstream ? details : null;
  const log = logLines(mine, canvas).slice(-TAIL_LINES);
  const body = [
    ...facts(status, glance, canvas),
    ...checkLines(status, canvas),
    ...commitLines(mine, glance.list.at, canvas),
    '',
    cutCells(`log (${mine?.stream ?? state.stream})`, canvas.columns),
    ...log,
  ];
  const heads = [titleLine(glance, state, canvas), headLine(status, canvas, '')].slice(
    0,
    Math.max(room - 1, 0),
  );
  const space = Math.max(room - heads.length, 1);
  const scroll = Math.min(state.scroll, Math.max(body.length - space, 0));
  return { lines: [...heads, ...pad(body.slice(scroll, scroll + space), space)], top: state.top, scroll };
}

/** The end of the log as it grows; `scroll` lines back from there. */
export function logsFrame(
  glance: Glance,
  state: ViewState,
  canvas: Canvas,
  room: number,
  status: WorkstreamStatus,
): Frame {
  const mine = glance.details?.id === status.workstream ? glance.details : null;
  const body = logLines(mine, canvas);
  const space = Math.max(room - 1, 1);
  const scroll = Math.min(state.scroll, Math.max(body.length - space, 0));
  const end = body.length - scroll;
  const back = scroll === 0 ? '' : `, ${scroll} lines back`;
  const heads = [headLine(status, canvas, `  ${state.stream}${back}`)];
  const seen = body.slice(Math.max(end - space, 0), end);
  return { lines: [...heads, ...pad(seen, space)].slice(0, room), top: state.top, scroll };
}
