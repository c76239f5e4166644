import { styleText } from 'node:util';
import type { StatusList } from '../orchestrate/poll.ts';
import type { Verdict, WorkstreamStatus } from '../orchestrate/verdict.ts';
import { maskSecrets } from '../protocol/mask.ts';
import { cutText, escapeControls } from '../protocol/text.ts';
import { type Cell, type Column, cutCells, tableLines, wrapCells } from './table.ts';

/** How a terminal is drawn on. `width` null: a pipe or a file, nothing is cut. */
export type Screen = { width: number | null; color: boolean };

type Style = Parameters<typeof styleText>[0];

export const STYLES: Record<Verdict, Style> = {
  pending: 'gray',
  starting: 'cyan',
  running: 'cyan',
  completed: 'green',
  merged: 'green',
  blocked: 'yellow',
  stopped: 'yellow',
  failed: 'red',
  timed_out: 'red',
  crashed: 'red',
  conflict: 'red',
  unknown: 'magenta',
};

const COLUMNS: readonly Column[] = [
  { title: 'WORKSTREAM', least: 8, drop: 0 },
  { title: 'STATUS', least: 9, drop: 0 },
  { title: 'DONE', least: 5, drop: 3 },
  { title: 'UPDATED', least: 7, drop: 2 },
  { title: 'PID', least: 7, drop: 1 },
  { title: 'NOW', least: 14, drop: 4 },
];

const WORD_MAX = 24;
/** A foreign program's texts may be as long as its record: a line of a table is not. */
const SHOWN_BYTES = 2_048;
/** From here on there is room for the record's word beside the verdict; the notes have it in any case. */
const WIDE = 100;

/** The screen that an outlet is; colours only where nobody objects (`--no-color`, NO_COLOR, a dumb terminal). */
export function screenOf(color: boolean, outlet: NodeJS.WriteStream = process.stdout): Screen {
  const isTerminal = outlet.isTTY === true;
  const objects = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb';
  const width = isTerminal ? outlet.columns || 80 : null;
  return { width, color: color && isTerminal && !objects };
}

/** Whether to paint is decided in `screenOf` alone, so styleText must not look at the stream. */
export function painter(screen: Screen): (style: Style) => (text: string) => string {
  return (style) => (text) => (screen.color ? styleText(style, text, { validateStream: false }) : text);
}

/** `3s`, `5m`, `2h`, `4d`; `-` where it is not known. */
export function ageText(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '-';
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m`;
  if (whole < 172_800) return `${Math.floor(whole / 3_600)}h`;
  return `${Math.floor(whole / 86_400)}d`;
}

/** The verdict, with the record's own word where that is another. */
function statusText({ status, verdict }: Pick<WorkstreamStatus, 'status' | 'verdict'>): string {
  return status === verdict
    ? verdict
    : `${verdict} (${cutCells(escapeControls(cutText(status, SHOWN_BYTES)), WORD_MAX)})`;
}

/** On one line, secrets masked: a reason may quote what a tool printed. */
const harmless = (text: string): string => escapeControls(maskSecrets(cutText(text, SHOWN_BYTES)));

/** What it is at, or why it is not. */
function nowText({ current_task, reason }: Pick<WorkstreamStatus, 'current_task' | 'reason'>): string {
  return harmless(current_task ?? reason?.message ?? '');
}

function rowOf(
  status: WorkstreamStatus,
  { at, isWide }: { at: number; isWide: boolean },
  paint: ReturnType<typeof painter>,
): Cell[] {
  const age = status.last_update === null ? null : at - status.last_update;
  const hasPid = status.pid !== null && status.alive !== false;
  return [
    { text: escapeControls(status.workstream) },
    { text: isWide ? statusText(status) : status.verdict, paint: paint(STYLES[status.verdict]) },
    { text: cutCells(escapeControls(cutText(status.progress ?? '-', SHOWN_BYTES)), WORD_MAX) },
    { text: ageText(age) },
    { text: hasPid ? String(status.pid) : '-' },
    { text: nowText(status) },
  ];
}

/** A problem in a line or two: what it is, its evidence, and what to do. */
function noteLines(status: WorkstreamStatus, screen: Screen, paint: ReturnType<typeof painter>): string[] {
  const { workstream, verdict, evidence, reason } = status;
  const messages = [...new Set([reason?.message, evidence])].filter((text) => typeof text === 'string');
  if (messages.length === 0) return [];
  const width = screen.width ?? Number.POSITIVE_INFINITY;
  const text = `${escapeControls(workstream)} ${verdict}: ${messages.map(harmless).join('; ')}`;
  const lines = wrapCells(text, width, '  ');
  if (reason?.hint == null) return lines;
  const hints = wrapCells(harmless(reason.hint), width, '  ', '  ');
  return [...lines, ...hints.map(paint('gray'))];
}

/** `3 workstreams: 1 running, 2 completed; orchestrator 4711 (detached)`. */
function summaryText({ summary, orchestrator }: Pick<StatusList, 'summary' | 'orchestrator'>): string {
  const { total, ...counts } = summary;
  const parts = Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`);
  const head = `${total} workstream${total === 1 ? '' : 's'}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`;
  if (orchestrator === null || orchestrator.alive === false) return `${head}; no orchestrator`;
  const doubt = orchestrator.alive === null ? ', cannot be judged from here' : '';
  return `${head}; orchestrator ${orchestrator.pid} (${orchestrator.mode}${doubt})`;
}

/** Other columns than the usual ones, and what stands in them. */
export type ChosenColumns = {
  columns: Column[];
  row: (status: WorkstreamStatus, at: number, paint: ReturnType<typeof painter>) => Cell[];
};

/** The table, a summary, and a note on each problem; ends in a newline. `chosen`: other columns than usual. */
export function renderStatus(list: StatusList, screen: Screen, chosen: ChosenColumns | null = null): string {
  const paint = painter(screen);
  const isWide = screen.width === null || screen.width >= WIDE;
  const rows = list.workstreams.map(
    (status) => chosen?.row(status, list.at, paint) ?? rowOf(status, { at: list.at, isWide }, paint),
  );
  const table = tableLines(chosen?.columns ?? COLUMNS, rows, screen.width, paint('bold'));
  const width = screen.width ?? Number.POSITIVE_INFINITY;
  const summary = wrapCells(summaryText(list), width, '  ');
  const notes = list.workstreams.flatMap((status) => noteLines(status, screen, paint));
  const faults = (list.faults ?? []).flatMap(({ message, hint }) =>
    wrapCells(escapeControls(`orch: ${message}${hint === null ? '' : `. ${hint}`}`), width, '  '),
  );
  const below = [...faults, ...notes];
  const lines = [...table, '', ...summary, ...(below.length === 0 ? [] : ['', ...below])];
  return `${lines.join('\n')}\n`;
}

/** One change of one workstream in a line, without its newline. */
export function changeLine(status: WorkstreamStatus, at: number, screen: Screen): string {
  const clock = new Date(at * 1000).toTimeString().slice(0, 8);
  const { workstream, verdict, progress } = status;
  const head = [clock, escapeControls(workstream)].join(' ');
  const word = statusText(status);
  const tail = [escapeControls(progress ?? ''), nowText(status)].filter((text) => text !== '').join(' ');
  const line = `${head} ${word} ${tail}`.trimEnd();
  const cut = screen.width === null ? line : cutCells(line, screen.width);
  const start = head.length + 1;
  if (!screen.color || cut.length < start + word.length) return cut;
  return cut.slice(0, start) + painter(screen)(STYLES[verdict])(word) + cut.slice(start + word.length);
}
