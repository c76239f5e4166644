import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table';
import { gfmTable } from 'micromark-extension-gfm-table';
import type { SyntaxFault } from './document.ts';
import { cutsOf } from './markdown-sections.ts';

/** Markdown as far as an analysis needs it: headings, paragraphs, lists and tables, with their places. */

type Root = ReturnType<typeof fromMarkdown>;
type Node = Root['children'][number];
type ListItem = Extract<Node, { type: 'list' }>['children'][number];
type TableRow = Extract<Node, { type: 'table' }>['children'][number];

export type Cell = { text: string; offset: number };
export type Item = {
  offset: number;
  /** As it was written, without the bullet. */
  source: string;
  /** What stands in it, an item's own lists among it. */
  blocks: Block[];
};
export type Block = { offset: number } & (
  | { kind: 'heading'; depth: number; text: string }
  | { kind: 'paragraph'; text: string }
  | { kind: 'list'; items: Item[] }
  | { kind: 'table'; header: Cell[]; rows: Cell[][] }
  | { kind: 'other' }
);

const OPTIONS = {
  // Emphasis costs the square of its marks; what is read here is text, which is rid of them by `bare`.
  extensions: [gfmTable(), { disable: { null: ['attention'] } }],
  mdastExtensions: [gfmTableFromMarkdown()],
};
const MAX_LINES = 5_000;
const MAX_NESTING = 100;
const NESTED = new RegExp(`^(?:[ \\t]*(?:>|(?:[-+*]|\\d{1,9}[.)])(?=[ \\t]))){${MAX_NESTING + 1}}`, 'm');

/** The blocks of a Markdown text in order; or why it is not read. Never throws. */
export function parseBlocks(
  text: string,
  cut: (text: string) => number[] = cutsOf,
): { ok: true; blocks: Block[] } | { ok: false; fault: SyntaxFault } {
  const deep = NESTED.exec(text);
  if (deep !== null) {
    const message = `expected at most ${MAX_NESTING} levels of lists and quotes`;
    return { ok: false, fault: { offset: deep.index, code: 'too_deep', message, hint: null } };
  }
  const dense = tooDenseAt(text);
  if (dense !== null) {
    const message = 'too many brackets ("[" and "<") or backticks in one paragraph, or bars in one line';
    const hint = 'Divide it by empty lines.';
    return { ok: false, fault: { offset: dense, code: 'too_large', message, hint } };
  }
  const cuts = cut(text);
  const blocks: Block[] = [];
  for (const [index, start] of cuts.entries()) {
    const part = text.slice(start, cuts[index + 1]);
    // Rows of tables are cheap.
    if (part.split('\n').filter((line) => !line.startsWith('|')).length > MAX_LINES) {
      const message = `expected at most ${MAX_LINES} lines without a heading`;
      const hint = 'Divide it by headings, or into several files.';
      return { ok: false, fault: { offset: start, code: 'too_large', message, hint } };
    }
    for (const node of fromMarkdown(part, OPTIONS).children) {
      for (const block of blocksFrom(node, { text: part, start })) blocks.push(block);
    }
  }
  return { ok: true, blocks };
}

/** Links cost the square of the brackets of a paragraph: this is one of 2,000, or many of a few hundred. */
const MAX_DENSITY = 4_000_000;
/** Each run of backticks looks for its like to the end of the paragraph: 100 of them in 200 KB, say. */
const MAX_SEARCH = 20_000_000;
const MAX_BARS = 2_000;

/** Where text begins to cost more time than any analysis is worth, or null. A row of a table stands alone. */
function tooDenseAt(text: string): number | null {
  let [offset, cost, search] = [0, 0, 0];
  let [marks, ticks, length] = [0, 0, 0];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.trimStart().startsWith('|')) [marks, ticks, length] = [0, 0, 0];
    const more = countOf(line, /[[<]/g);
    cost += (marks + more) ** 2 - marks ** 2;
    marks += more;
    const before = ticks * length;
    ticks += countOf(line, /`+/g);
    length += line.length;
    search += ticks * length - before;
    if (cost > MAX_DENSITY || search > MAX_SEARCH || countOf(line, /\|/g) > MAX_BARS) return offset;
    offset += line.length + 1;
  }
  return null;
}

const countOf = (line: string, mark: RegExp): number => line.match(mark)?.length ?? 0;

type Part = { text: string; start: number };

function blocksFrom(node: Node, part: Part): Block[] {
  const offset = part.start + startOf(node);
  switch (node.type) {
    case 'heading':
      return [{ kind: 'heading', offset, depth: node.depth, text: textOf(node) }];
    case 'paragraph':
      return [{ kind: 'paragraph', offset, text: textOf(node) }];
    case 'list':
      return [{ kind: 'list', offset, items: node.children.map((item) => itemFrom(item, part)) }];
    case 'table': {
      const [header, ...rows] = node.children.map((row) => cellsOf(row, part));
      return [{ kind: 'table', offset, header: header ?? [], rows }];
    }
    case 'blockquote':
      // Quoted headings and lists are somebody else's; a table may well stand in a quote.
      return node.children.flatMap((child) => blocksFrom(child, part)).filter(({ kind }) => kind === 'table');
    default:
      return [{ kind: 'other', offset }];
  }
}

function itemFrom(item: ListItem, part: Part): Item {
  const offset = part.start + startOf(item);
  const source = part.text
    .slice(startOf(item), item.position?.end.offset)
    .replace(/^(?:[-+*]|\d{1,9}[.)])[ \t]*/, '')
    .trimEnd();
  return { offset, source, blocks: item.children.flatMap((child) => blocksFrom(child, part)) };
}

function cellsOf(row: TableRow, { start }: Part): Cell[] {
  return row.children.map((cell) => {
    // The bar before a cell belongs to it; its text is what a person looks for.
    const first = cell.children[0] ?? cell;
    return { text: bare(textOf(cell)), offset: start + startOf(first) };
  });
}

function startOf(node: { position?: Node['position'] }): number {
  return node.position?.start.offset ?? 0;
}

/** The text of a node without code marks, links and HTML; a hard break is a newline. */
function textOf(node: { type: string; value?: unknown; children?: readonly unknown[] }): string {
  if (node.type === 'break') return '\n';
  if (node.type === 'html') return '';
  if (typeof node.value === 'string') return node.value;
  return (node.children ?? []).map((child) => textOf(child as Parameters<typeof textOf>[0])).join('');
}

/** The text without emphasis around it. */
export function bare(text: string): string {
  const trimmed = text.replace(/^[\s*]+|[\s*]+$/g, '');
  return /^(_+)(.*?)\1$/s.exec(trimmed)?.[2] ?? trimmed;
}
