import type { StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { painter, type Screen, STYLES, screenOf } from '../render.ts';
import { cutCells, wrapCells } from '../table.ts';
import { shown } from './rows.ts';
import { showsUnicode, signOf } from './symbols.ts';

/** `over`: nothing more happens. `left`: a person went away, and the work goes on. `stopped`: it was stopped. */
export type Leave = 'over' | 'left' | 'stopped';

const ROWS_MAX = 20;

const NEEDS_PERSON = new Set(['failed', 'timed_out', 'crashed', 'conflict', 'blocked', 'unknown']);

function rowOf(status: WorkstreamStatus, screen: Screen, unicode: boolean): string {
  const { workstream, verdict, progress } = status;
  const text =
    `${signOf(verdict, unicode)} ${shown(workstream)}  ${verdict}  ${shown(progress ?? '')}`.trimEnd();
  return painter(screen)(STYLES[verdict])(screen.width === null ? text : cutCells(text, screen.width));
}

/** Why it is not as it should be, and what to do. */
function trouble({ verdict, reason, final }: WorkstreamStatus, screen: Screen): string[] {
  if (reason === null || !NEEDS_PERSON.has(verdict) || (verdict !== 'unknown' && !final)) return [];
  const texts = [reason.message, ...(reason.hint === null ? [] : [reason.hint])];
  const width = screen.width ?? Number.POSITIVE_INFINITY;
  return texts.flatMap((text) => wrapCells(shown(text), width, '    ', '    '));
}

/**
 * What stays on the screen after the view: each workstream in a line, at most 20, those that need a person first, with
 * reason and hint unless the command tells them itself (`over`); then where to go on.
 */
export function summaryLines(list: StatusList, leave: Leave, screen: Screen, unicode: boolean): string[] {
  const { workstreams } = list;
  const urgent = workstreams.filter(({ verdict }) => NEEDS_PERSON.has(verdict));
  const others = workstreams.filter(({ verdict }) => !NEEDS_PERSON.has(verdict));
  const told = [...urgent, ...others].slice(0, ROWS_MAX);
  const rows = workstreams
    .filter((status) => told.includes(status))
    .flatMap((status) => [
      rowOf(status, screen, unicode),
      ...(leave === 'over' ? [] : trouble(status, screen)),
    ]);
  const hidden = workstreams.length - told.length;
  const next = {
    over: [],
    left: ['`orch reattach` comes back, `orch status` looks in.'],
    stopped: ['`orch run` goes on from the checkpoints, `orch retry ID` with one of them.'],
  }[leave];
  const wrapped = next.flatMap((line) => wrapCells(line, screen.width ?? Number.POSITIVE_INFINITY, '  '));
  return [...rows, ...(hidden === 0 ? [] : [`… and ${hidden} more`]), ...wrapped];
}

/** The summary as it is written to stdout. */
export function summaryText(list: StatusList, leave: Leave, color: boolean): string {
  const lines = summaryLines(list, leave, screenOf(color), showsUnicode(process.env));
  return `${lines.join('\n')}\n`;
}
