import type { PlannedWorkstream } from '../protocol/plan.ts';
import { faultAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, quote } from './fault.ts';
import { mayOverlap, type Pattern, patternOf } from './globs.ts';

type Scoped = { index: number; pattern: Pattern };
/** Positions of the others, with the entry that they overlap at. */
type Overlaps = Map<number, string>;

const SHOWN = 3;

/** A warning for each workstream whose scope overlaps with one before it that may run at the same time. */
export function overlapWarnings(
  workstreams: readonly PlannedWorkstream[],
  entries: readonly Entry[],
): Fault[] {
  const ordered = orderedPairs(workstreams);
  const found = new Map<number, Overlaps>();
  for (const [one, other] of overlaps(workstreams)) {
    const [first, second] = one.index < other.index ? [one, other] : [other, one];
    if (ordered(first.index, second.index)) continue;
    const others = found.get(second.index) ?? new Map();
    found.set(second.index, others);
    if (!others.has(first.index)) others.set(first.index, second.pattern.text);
  }
  return [...found].flatMap(([index, others]) => {
    const entry = entries[index];
    return entry === undefined ? [] : [warning(workstreams, entry, others)];
  });
}

function warning(workstreams: readonly PlannedWorkstream[], entry: Entry, others: Overlaps): Fault {
  const ids = [...others.keys()].sort((a, b) => a - b).map((index) => quote(workstreams[index]?.id ?? ''));
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '';
  const shown = `${ids.slice(0, SHOWN).join(', ')}${more}`;
  const places = [...new Set(others.values())].slice(0, SHOWN).map(quote).join(', ');
  const message = `${quote(entry.id ?? '')} may run at the same time as ${shown}, and their scopes overlap at ${places}`;
  const hint =
    'Their branches may conflict when merged: narrow "files_scope", or order them with "depends_on".';
  return faultAt(entry.document, [...entry.path, 'files_scope'], 'overlap', message, hint, 'key');
}

/** Pairs of scope entries, of two workstreams each, that may reach the same file. */
function* overlaps(workstreams: readonly PlannedWorkstream[]): Generator<[Scoped, Scoped]> {
  const scoped = workstreams.flatMap(({ files_scope, files_create }, index): Scoped[] => {
    return [...new Set([...files_scope, ...files_create])].map((text) => ({
      index,
      pattern: patternOf(text),
    }));
  });
  // Sorted, what lies below a folder follows it at once; "\0" puts "a/b" before "a.b".
  const key = ({ pattern }: Scoped): string => pattern.base.replaceAll('/', '\0');
  const sorted = scoped.map((one) => ({ ...one, key: key(one) })).sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const [at, one] of sorted.entries()) {
    for (let next = at + 1; next < sorted.length; next += 1) {
      const other = sorted[next];
      if (other === undefined || !isBelow(other.key, one.key)) break;
      if (other.index !== one.index && mayOverlap(one.pattern, other.pattern)) yield [one, other];
    }
  }
}

function isBelow(key: string, folder: string): boolean {
  return folder === '' || key === folder || key.startsWith(`${folder}\0`);
}

/** Tells whether one of two workstreams, by position, waits for the other. */
function orderedPairs(workstreams: readonly PlannedWorkstream[]): (a: number, b: number) => boolean {
  const position = new Map(workstreams.map(({ id }, index) => [id, index]));
  const ancestors: (Set<number> | null)[] = workstreams.map(() => null);
  const ancestorsOf = (start: number): Set<number> => {
    const found = new Set<number>();
    const stack = [start];
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      for (const id of workstreams[index]?.depends_on ?? []) {
        const parent = position.get(id);
        if (parent === undefined || found.has(parent)) continue;
        found.add(parent);
        stack.push(parent);
      }
    }
    return found;
  };
  const waits = (later: number, earlier: number): boolean => {
    const known = ancestors[later] ?? ancestorsOf(later);
    ancestors[later] = known;
    return known.has(earlier);
  };
  return (a, b) => waits(a, b) || waits(b, a);
}
