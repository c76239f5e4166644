/** Cutting Markdown at its headings: the parser's time grows with the square of the blocks that it is given. */

const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})/;
const HEADING = /^#{1,6}(?:[ \t]|$)/;
/** Start and end of the HTML blocks that may hold blank lines. */
const HTML: readonly (readonly [RegExp, RegExp])[] = [
  [/^ {0,3}<!--/, /-->/],
  [/^ {0,3}<(?:script|pre|style|textarea)(?:[\s>]|$)/i, /<\/(?:script|pre|style|textarea)>/i],
  [/^ {0,3}<\?/, /\?>/],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/],
  [/^ {0,3}<![A-Za-z]/, />/],
];
/** Markdown ends a line at a carriage return too. */
const LINES = /([^\r\n]*)(?:\r\n|\r|\n|$)/g;
const OTHER_HTML = /^ {0,3}<\/?[A-Za-z]/;

/**
 * What holds the lines that follow, so that a `#` in them is no heading. `isText`: it may be the text of a paragraph
 * instead, which holds nothing.
 */
type Holder = { ends: (line: string) => boolean; indent: number; isText: boolean };

/**
 * Offsets at which the text may be cut so that its parts mean what the whole means: before headings that start a
 * line at column 1. Where it cannot be told whether a line is code, there is no further cut.
 */
export function cutsOf(text: string): number[] {
  const cuts = [0];
  let holder: Holder | null = null;
  for (const { 1: line = '', index: offset } of text.matchAll(LINES)) {
    const next = holderFrom(line);
    if (holder === null) {
      if (HEADING.test(line) && offset > 0) cuts.push(offset);
      holder = next;
    } else if (!isBlank(line) && indentOf(line) < holder.indent) {
      // In a list item this line ends the item, and the block with it; at the top it does not.
      return cuts;
    } else if (holder.isText && next !== null && !next.isText) {
      // In a block this line begins none, in a paragraph it does.
      return cuts;
    } else if (holder.ends(line)) {
      holder = null;
    }
  }
  return cuts;
}

function holderFrom(line: string): Holder | null {
  const indent = indentOf(line);
  const fence = FENCE.exec(line);
  if (fence !== null) {
    const mark = fence[2] ?? '';
    const end = new RegExp(`^ {0,3}\\${mark.charAt(0)}{${mark.length},}[ \\t]*$`);
    return { ends: (next) => end.test(next), indent, isText: false };
  }
  for (const [start, end] of HTML) {
    if (!start.test(line)) continue;
    return end.test(line.replace(start, ''))
      ? null
      : { ends: (next) => end.test(next), indent, isText: false };
  }
  return OTHER_HTML.test(line) ? { ends: isBlank, indent, isText: true } : null;
}

/** Columns, of which more than three count as four. */
const indentOf = (line: string): number =>
  /^ {0,3}\t/.test(line) ? 4 : (/^ {0,4}/.exec(line)?.[0].length ?? 0);

const isBlank = (line: string): boolean => /^[ \t]*$/.test(line);
