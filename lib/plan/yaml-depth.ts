import { Lexer } from 'yaml';

/** Above the depth that a plan may have, far below the one at which the parser's recursion is a danger. */
const LIMIT = 150;
const MARKS = new Set(['\u0002', '\u0018', '\u001f', '\ufeff']);

/**
 * Offset at which YAML nests too deep to be handed to the parser, or null.
 * The parser recurses, and a regular expression compiled near the end of the stack ends the whole process.
 */
export function tooDeepAt(text: string): number | null {
  const columns: number[] = [];
  let [offset, lineStart, flow] = [0, 0, 0];
  let opens = true;
  for (const token of new Lexer().lex(text)) {
    if (MARKS.has(token)) continue;
    const column = offset - lineStart;
    if (token === '[' || token === '{') flow += 1;
    else if (token === ']' || token === '}') flow -= 1;
    if (flow === 0 && opens && token.trim() !== '') {
      while ((columns.at(-1) ?? -1) > column) columns.pop();
      if ((columns.at(-1) ?? -1) < column) columns.push(column);
    }
    if (flow + columns.length > LIMIT) return offset;
    if (token.trim() !== '') opens = token === '-' || token === '?' || token === ':';
    const newline = token.lastIndexOf('\n');
    if (newline !== -1) {
      lineStart = offset + newline + 1;
      opens = true;
    }
    offset += token.length;
  }
  return null;
}
