import stringWidth from 'string-width';

/**
 * Rows for people. Not cli-table3: its import takes 7 to 10 ms of the 60 that `orch status` has, and it cannot leave
 * out columns where a terminal is narrow. string-width knows the two cells of CJK and emoji.
 */

export type Cell = { text: string; paint?: (text: string) => string };
export type Column = {
  title: string;
  /** Narrowest that still says something. */
  least: number;
  /** Left out in this order where the terminal is too narrow; 0 is never. */
  drop: number;
};

const GAP = '  ';
/** One cell each, and none that combines: ASCII, and the signs and bars that orch itself draws. */
const NARROW = /^[\u0020-\u007e…·○●✔■✖█░❯]*$/;
const graphemes = new Intl.Segmenter();

/** Cells that a text takes on a terminal. */
export function cells(text: string): number {
  return NARROW.test(text) ? text.length : stringWidth(text);
}

/** `text` cut to at most `most` cells, the cut marked with `…`. */
export function cutCells(text: string, most: number): string {
  if (most === Number.POSITIVE_INFINITY || cells(text) <= most) return text;
  if (most < 1) return '';
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += cells(segment);
    if (used > most - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** `text` in lines of at most `width` cells, broken at blanks where it can be; `lead` goes before the first. */
export function wrapCells(text: string, width: number, indent: string, lead = ''): string[] {
  const [first = '', ...words] = text.split(' ');
  const lines = [[lead + first]];
  // Counted word by word: a line measured anew for each takes the square of its length.
  let used = cells(lead + first);
  for (const word of words) {
    const more = cells(word);
    if (used + 1 + more > width) {
      lines.push([indent + word]);
      used = indent.length + more;
    } else {
      lines.at(-1)?.push(word);
      used += 1 + more;
    }
  }
  return lines.map((line) => cutCells(line.join(' '), width));
}

/** The width of each column, 0 for those left out. `width` null: as wide as it needs. */
function fitWidths(columns: readonly Column[], natural: readonly number[], width: number | null): number[] {
  const widths = [...natural];
  if (width === null) return widths;
  const over = (): number => {
    const shown = widths.filter((one) => one > 0);
    return shown.reduce((sum, one) => sum + one, 0) + GAP.length * Math.max(shown.length - 1, 0) - width;
  };
  const shrink = (): void => {
    // The last columns say the least that matters.
    for (let at = columns.length - 1; at >= 0; at -= 1) {
      const now = widths[at] ?? 0;
      if (now > 0) widths[at] = now - Math.max(0, Math.min(over(), now - (columns[at]?.least ?? now)));
    }
  };
  const droppable = columns.map(({ drop }, at) => ({ drop, at })).filter(({ drop }) => drop > 0);
  droppable.sort((a, b) => a.drop - b.drop);
  for (const { at } of [...droppable, { at: -1 }]) {
    const before = [...widths];
    shrink();
    if (over() <= 0 || at < 0) break;
    widths.splice(0, widths.length, ...before);
    widths[at] = 0;
  }
  return widths;
}

/** Lines of a table, none wider than `width` cells as long as two narrow columns fit. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number | null,
  paintTitle: (text: string) => string,
): string[] {
  const titles: Cell[] = columns.map(({ title }) => ({ text: title, paint: paintTitle }));
  const natural = columns.map((_, at) => {
    let widest = 0;
    for (const row of [titles, ...rows]) widest = Math.max(widest, cells(row[at]?.text ?? ''));
    return widest;
  });
  const widths = fitWidths(columns, natural, width);
  return [titles, ...rows].map((row) => line(row, widths));
}

function line(row: readonly Cell[], widths: readonly number[]): string {
  const shown = row.filter((_, at) => (widths[at] ?? 0) > 0);
  const room = widths.filter((one) => one > 0);
  const parts = shown.map(({ text, paint }, at) => {
    const cut = cutCells(text, room[at] ?? 0);
    const isLast = at === shown.length - 1;
    const padding = isLast ? '' : ' '.repeat(Math.max((room[at] ?? 0) - cells(cut), 0));
    return (paint === undefined ? cut : paint(cut)) + padding;
  });
  return parts.join(GAP).trimEnd();
}
