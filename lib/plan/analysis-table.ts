import { idFault } from '../protocol/ids.ts';
import type { SyntaxFault } from './document.ts';
import { quote } from './fault.ts';
import type { Block, Cell } from './markdown.ts';
import { priorityOf } from './schema.ts';

/** The table of an analysis that selects and orders its workstreams. */

/** `priority` null: the table says nothing of it. */
export type Row = { id: string; offset: number; priority: number | null };

type Table = Extract<Block, { kind: 'table' }>;

const COLUMN = 'Workstream ID';

/** The rows in order. With a fault, nothing can be said of which workstreams were meant. */
export function rowsOf(blocks: readonly Block[]): { rows: Row[]; faults: SyntaxFault[] } {
  const tables = blocks.filter((block): block is Table => block.kind === 'table');
  const [table, second] = tables.filter(({ header }) => columnsOf(header, COLUMN).length > 0);
  if (table === undefined) return { rows: [], faults: [noTable(tables)] };
  const faults: SyntaxFault[] = [];
  const [at = 0, again] = columnsOf(table.header, COLUMN);
  const [priorityAt = -1] = columnsOf(table.header, 'Priority');
  if (second !== undefined) faults.push(ambiguous(second.offset, `a second table has a "${COLUMN}" column`));
  if (again !== undefined) {
    const { offset } = table.header[again] ?? table;
    faults.push(ambiguous(offset, `the table has a second "${COLUMN}" column`));
  }
  const rows = table.rows.flatMap((cells) => {
    if (cells.every(({ text }) => text === '')) return [];
    const { id, fault } = idOf(cells[at], cells[0]?.offset ?? table.offset);
    if (fault !== null) faults.push(fault);
    const priority = priorityIn(cells[priorityAt], faults);
    return fault === null ? [{ ...id, priority }] : [];
  });
  if (rows.length === 0 && faults.length === 0) {
    const message = 'the table lists no workstream';
    faults.push({ offset: table.offset, code: 'empty', message, hint: 'Write one row for each workstream.' });
  }
  return { rows: withoutRepeats(rows, faults), faults };
}

const squeezed = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

function columnsOf(header: readonly Cell[], name: string): number[] {
  return header.flatMap(({ text }, index) => (squeezed(text) === squeezed(name) ? [index] : []));
}

function noTable(tables: readonly Table[]): SyntaxFault {
  const message = `no table with a "${COLUMN}" column, which would say what to launch`;
  const [first] = tables;
  const seen = first?.header.map(({ text }) => quote(text)).slice(0, 6);
  const hint =
    seen === undefined
      ? `Write "| ${COLUMN} | Priority |", below it "|---|---|", and a row for each.`
      : `Name the column of the ids "${COLUMN}"; this table has ${seen.join(', ')}.`;
  return { offset: first?.offset ?? 0, code: 'no_table', message, hint };
}

function ambiguous(offset: number, message: string): SyntaxFault {
  const hint = 'Give the column that does not select what to launch another name.';
  return { offset, code: 'ambiguous', message, hint };
}

function idOf(
  cell: Cell | undefined,
  rowOffset: number,
): { id: { id: string; offset: number }; fault: SyntaxFault | null } {
  const { text: id, offset } = cell ?? { text: '', offset: rowOffset };
  if (id === '') {
    const hint = 'Write its id, or take the row out.';
    return { id: { id, offset }, fault: { offset, code: 'missing_id', message: 'the row has no id', hint } };
  }
  const rule = idFault(id);
  const hint = 'A table ends at the first empty line: put one after its last row.';
  const message = `${quote(id)} ${rule}`;
  return { id: { id, offset }, fault: rule === null ? null : { offset, code: 'bad_id', message, hint } };
}

/** `HIGH`, `🔴 high`, `2.5`; null for an empty cell or a dash. */
function priorityIn(cell: Cell | undefined, faults: SyntaxFault[]): number | null {
  if (cell === undefined) return null;
  const text = cell.text.replace(/^[^\p{L}\p{N}+.-]+|[^\p{L}\p{N}]+$/gu, '');
  if (/^(?:[^\p{L}\p{N}]*|n\/?a|none)$/iu.test(text)) return null;
  const number = /^[+-]?\d+(?:\.\d+)?$/.test(text) ? Number(text) : null;
  const priority = number ?? priorityOf(text);
  if (priority === null) {
    const message = `the priority ${quote(cell.text)} must be critical, high, medium, low or a number`;
    faults.push({
      offset: cell.offset,
      code: 'bad_priority',
      message,
      hint: 'Leave the cell empty for medium.',
    });
  }
  return priority;
}

/** Ids become file names, so those that differ in case alone are the same. */
function withoutRepeats(rows: readonly Row[], faults: SyntaxFault[]): Row[] {
  const first = new Map<string, Row>();
  for (const row of rows) {
    const earlier = first.get(row.id.toLowerCase());
    if (earlier === undefined) first.set(row.id.toLowerCase(), row);
    else {
      const same = earlier.id === row.id ? '' : `, as ${quote(earlier.id)} (case does not count)`;
      const message = `the table lists ${quote(row.id)} twice${same}`;
      faults.push({ offset: row.offset, code: 'duplicate_id', message, hint: 'Take one of the rows out.' });
    }
  }
  return [...first.values()];
}
