import { selfAndAbove } from '../protocol/scope.ts';
import type { Violation } from '../protocol/status.ts';
import { type Change, readable } from './changes.ts';

/** Which changes of a task must go because of its scope. Pure. */

/** A change outside the scope, for people. */
export type Outside = Omit<Violation, 'task'>;

type Renames = readonly (readonly [string, string])[];

/**
 * Splits off all changes that cannot stay: those outside, both ends of a rename that leaves the scope or enters
 * it, and those inside that stand where something outside must come back (a file where there was a folder).
 */
export function splitAtBorder(
  changes: readonly Change[],
  renames: Renames,
  isInside: (path: string) => boolean,
): { taken: Change[]; outside: Outside[] } {
  const taken = new Set(changes.map(({ path }) => path).filter((path) => !isInside(readable(path))));
  if (taken.size === 0) return { taken: [], outside: [] };
  for (let before = -1; before !== taken.size; ) {
    before = taken.size;
    for (const [from, to] of renames) if (taken.has(from) || taken.has(to)) taken.add(from).add(to);
    for (const path of inTheWay(changes, taken)) taken.add(path);
  }
  const all = changes.filter(({ path }) => taken.has(path));
  return { taken: all, outside: describe(all, renames, isInside) };
}

/** New paths that stay, although one that comes back lies below or above them. */
function inTheWay(changes: readonly Change[], taken: ReadonlySet<string>): string[] {
  const back = changes
    .filter(({ path, before }) => before !== null && taken.has(path))
    .map(({ path }) => path);
  const [files, folders] = [new Set(back), new Set(back.flatMap((path) => selfAndAbove(path).slice(1)))];
  const staying = changes.filter(({ path, before }) => before === null && !taken.has(path));
  return staying
    .map(({ path }) => path)
    .filter((path) => folders.has(path) || selfAndAbove(path).some((above) => files.has(above)));
}

function describe(
  taken: readonly Change[],
  renames: Renames,
  isInside: (path: string) => boolean,
): Outside[] {
  const gone = new Set<string>();
  const cameFrom = new Map<string, string>();
  for (const [from, to] of renames) {
    gone.add(from);
    cameFrom.set(to, from);
  }
  return taken.flatMap(({ path, before, after }): Outside[] => {
    const from = cameFrom.get(path);
    const shown = readable(path);
    if (from !== undefined) return [{ path: shown, from: readable(from), change: 'renamed' }];
    if (after === null) return gone.has(path) ? [] : [{ path: shown, change: 'deleted' }];
    if (isInside(shown)) return [{ path: shown, change: 'in_the_way' }];
    return [{ path: shown, change: before === null ? 'added' : 'modified' }];
  });
}
