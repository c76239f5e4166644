/** JSON that a program prints among other text. */

export type JsonObject = Readonly<Record<string, unknown>>;

const LONGEST_LINE = 1024 * 1024;
const MOST_LINES = 20_000;
const MOST_FAILURES = 200;
const MOST_STARTS = 50;
const BLANKS = ' \t\r';

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that `text` spells, or null. */
function parsed(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * Each line that is a JSON object, in order; of very many, the last. A line that was cut off, or is longer than a MiB, is
 * none. Where line after line only looks like one, the search ends: each of those costs an exception.
 */
export function jsonLines(text: string): JsonObject[] {
  const found: JsonObject[] = [];
  let tried = 0;
  let failed = 0;
  for (let end = text.length; end >= 0 && tried < MOST_LINES && failed < MOST_FAILURES; ) {
    const start = end === 0 ? -1 : text.lastIndexOf('\n', end - 1);
    const line = end - start > LONGEST_LINE ? '' : text.slice(start + 1, end).trim();
    end = start;
    if (!line.startsWith('{') || !line.endsWith('}')) continue;
    tried += 1;
    const object = parsed(line);
    if (object === null) failed += 1;
    else found.push(object);
  }
  return found.reverse();
}

/** The last JSON object that begins at the start of a line and ends with the last `}` at the end of one; null: none. */
export function lastJson(text: string): JsonObject | null {
  const end = lastClosing(text);
  for (let start = end, tries = 0; start > 0 && tries < MOST_STARTS; tries += 1) {
    const before = text.lastIndexOf('\n{', start - 1);
    start = before === -1 ? 0 : before;
    if (before === -1 && !text.startsWith('{')) return null;
    const found = parsed(text.slice(before + 1, end + 1));
    if (found !== null) return found;
  }
  return null;
}

/** Where the last `}` stands behind which there is nothing but blanks in its line; -1: nowhere. */
function lastClosing(text: string): number {
  for (let end = text.length; end > 0; ) {
    const start = text.lastIndexOf('\n', end - 1);
    let last = end - 1;
    while (last > start && BLANKS.includes(text.charAt(last))) last -= 1;
    if (text.charAt(last) === '}') return last;
    end = start;
  }
  return -1;
}

/** What stands at a dotted path, such as `usage.input_tokens` or `items.0.text`; undefined: nothing. */
export function valueAt(object: JsonObject, path: string): unknown {
  let here: unknown = object;
  for (const part of path.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = (here as Record<string, unknown>)[part];
  }
  return here;
}

/** The number there, if it is one that may be counted: finite, and not below 0. */
export function countAt(object: JsonObject, path: string): number | null {
  const value = valueAt(object, path);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** The text there, or null. */
export function textAt(object: JsonObject, path: string): string | null {
  const value = valueAt(object, path);
  return typeof value === 'string' ? value : null;
}
