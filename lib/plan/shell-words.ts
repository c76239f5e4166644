/** A text cut as a POSIX shell would cut it, as far as is needed to tell a command from a sentence. */

export type Token =
  | { kind: 'operator'; text: string }
  /** `quoted`: some of it stood in quotes, was escaped or is an expansion, so it is not judged as English. */
  | { kind: 'word'; text: string; quoted: boolean };

export type ShellWords = {
  tokens: Token[];
  /** A quote, `$(` or backtick stays open: no shell would take it. */
  open: boolean;
};

const OPERATOR = /(?:\d*(?:<<<|<<-?|<>|>>|>\||[<>]&[\d-]?|[<>])|&>>?|&&|\|\||;;|[|&;()\n])/y;

/** The words and operators of `text`; comments are left out. Never throws. */
export function shellWords(text: string): ShellWords {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    OPERATOR.lastIndex = at;
    const operator = OPERATOR.exec(text)?.[0];
    if (operator !== undefined) {
      tokens.push({ kind: 'operator', text: operator });
      at += operator.length;
    } else if (/\s/.test(char)) at += 1;
    else if (char === '#') at = endOf(text, '\n', at);
    else {
      const word = wordAt(text, at);
      if (word === null) return { tokens, open: true };
      tokens.push({ kind: 'word', text: text.slice(at, word.end), quoted: word.quoted });
      at = word.end;
    }
  }
  return { tokens, open: false };
}

function endOf(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from);
  return end === -1 ? text.length : end;
}

/** Where the word that begins at `from` ends; null if a quote stays open. */
function wordAt(text: string, from: number): { end: number; quoted: boolean } | null {
  let at = from;
  let quoted = false;
  while (at < text.length && !/[\s|&;()<>]/.test(text.charAt(at))) {
    const next = partEnd(text, at);
    if (next === null) return null;
    quoted ||= next !== at + 1 || text.charAt(at) === '$';
    at = next;
  }
  return { end: at, quoted };
}

/** End of the quote, escape or expansion at `at`, else of the one character. */
function partEnd(text: string, at: number): number | null {
  const char = text.charAt(at);
  if (char === '\\') return at + 1 < text.length ? at + 2 : null;
  if (char === "'") return after(text, "'", at + 1);
  if (char === '"' || char === '`') return quoteEnd(text, at + 1, char);
  if (char === '$' && text.charAt(at + 1) === '(') return parenEnd(text, at + 2);
  return at + 1;
}

function after(text: string, mark: string, from: number): number | null {
  const end = text.indexOf(mark, from);
  return end === -1 ? null : end + 1;
}

function quoteEnd(text: string, from: number, mark: string): number | null {
  for (let at = from; at < text.length; at += 1) {
    if (text.charAt(at) === '\\') at += 1;
    else if (text.charAt(at) === mark) return at + 1;
  }
  return null;
}

/** End of `$(...)`: quotes inside it are passed over, parentheses counted. */
function parenEnd(text: string, from: number): number | null {
  let depth = 1;
  let at = from;
  while (at < text.length) {
    const char = text.charAt(at);
    const end = `'"\\\``.includes(char) ? partEnd(text, at) : at + 1;
    if (end === null) return null;
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    at = end;
    if (depth === 0) return at;
  }
  return null;
}
