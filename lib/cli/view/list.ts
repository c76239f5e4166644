import { basename } from 'node:path';
import type { StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { painter, STYLES } from '../render.ts';
import { type Cell, cutCells, wrapCells } from '../table.ts';
import { bytesText, costText, countText, percentText, spentOf, textOf } from './figures.ts';
import type { Canvas, Frame, Glance, ViewState } from './model.ts';
import { countsLine, fitParts, rowLines, shown, totalsLine } from './rows.ts';
import { signOf } from './symbols.ts';

/** The page with all workstreams. */

const FOCUS_LINES = 3;
/** Fewer lines than this, and the list is worth more than what explains the selected one. */
const FOCUS_FROM = 16;
const HEAD_FROM = 8;

/** Where the window on `total` rows begins, so that row `at` is in it and no room is wasted. */
export function windowTop(top: number, at: number, room: number, total: number): number {
  const least = Math.max(at - room + 1, 0);
  const most = Math.max(Math.min(at, total - room), 0);
  return Math.min(Math.max(top, least), Math.max(most, least));
}

function orchestratorText({ orchestrator }: StatusList): string {
  if (orchestrator === null || orchestrator.alive === false) return 'no orchestrator';
  const doubt = orchestrator.alive === null ? ', cannot be judged' : '';
  return `${orchestrator.mode}, orchestrator ${orchestrator.pid}${doubt}`;
}

/** The lines above every page: whose view it is, and what is wrong with the whole. */
export function titleLine({ list }: Glance, state: ViewState, canvas: Canvas): string {
  const paint = painter({ width: canvas.columns, color: canvas.color });
  const fault = list.faults?.[0];
  const parts: Cell[] = [
    { text: `orch ${shown(basename(list.root))}`, paint: paint('bold') },
    ...(state.stopping
      ? [{ text: 'stopping… Ctrl+C again stops at once', paint: paint('yellow') }]
      : [{ text: orchestratorText(list), paint: paint('gray') }]),
    ...(fault === undefined ? [] : [{ text: shown(fault.message), paint: paint('red') }]),
  ];
  return fitParts(parts, canvas.columns);
}

/** On one line, so a sentence must end before the next one begins. */
function whyText({ message, hint }: { message: string; hint: string | null }): string {
  return hint === null ? message : `${message}${/[.!?…]$/.test(message) ? '' : '.'} ${hint}`;
}

/** What the row had no room for, of the selected workstream alone. Always as many lines, so that nothing jumps. */
function focusLines(status: WorkstreamStatus | undefined, canvas: Canvas): string[] {
  const paint = painter({ width: canvas.columns, color: canvas.color });
  const lines: string[] = [];
  if (status !== undefined) {
    const { workstream, verdict, reason, current_task } = status;
    const { tokens, cost } = spentOf(status);
    const title = textOf(status['title']);
    const tool = textOf(status['tool']);
    const facts = [
      `${signOf(verdict, canvas.unicode)} ${shown(workstream)}`,
      ...(tool === null ? [] : [shown(tool)]),
      ...(status.cpu_percent === null ? [] : [`cpu ${percentText(status.cpu_percent)}`]),
      ...(status.memory_bytes === null ? [] : [`mem ${bytesText(status.memory_bytes)}`]),
      ...(tokens === null ? [] : [`${countText(tokens)} tokens`]),
      ...(cost === null ? [] : [costText(cost)]),
      ...(title === null || title === workstream ? [] : [shown(title)]),
    ];
    const [first = '', ...rest] = facts;
    const head = [{ text: first, paint: paint(STYLES[verdict]) }, ...rest.map((text) => ({ text }))];
    const why = reason === null ? '' : whyText(reason);
    const text = [current_task ?? '', why].filter((one) => one !== '').join(' | ');
    lines.push(fitParts(head, canvas.columns), ...wrapCells(shown(text), canvas.columns, ''));
  }
  while (lines.length < FOCUS_LINES) lines.push('');
  return lines.slice(0, FOCUS_LINES);
}

/** The list: heads as far as there is room, then the rows around the selected one, then what concerns it. */
export function listFrame(glance: Glance, state: ViewState, canvas: Canvas, room: number): Frame {
  const { workstreams } = glance.list;
  const at = Math.max(
    workstreams.findIndex(({ workstream }) => workstream === state.selected),
    0,
  );
  const heads =
    room >= HEAD_FROM
      ? [titleLine(glance, state, canvas), countsLine(glance.list, canvas), totalsLine(glance, canvas)]
      : room > 2
        ? [totalsLine(glance, canvas)]
        : [];
  const focus = room >= FOCUS_FROM ? ['', ...focusLines(workstreams[at], canvas)] : [];
  const titles = room >= HEAD_FROM ? 1 : 0;
  const space = Math.max(room - heads.length - titles - focus.length, 1);
  const top = windowTop(state.top, at, space, workstreams.length);
  const { head, rows } = rowLines(glance, state.selected, canvas, { from: top, room: space });
  const padding = Array.from({ length: space - rows.length }, () => '');
  const more = moreLine(top, rows.length, workstreams.length, canvas);
  const below = focus.length === 0 ? [] : [more, ...focus.slice(1)];
  return {
    lines: [...heads, ...(titles === 0 ? [] : [head]), ...rows, ...padding, ...below],
    top,
    scroll: 0,
  };
}

function moreLine(top: number, count: number, total: number, canvas: Canvas): string {
  if (count === total) return '';
  const paint = painter({ width: canvas.columns, color: canvas.color });
  return paint('gray')(cutCells(`  ${top + 1} to ${top + count} of ${total}`, canvas.columns));
}
