/** Texts of files as lines, each with the end that it has: what is not edited comes back byte for byte. */

type LineEnd = '' | '\n' | '\r\n';
export type Line = { text: string; end: LineEnd };
export type TextFile = { bom: boolean; lines: readonly Line[] };

const BOM = '\ufeff';
const NEWLINE = 10;
/** Each line costs some memory of its own, however short. */
const MAX_LINES = 200_000;
export const TEXT_RULE = `it is not a text in UTF-8 of at most ${MAX_LINES} lines`;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The lines of a file, or null where its bytes are no text in UTF-8 (a NUL is none) or have too many lines. */
export function decodeText(bytes: Uint8Array): TextFile | null {
  if (bytes.includes(0) || hasTooManyLines(bytes)) return null;
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
  const bom = text.startsWith(BOM);
  return { bom, lines: splitLines(bom ? text.slice(1) : text) };
}

function hasTooManyLines(bytes: Uint8Array): boolean {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1 && count <= MAX_LINES; at = bytes.indexOf(NEWLINE, at + 1))
    count += 1;
  return count > MAX_LINES;
}

/** The bytes of a file: exactly those that `decodeText` read where nothing was changed. */
export function encodeText({ bom, lines }: TextFile): Buffer {
  return Buffer.from(`${bom ? BOM : ''}${lines.map(({ text, end }) => text + end).join('')}`);
}

/** Only the last line may be without an end. */
export function splitLines(text: string): Line[] {
  const parts = text.split('\n');
  const last = parts.pop() ?? '';
  const lines = parts.map(
    (part): Line =>
      part.endsWith('\r') ? { text: part.slice(0, -1), end: '\r\n' } : { text: part, end: '\n' },
  );
  return last === '' ? lines : [...lines, { text: last, end: '' }];
}

/** How most lines end; a file without a whole line has `\n`. */
export function mainEnd(lines: readonly Line[]): '\n' | '\r\n' {
  const crlf = lines.filter(({ end }) => end === '\r\n').length;
  return crlf * 2 > lines.filter(({ end }) => end !== '').length ? '\r\n' : '\n';
}

/** `texts` as a whole file in place of `before`, which tells its byte order mark and how lines end; the last one ends too. */
export function wholeText(texts: readonly string[], before: TextFile | null): TextFile {
  const end = mainEnd(before?.lines ?? []);
  return { bom: before?.bom ?? false, lines: texts.map((text) => ({ text, end })) };
}

/**
 * `lines` with `count` of them from `at` replaced by `texts`. A new line ends as the one that stood in its place, or as
 * the last one replaced; the file ends with a newline if it did before.
 */
export function replaceLines(
  lines: readonly Line[],
  { at, count }: { at: number; count: number },
  texts: readonly string[],
): Line[] {
  const usual = mainEnd(lines);
  const old = lines.slice(at, at + count);
  const after = lines.slice(at + count);
  const made = texts.map((text, index): Line => {
    const end = (old[index] ?? old.at(-1))?.end ?? usual;
    return { text, end: end === '' ? usual : end };
  });
  const isEndOpen = after.length === 0 && lines.at(-1)?.end === '';
  const last = made.pop();
  const tail = last === undefined ? [] : [isEndOpen ? { ...last, end: '' as const } : last];
  return [...lines.slice(0, at), ...made, ...tail, ...after];
}
