import type { StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { maskSecrets } from '../../protocol/mask.ts';
import { cutText, escapeControls } from '../../protocol/text.ts';
import { ageText, painter, STYLES } from '../render.ts';
import { type Cell, type Column, cells, cutCells, tableLines } from '../table.ts';
import {
  bytesText,
  costText,
  countText,
  elapsedOf,
  percentText,
  progressOf,
  spentOf,
  textOf,
} from './figures.ts';
import type { Canvas, Glance } from './model.ts';
import { barOf, signOf } from './symbols.ts';

/** One line a workstream. */

type Paint = ReturnType<typeof painter>;

/** A column, and what it shows; without `has` it is there even where it says nothing. */
type Show = Column & {
  /** In place of `least`, where it takes all rows to tell: a count that is cut says nothing. */
  leastOf?: (context: Context) => number;
  has?: (status: WorkstreamStatus) => boolean;
  cell: (status: WorkstreamStatus, context: Context) => Cell;
};

type Context = {
  glance: Glance;
  canvas: Canvas;
  selected: string | null;
  paint: Paint;
  idWidth: number;
  countWidth: number;
};

/** A foreign program's texts may be as long as its record. */
const TEXT_BYTES = 1_024;
const WORD_MAX = 12;
const BAR_WIDE = 10;
const BAR_NARROW = 6;
/** From here on there is room for a longer bar. */
const WIDE = 110;

/** On one line, harmless, secrets masked, and no longer than a terminal could show. */
export function shown(text: string): string {
  return escapeControls(maskSecrets(cutText(text, TEXT_BYTES)));
}

/** To the right, so that numbers stand under each other and a longer one moves nothing. */
const right = (text: string, width: number): Cell => ({ text: text.padStart(width) });

const COLUMNS: readonly Show[] = [
  {
    title: '  WORKSTREAM',
    least: 12,
    drop: 0,
    cell: ({ workstream }, { selected, canvas, paint, idWidth }) => {
      const isSelected = workstream === selected;
      const mark = isSelected ? (canvas.unicode ? '❯ ' : '> ') : '  ';
      // As wide as the widest of all, shown or not: scrolling moves no column.
      const text = `${mark}${workstream}${' '.repeat(Math.max(idWidth - cells(workstream), 0))}`;
      return isSelected ? { text, paint: paint('bold') } : { text };
    },
  },
  {
    title: 'STATE',
    least: 11,
    drop: 9,
    cell: ({ verdict }, { canvas, paint }) => {
      const word = verdict === 'timed_out' ? 'timed out' : verdict;
      return { text: `${signOf(verdict, canvas.unicode)} ${word}`, paint: paint(STYLES[verdict]) };
    },
  },
  {
    title: 'PROGRESS',
    least: BAR_NARROW + 4,
    leastOf: ({ countWidth }) => BAR_NARROW + 1 + countWidth,
    drop: 8,
    cell: (status, { canvas, countWidth }) => {
      const progress = progressOf(status);
      if (progress === null) return { text: cutCells(shown(status.progress ?? '-'), WORD_MAX) };
      const width = canvas.columns >= WIDE ? BAR_WIDE : BAR_NARROW;
      const count = `${progress.done}/${progress.total}`.padEnd(countWidth);
      return { text: `${barOf(progress, width, canvas.unicode)} ${count}` };
    },
  },
  {
    title: 'TIME',
    least: 4,
    drop: 6,
    cell: (status, { glance }) => right(ageText(elapsedOf(status, glance.list.at)), 4),
  },
  {
    title: 'QUIET',
    least: 5,
    drop: 5,
    cell: ({ workstream, alive }, { glance }) => {
      const at = alive === false ? undefined : glance.outputAt.get(workstream);
      return right(ageText(at === undefined ? null : glance.list.at - at), 5);
    },
  },
  { title: ' CPU', least: 4, drop: 3, cell: ({ cpu_percent }) => right(percentText(cpu_percent), 4) },
  { title: '  MEM', least: 5, drop: 4, cell: ({ memory_bytes }) => right(bytesText(memory_bytes), 5) },
  {
    title: 'TOKENS',
    least: 6,
    drop: 2,
    has: (status) => spentOf(status).tokens !== null,
    cell: (status) => right(countText(spentOf(status).tokens), 6),
  },
  {
    title: '  COST',
    least: 6,
    drop: 2,
    has: (status) => spentOf(status).cost !== null,
    cell: (status) => right(costText(spentOf(status).cost), 6),
  },
  {
    title: 'TOOL',
    least: 4,
    drop: 1,
    has: (status) => textOf(status['tool']) !== null,
    cell: (status) => ({ text: cutCells(shown(textOf(status['tool']) ?? '-'), WORD_MAX).padEnd(8) }),
  },
  { title: 'NOW', least: 12, drop: 7, cell: (status) => ({ text: nowText(status) }) },
];

/** What it is at; where it is not at work, why. */
function nowText({ verdict, current_task, reason, alive }: WorkstreamStatus): string {
  const isAtWork = alive === true && current_task !== null;
  // A frozen worker is at its task, and that is not what a person has to know.
  if (isAtWork && reason === null) return shown(current_task);
  if (verdict === 'completed' && reason?.code === 'unverified') return 'unverified';
  return shown(reason?.message ?? current_task ?? '');
}

/** Of `12/12`, so that the column is as wide at the end as in the beginning. */
function countWidthOf(status: WorkstreamStatus): number {
  const progress = progressOf(status);
  return progress === null ? 0 : `${progress.total}/${progress.total}`.length;
}

/** The head of the table, and a line for each of the workstreams from `from` on for which there is `room`. */
export function rowLines(
  glance: Glance,
  selected: string | null,
  canvas: Canvas,
  window: { from: number; room: number },
): { head: string; rows: string[] } {
  const paint = painter({ width: canvas.columns, color: canvas.color });
  const { workstreams } = glance.list;
  const columns = COLUMNS.filter(({ has }) => has === undefined || workstreams.some(has));
  const idWidth = Math.max(0, ...workstreams.map(({ workstream }) => cells(workstream)));
  const countWidth = Math.max(0, ...workstreams.map(countWidthOf));
  const context = { glance, canvas, selected, paint, idWidth, countWidth };
  const seen = workstreams.slice(window.from, window.from + window.room);
  const table = seen.map((status) => columns.map(({ cell }) => cell(status, context)));
  const bounded = columns.map((column) => ({ ...column, least: column.leastOf?.(context) ?? column.least }));
  const [head = '', ...rows] = tableLines(bounded, table, canvas.columns, paint('bold'));
  return { head, rows };
}

const total = (numbers: readonly (number | null)[]): number | null => {
  const known = numbers.filter((one) => one !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
};

/** `●3 running  ✔2 completed`: how many there are of each. */
export function countsLine({ summary }: StatusList, canvas: Canvas): string {
  const paint = painter({ width: canvas.columns, color: canvas.color });
  const { total: all, ...counts } = summary;
  const parts = Object.entries(counts).map(([verdict, count]) => {
    const known = verdict as keyof typeof STYLES;
    return { text: `${signOf(known, canvas.unicode)} ${count} ${verdict}`, paint: paint(STYLES[known]) };
  });
  return fitParts([{ text: `${all} workstreams:` }, ...parts], canvas.columns);
}

/** Tasks, the likely end, and what is used and spent in all. */
export function totalsLine({ list, outlook }: Glance, canvas: Canvas): string {
  const progress = list.workstreams.flatMap((status) => progressOf(status) ?? []);
  const done = progress.reduce((sum, one) => sum + one.done, 0);
  const all = progress.reduce((sum, one) => sum + one.total, 0);
  const spent = list.workstreams.map(spentOf);
  const tokens = total(spent.map((one) => one.tokens));
  const cost = total(spent.map((one) => one.cost));
  const cpu = total(list.workstreams.map(({ cpu_percent }) => cpu_percent));
  const memory = total(list.workstreams.map(({ memory_bytes }) => memory_bytes));
  const texts = [
    `${barOf({ done, total: all }, BAR_WIDE, canvas.unicode)} ${done}/${all} tasks`,
    outlookText(outlook.seconds, outlook.waiting),
    ...(cpu === null ? [] : [`cpu ${percentText(cpu)}`]),
    ...(memory === null ? [] : [`mem ${bytesText(memory)}`]),
    ...(tokens === null ? [] : [`${countText(tokens)} tokens`]),
    ...(cost === null ? [] : [costText(cost)]),
  ];
  return fitParts(
    texts.map((text) => ({ text })),
    canvas.columns,
  );
}

function outlookText(seconds: number | null, waiting: number): string {
  const held = waiting === 0 ? '' : ` + ${waiting} held`;
  if (seconds === null) return `end unknown${held}`;
  // Words for what is a guess in any case; the last seconds of it are the worst.
  if (seconds > 0) return seconds < 60 ? `end in <1m${held}` : `end in ~${ageText(seconds)}${held}`;
  return 'at its end';
}

/** The parts that fit whole, with two blanks between them; the first is cut where it does not. */
export function fitParts(parts: readonly Cell[], width: number): string {
  let line = '';
  let used = 0;
  for (const { text, paint } of parts) {
    const gap = used === 0 ? '' : '  ';
    const room = width - used - gap.length;
    if (used > 0 && cells(text) > room) break;
    const cut = cutCells(text, room);
    line += gap + (paint === undefined ? cut : paint(cut));
    used += gap.length + cells(cut);
  }
  return line;
}
