import { type Block, bare } from './markdown.ts';

/** Which ids the headings of an analysis name, and what stands below each. */

export type Heading = {
  /** Its place among the blocks. */
  index: number;
  depth: number;
  offset: number;
  /** Lower case; each names an id that equals it, or that it begins, up to a `-`. */
  names: string[];
  title: string;
};

/** A heading and the name in it that means the id. */
export type Naming = { heading: Heading; name: string };

const HEADING_LENGTH = 400;
/** Emoji, brackets, numbering and the word "Workstream" may stand before the name. */
const BEFORE = /^(?:\d\ufe0f?\u20e3|[^A-Za-z0-9]+|\d+(?:\.\d+)*[.)]?\s+|workstreams?[\s:#]+)/i;
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?/;
const BETWEEN = /^[\])*_]*\s*(?:,\s*and\s|[&,+/;]|and\s)[\s[(*_]*/i;
/** `_x_` and `__x__`, which ids cannot begin with. */
const UNDERLINED = /(^|[\s(*])(__?)([A-Za-z0-9].*?)\2(?=$|[\s:,)*])/g;
const MARKS = /^[\])*_.]*\s*/;
const BEFORE_TITLE = /^[\s:|\u2013\u2014-]+/;

/** The headings at the top level, in order. */
export function headingsOf(blocks: readonly Block[]): Heading[] {
  return blocks.flatMap((block, index) => {
    if (block.kind !== 'heading') return [];
    return [{ index, depth: block.depth, offset: block.offset, ...readHeading(block.text) }];
  });
}

/** `🔴 WS-1 & WS-2: Title` → names `ws-1`, `ws-2`, title `Title`. */
function readHeading(text: string): { names: string[]; title: string } {
  let rest = text.slice(0, HEADING_LENGTH).replace(/\s+/g, ' ').replace(UNDERLINED, '$1$3');
  for (let before = BEFORE.exec(rest); before !== null; before = BEFORE.exec(rest)) {
    rest = rest.slice(before[0].length);
  }
  const names: string[] = [];
  for (let name = NAME.exec(rest)?.[0]; name !== undefined; ) {
    rest = rest.slice(name.length);
    const between = BETWEEN.exec(rest)?.[0];
    const isLast = between === undefined || !NAME.test(rest.slice(between.length));
    const isSentence = isLast && /^ [A-Za-z0-9]/.test(rest.replace(MARKS, ' '));
    // "Setup tasks" is about no workstream "setup"; "WS-22 Schema setup" is about WS-22.
    if (!isSentence || !/^ /.test(rest) || /[\d_-]/.test(name)) names.push(name.toLowerCase());
    if (isLast) break;
    rest = rest.slice(between.length);
    name = NAME.exec(rest)?.[0];
  }
  const title = rest.replace(MARKS, '').replace(BEFORE_TITLE, '');
  return { names, title: bare(title).replace(/(\*+)(?=\S)(.+?)\1/g, '$2') };
}

/**
 * Where each id is named: by the longest name that means it, of which there may be several. A name that equals
 * an id means that id alone. Ids in lower case.
 */
export function namingsOf(headings: readonly Heading[], ids: readonly string[]): Map<string, Naming[]> {
  const all = new Set(ids);
  const byName = new Map<string, Naming[]>();
  for (const heading of headings) {
    for (const name of new Set(heading.names)) {
      byName.set(name, [...(byName.get(name) ?? []), { heading, name }]);
    }
  }
  return new Map(ids.map((id) => [id, byName.get(longestName(id, byName, all) ?? '') ?? []]));
}

function longestName(
  id: string,
  byName: ReadonlyMap<string, unknown>,
  ids: ReadonlySet<string>,
): string | null {
  for (let end = id.length; end > 0; end = id.lastIndexOf('-', end - 1)) {
    const name = id.slice(0, end);
    if (byName.has(name) && (end === id.length || !ids.has(name))) return name;
  }
  return null;
}

/** What stands below a heading, down to the next of its rank or above, or to one that names an id. */
export function blocksBelow(
  blocks: readonly Block[],
  heading: Heading,
  named: ReadonlySet<number>,
): readonly Block[] {
  const from = heading.index + 1;
  const end = blocks.findIndex((block, index) => {
    return index >= from && block.kind === 'heading' && (block.depth <= heading.depth || named.has(index));
  });
  return blocks.slice(from, end === -1 ? blocks.length : end);
}
