import { cutCells } from '../table.ts';
import type { Canvas } from './model.ts';

/** The keys, as the help page and the guide list them. */
export function helpLines({ columns, attached }: Canvas): string[] {
  const leave = attached
    ? 'asks whether to stop the workers and leave'
    : 'leaves; the work goes on, `orch reattach` comes back';
  const interrupt = attached
    ? 'stops the workers at the next safe point; once more: at once'
    : 'leaves, as q does';
  const keys = [
    ['up, down, k, j', 'another workstream; on other pages: scroll'],
    ['PgUp, PgDn', 'a page up or down'],
    ['g, G, Home, End', 'to the first, to the last'],
    ['Enter', 'details: record, checks, commits, end of the log'],
    ['n, p', 'on those pages: the next, the one before'],
    ['l', 'its log; Tab: stdout or stderr'],
    ['s', 'stop it (asks)'],
    ['r', 'retry it, from its last checkpoint (asks)'],
    ['Esc, Backspace', 'back'],
    ['q', leave],
    ['Ctrl+C', interrupt],
    ['Ctrl+Z', 'to the shell; `fg` comes back'],
    ['Ctrl+L', 'draws everything again'],
    ['?', 'this page'],
  ] as const;
  const lines = [
    'Keys',
    ...keys.map(([key, text]) => `  ${key.padEnd(16)} ${text}`),
    '',
    'TIME is that of the attempt, QUIET since its last output.',
    'CPU (100% is one core) and MEM are of the worker and all it runs.',
    'The end is guessed: tasks left x mean task time / workers,',
    'no less than the longest chain; tests and retries are not in it.',
  ];
  return lines.map((line) => cutCells(line, columns));
}
