/** A string of a source file: its content as written, and where its quote is. Of a template, each part. */
export type Quoted = { text: string; offset: number };

/**
 * Tells code from comments and strings in TypeScript, by characters. `code` has the same length and lines, with
 * blanks for what comments, strings and regular expressions hold; quotes stay, and so does the code in `${…}`.
 */
export function mask(source: string): { code: string; strings: Quoted[] } {
  const out = source.split('');
  const strings: Quoted[] = [];
  /** How many braces are open in each `${` around. */
  const templates: number[] = [];
  let at = 0;

  const blank = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) if (out[index] !== '\n') out[index] = ' ';
  };
  const skipTo = (end: number): void => {
    blank(at, end);
    at = end;
  };
  const quoted = (from: number, to: number): void => {
    strings.push({ text: source.slice(from + 1, to), offset: from });
    blank(from + 1, to);
  };
  const template = (): void => {
    const from = at;
    for (at += 1; at < source.length; at += 1) {
      if (source[at] === '\\') at += 1;
      else if (source[at] === '`') break;
      else if (source.startsWith('${', at)) {
        quoted(from, at);
        templates.push(0);
        at += 2;
        return;
      }
    }
    quoted(from, at);
    at += 1;
  };

  while (at < source.length) {
    const character = source[at];
    if (source.startsWith('//', at)) skipTo(endOf(source, '\n', at));
    else if (source.startsWith('/*', at)) skipTo(endOf(source, '*/', at + 2) + 2);
    else if (character === "'" || character === '"') {
      const end = endOfQuoted(source, at, character);
      quoted(at, end);
      at = end + 1;
    } else if (character === '`') template();
    else if (character === '/' && startsPattern(out, at)) {
      const end = endOfPattern(source, at);
      blank(at + 1, end);
      at = end + 1;
    } else if (character === '}' && templates.at(-1) === 0) {
      templates.pop();
      template();
    } else {
      if (character === '{' && templates.length > 0)
        templates[templates.length - 1] = (templates.at(-1) ?? 0) + 1;
      if (character === '}' && templates.length > 0)
        templates[templates.length - 1] = (templates.at(-1) ?? 0) - 1;
      at += 1;
    }
  }
  return { code: out.join(''), strings };
}

function endOf(source: string, mark: string, from: number): number {
  const end = source.indexOf(mark, from);
  return end === -1 ? source.length : end;
}

function endOfQuoted(source: string, from: number, quote: string): number {
  let at = from + 1;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return at;
}

function endOfPattern(source: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < source.length; at += 1) {
    const character = source[at];
    if (character === '\\') at += 1;
    else if (character === '[') inClass = true;
    else if (character === ']') inClass = false;
    else if ((character === '/' && !inClass) || character === '\n') return at;
  }
  return source.length;
}

/** A slash divides after a value; anywhere else it starts a regular expression. */
function startsPattern(code: readonly string[], at: number): boolean {
  let before = at - 1;
  while (before >= 0 && /\s/.test(code[before] ?? '')) before -= 1;
  if (before < 0) return true;
  const text = code.slice(Math.max(0, before - 12), before + 1).join('');
  if (/\b(?:return|typeof|case|in|of|void|delete|throw|await|yield)$/.test(text)) return true;
  return !/[\w$)\]}'"`]$/.test(text);
}
