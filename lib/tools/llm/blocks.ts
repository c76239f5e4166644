/** The blocks of the edit format: what opens one, what closes it, and how one is written. */

export type Opening = { kind: 'search' | 'whole'; width: number };

const OPEN = /^(<{7,})[ \t]*(SEARCH|WHOLE FILE)[ \t]*$/;
/** What looks like a marker, however it is spelled: a block that would be overlooked must be told. */
const LIKE_MARKER = /^[ \t]*[<>]{3,}[ \t]*(?:SEARCH|REPLACE|WHOLE FILE)(?:[ \t]*[<>]+)?[ \t]*$/i;

/** The block that a line opens, or null. */
export function openingOf(line: string): Opening | null {
  const [, arrows, word] = OPEN.exec(line) ?? [];
  if (arrows === undefined) return null;
  return { kind: word === 'SEARCH' ? 'search' : 'whole', width: arrows.length };
}

/** Whether a line outside of all blocks looks as if it were part of one. */
export const strayMarker = (line: string): boolean => LIKE_MARKER.test(line);

type BlockEdit =
  | { kind: 'replace'; search: readonly string[]; replace: readonly string[] }
  | { kind: 'whole'; lines: readonly string[] };

/** `end`: the first line (from 0) after the block, or where reading goes on after a fault. */
export type Block =
  | { kind: 'block'; edit: BlockEdit; end: number }
  | { kind: 'fault'; what: string; end: number };

const isRow = (line: string, sign: string, width: number): boolean => line.trimEnd() === sign.repeat(width);
const isEnd = (line: string, { kind, width }: Opening): boolean =>
  line.startsWith('>'.repeat(width)) &&
  line.slice(width).trim() === (kind === 'search' ? 'REPLACE' : 'WHOLE FILE');

/**
 * The block that opens at line `at`. Its markers are as wide as the opening one: what it holds may look like markers of
 * any other width. Where it could be read in two ways it is a fault.
 */
export function readBlock(lines: readonly string[], at: number, opening: Opening): Block {
  for (let end = at + 1; end < lines.length; end += 1) {
    const line = lines[end] ?? '';
    if (isEnd(line, opening)) return closedBlock(lines.slice(at + 1, end), opening, end + 1);
    if (openingOf(line)?.width === opening.width)
      return { kind: 'fault', what: 'the block has no end before the next one begins', end };
  }
  return { kind: 'fault', what: 'the block has no end', end: lines.length };
}

function closedBlock(inner: readonly string[], { kind, width }: Opening, end: number): Block {
  if (kind === 'whole') return { kind: 'block', edit: { kind: 'whole', lines: inner }, end };
  const rows = inner.flatMap((line, index) => (isRow(line, '=', width) ? [index] : []));
  const [row, more] = rows;
  if (row === undefined) return { kind: 'fault', what: `the block has no line ${'='.repeat(width)}`, end };
  if (more !== undefined) {
    const what = `the block holds a line ${'='.repeat(width)} of its own; make all its markers longer`;
    return { kind: 'fault', what, end };
  }
  return {
    kind: 'block',
    edit: { kind: 'replace', search: inner.slice(0, row), replace: inner.slice(row + 1) },
    end,
  };
}

/** The width of markers that no line of `texts` can be taken for. */
export function safeWidth(texts: readonly string[]): number {
  let width = 7;
  for (const text of texts) {
    const [row = ''] = /^(?:<+|=+|>+)/.exec(text) ?? [];
    width = Math.max(width, row.length + 1);
  }
  return width;
}

/** A whole file as a model should write it, and as it is shown to it. */
export function writeWhole(path: string, lines: readonly string[]): string {
  const width = safeWidth(lines);
  const rows = [`${'<'.repeat(width)} WHOLE FILE`, ...lines, `${'>'.repeat(width)} WHOLE FILE`];
  return [`FILE: ${path}`, ...rows].join('\n');
}
