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
const OTHER_HTML = /^ {0,3}<\/?[A-Za-z]/;

/** What holds the lines that follow, so that a `#` in them is no heading. */
type Holder = { ends: (line: string) => boolean; isIndented: boolean };

/**
 * Offsets at which the text may be cut so that its parts mean what the whole means: before headings that start a
 * line at column 1. Where it cannot be told whether a line is code, there is no further cut.
 */
export function cutsOf(text: string): number[] {
  const cuts = [0];
  let holder: Holder | null = null;
  let offset = 0;
  for (const full of text.split('\n')) {
    const line = full.replace(/\r$/, '');
    if (holder === null) {
      if (HEADING.test(line) && offset > 0) cuts.push(offset);
      holder = holderFrom(line);
    } else if (holder.ends(line)) {
      holder = null;
    } else if (holder.isIndented && /^\S/.test(line)) {
      // In a list item this line ends the block, at the top it does not.
      return cuts;
    }
    offset += full.length + 1;
  }
  return cuts;
}

function holderFrom(line: string): Holder | null {
  const isIndented = line.startsWith(' ');
  const fence = FENCE.exec(line);
  if (fence !== null) {
    const mark = fence[2] ?? '';
    const end = new RegExp(`^ {0,3}\\${mark.charAt(0)}{${mark.length},}[ \\t]*$`);
    return { ends: (next) => end.test(next), isIndented };
  }
  for (const [start, end] of HTML) {
    if (!start.test(line)) continue;
    return end.test(line.replace(start, '')) ? null : { ends: (next) => end.test(next), isIndented };
  }
  return OTHER_HTML.test(line) ? { ends: (next) => next.trim() === '', isIndented } : null;
}
