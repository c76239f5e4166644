/** JSON that a program prints among other text. */

export type JsonObject = Readonly<Record<string, unknown>>;

const LONGEST_LINE = 1024 * 1024;
const MOST_STARTS = 50;

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

/** Each line that is a JSON object, in order. A line that was cut off, or is longer than a MiB, is none. */
export function jsonLines(text: string): JsonObject[] {
  return text.split('\n').flatMap((line) => {
    const trimmed = line.trim();
    if (!trimmed.startsWith('{') || trimmed.length > LONGEST_LINE) return [];
    const found = parsed(trimmed);
    return found === null ? [] : [found];
  });
}

/** The last JSON object that begins at the start of a line and ends with the last `}` of a line; null: none. */
export function lastJson(text: string): JsonObject | null {
  const ends = [...text.matchAll(/\}[ \t\r]*$/gm)];
  const end = ends.at(-1);
  if (end === undefined) return null;
  const upTo = text.slice(0, end.index + 1);
  const starts = [...upTo.matchAll(/^\{/gm)].slice(-MOST_STARTS);
  for (const { index } of starts.reverse()) {
    const found = parsed(upTo.slice(index));
    if (found !== null) return found;
  }
  return null;
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
