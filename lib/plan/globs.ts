/** Whether entries of `files_scope` can reach the same file; only warnings hang on it. */

type Segment =
  | { kind: 'literal'; text: string }
  /** A name with wildcards: what it must begin and end with. */
  | { kind: 'glob'; start: string; end: string }
  /** Any number of names. */
  | { kind: 'any' };

/**
 * A file, folder or glob, cut at its slashes; `base` is what stands before its first wildcard. With an extension
 * it is taken for a file, else it may be a folder and stand for all below it.
 */
export type Pattern = { text: string; base: string; segments: readonly Segment[]; isFile: boolean };

const MAGIC = /[*?[\]{}()!+@|]/;
const EXTENSION = /[^/]\.[A-Za-z][A-Za-z0-9]*$/;
const MAX_SEGMENTS = 64;

/** Reads an entry of a scope, or the path of a file or folder. */
export function patternOf(entry: string): Pattern {
  const parts = entry.split('/').filter((part) => part !== '' && part !== '.');
  const segments: Segment[] = [];
  for (const part of parts.slice(0, MAX_SEGMENTS)) {
    // Braces may hold slashes: from there on anything goes.
    const isWhole = part.split(/[{(]/).length === part.split(/[})]/).length;
    segments.push(isWhole ? segmentOf(part) : { kind: 'any' });
    if (!isWhole) break;
  }
  const magic = segments.findIndex(({ kind }) => kind !== 'literal');
  const base = parts.slice(0, magic === -1 ? segments.length : magic).join('/');
  return { text: entry, base, segments, isFile: EXTENSION.test(entry) };
}

function segmentOf(part: string): Segment {
  if (/^\*\*+$/.test(part)) return { kind: 'any' };
  if (!/[*?[{(]/.test(part)) return { kind: 'literal', text: part };
  const start = part.slice(0, part.search(MAGIC));
  const end = /[^*?[\]{}()!+@|]*$/.exec(part)?.[0] ?? '';
  return { kind: 'glob', start, end };
}

/**
 * True if a file may lie in both. Wildcards are judged by what stands before and after them, so that it may say
 * true where a finer look would not, hardly ever the reverse.
 */
export function mayOverlap(a: Pattern, b: Pattern): boolean {
  // reach[j]: the first i segments of `a` and the first j of `b` can stand for the same path.
  let reach: boolean[] = [true];
  for (let i = 0; i <= a.segments.length; i += 1) {
    const next: boolean[] = [];
    for (let j = 0; j <= b.segments.length; j += 1) {
      if (reach[j] !== true) continue;
      const [one, other] = [a.segments[i], b.segments[j]];
      if (one === undefined && (other === undefined || !a.isFile)) return true;
      if (other === undefined && !b.isFile) return true;
      if (one?.kind === 'any' || other?.kind === 'any') {
        // It stands for no name, or for the other's next one.
        next[j] = true;
        reach[j + 1] = true;
      } else if (one !== undefined && other !== undefined && meets(one, other)) next[j + 1] = true;
    }
    reach = next;
  }
  return false;
}

type Name = Exclude<Segment, { kind: 'any' }>;

function meets(a: Name, b: Name): boolean {
  if (a.kind === 'literal' && b.kind === 'literal') return a.text === b.text;
  if (a.kind === 'literal') return meets(b, a);
  if (b.kind === 'literal') return fits(b.text, a);
  return (
    (a.start.startsWith(b.start) || b.start.startsWith(a.start)) &&
    (a.end.endsWith(b.end) || b.end.endsWith(a.end))
  );
}

function fits(text: string, { start, end }: { start: string; end: string }): boolean {
  return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end);
}
