import { painter } from '../render.ts';
import { cutCells } from '../table.ts';
import { detailsFrame, logsFrame } from './details.ts';
import { helpLines } from './help.ts';
import { listFrame } from './list.ts';
import type { Canvas, Frame, Glance, ViewState } from './model.ts';
import { fitParts, shown } from './rows.ts';

/** Two lines under every page: what happened or is asked, and the keys. */
const FOOT_FROM = 5;
const COLUMNS_LEAST = 12;

const KEYS: Record<ViewState['page'], readonly string[]> = {
  // What does not fit is cut at the end: the way out and the help tell the rest.
  list: ['Enter details', 'q leave', '? help', 'l log', 's stop', 'r retry'],
  details: ['Esc back', 'q leave', '? help', 'l log', 'n/p next', 's stop', 'r retry'],
  logs: ['Esc back', 'q leave', '? help', 'Tab stderr/stdout', 'n/p next'],
  help: ['Esc back', 'q leave'],
};

function questionText({ question }: ViewState): string | null {
  if (question === null) return null;
  const id = shown(question.id ?? '');
  switch (question.wish) {
    case 'stop':
      return `Stop ${id} at the next safe point? y/n`;
    case 'retry':
      return `Retry ${id} from its last checkpoint? y/n`;
    case 'leave':
      return 'Stop all workers and leave? y/n';
  }
}

function footLines(state: ViewState, canvas: Canvas): string[] {
  const paint = painter({ width: canvas.columns, color: canvas.color });
  const question = questionText(state);
  const note = question ?? (state.note === null ? '' : shown(state.note));
  const style = question === null ? 'gray' : 'yellow';
  const cut = cutCells(note, canvas.columns);
  const keys = KEYS[state.page].map((text) => ({ text, paint: paint('gray') }));
  return [cut === '' ? '' : paint(style)(cut), fitParts(keys, canvas.columns)];
}

function bodyOf(glance: Glance, state: ViewState, canvas: Canvas, room: number): Frame {
  const status = glance.list.workstreams.find(({ workstream }) => workstream === state.selected);
  if (state.page === 'help') {
    const lines = helpLines(canvas);
    const scroll = Math.min(state.scroll, Math.max(lines.length - room, 0));
    return { lines: lines.slice(scroll, scroll + room), top: state.top, scroll };
  }
  if (state.page === 'list' || status === undefined) return listFrame(glance, state, canvas, room);
  const page = state.page === 'details' ? detailsFrame : logsFrame;
  return page(glance, state, canvas, room, status);
}

/**
 * The whole frame: at most one line less than the terminal has, so that the cursor has a place below it, and none
 * wider than the canvas. Pure: the same glance, state and canvas give the same lines.
 */
export function frameOf(glance: Glance, state: ViewState, canvas: Canvas): Frame {
  const height = Math.max(canvas.rows - 1, 1);
  // Not even an id has room here.
  if (canvas.columns < COLUMNS_LEAST) return { lines: [], top: state.top, scroll: state.scroll };
  const foot = height >= FOOT_FROM || state.question !== null ? footLines(state, canvas) : [];
  const room = Math.max(height - foot.length, 1);
  const body = bodyOf(glance, state, canvas, room);
  const lines = [...body.lines.slice(0, room)];
  while (lines.length < room) lines.push('');
  const all = [...lines, ...foot].slice(-height);
  // The mark of a cut is ours too; what people wrote is left as it is.
  return { ...body, lines: canvas.unicode ? all : all.map((line) => line.replaceAll('…', '~')) };
}
