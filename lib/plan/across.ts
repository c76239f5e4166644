import { dirname } from 'node:path';
import { faultAt, placeAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, quote } from './fault.ts';
import { cyclesOf } from './graph.ts';
import { member, textsIn } from './raw.ts';

/** Where an id that no file of the plan defines could be: asked only for hints. */
type Neighbours = (folder: string, id: string) => Promise<string | null>;

type Named = Entry & { id: string };
const isNamed = (entry: Entry): entry is Named => entry.id !== null;

export type Surroundings = {
  neighbours: Neighbours;
  isSelected: (id: string) => boolean;
  /** True for what an earlier run has done. */
  satisfied: (id: string) => boolean | Promise<boolean>;
};

/** Faults that lie between workstreams: repeated ids, cycles, and dependencies that the selection leaves open. */
export async function faultsAcross(entries: readonly Entry[], around: Surroundings): Promise<Fault[]> {
  const named = entries.filter(isNamed);
  const repeated = duplicates(named);
  const unknown = await openDependencies(named, around);
  return [...repeated, ...unknown, ...cycles(named)];
}

function dependenciesOf(entry: Entry): { id: string; index: number }[] {
  return textsIn(member(entry.map, 'depends_on')).map(([index, id]) => ({ id, index }));
}

/** Ids become file names, so those that differ in case alone are the same. */
function duplicates(named: readonly Named[]): Fault[] {
  const first = new Map<string, Named>();
  return named.flatMap((entry) => {
    const earlier = first.get(entry.id.toLowerCase());
    if (earlier === undefined) {
      first.set(entry.id.toLowerCase(), entry);
      return [];
    }
    const same = earlier.id === entry.id ? '' : `, as ${quote(earlier.id)} (case does not count)`;
    const { document, path } = entry;
    const message = `the id ${quote(entry.id)} is already taken at ${placeOf(earlier)}${same}`;
    return [
      faultAt(document, [...path, 'id'], 'duplicate_id', message, 'Give each workstream an id of its own.'),
    ];
  });
}

function placeOf({ document, path, map }: Entry): string {
  const offset = member(map, 'id')?.offset ?? map.offset;
  const { line, column } = placeAt(document.lineStarts, offset);
  return `${document.file}:${line}:${column}${path.length === 0 ? '' : ` (${path.join('.')})`}`;
}

async function openDependencies(
  named: readonly Named[],
  { neighbours, isSelected, satisfied }: Surroundings,
): Promise<Fault[]> {
  const known = new Map(named.map((entry) => [entry.id, entry]));
  const byCase = new Map(named.map((entry) => [entry.id.toLowerCase(), entry.id]));
  const faults: Fault[] = [];
  for (const entry of named.filter(({ id }) => isSelected(id))) {
    for (const { id, index } of dependenciesOf(entry)) {
      const unselected = known.get(id);
      if (unselected !== undefined && isSelected(id)) continue;
      if (await satisfied(id)) continue;
      const place = [...entry.path, 'depends_on', index];
      const head = `${quote(entry.id)} depends on ${quote(id)}, which`;
      if (unselected !== undefined) {
        const message = `${head} is outside the selection, and no earlier run has completed it`;
        const hint = `Select it too (it is at ${placeOf(unselected)}), or complete it first.`;
        faults.push(faultAt(entry.document, place, 'unmet_dependency', message, hint));
        continue;
      }
      const close = byCase.get(id.toLowerCase());
      const hint =
        close === undefined
          ? await neighbours(dirname(entry.document.path), id)
          : `Did you mean ${quote(close)}?`;
      const message = `${head} the plan does not define, and no earlier run has completed it`;
      faults.push(faultAt(entry.document, place, 'unknown_dependency', message, hint));
    }
  }
  return faults;
}

function cycles(named: readonly Named[]): Fault[] {
  const nodes = named.map((entry) => ({
    id: entry.id,
    depends_on: dependenciesOf(entry).map(({ id }) => id),
  }));
  const byId = new Map(named.map((entry) => [entry.id, entry]));
  return cyclesOf(nodes).flatMap((cycle) => {
    const entry = byId.get(cycle[0] ?? '');
    if (entry === undefined) return [];
    const index = dependenciesOf(entry).find(({ id }) => id === cycle[1])?.index ?? 0;
    const message = `these workstreams wait for each other: ${cycle.join(' -> ')}`;
    const place = [...entry.path, 'depends_on', index];
    return [faultAt(entry.document, place, 'cycle', message, 'Take one of the dependencies out.')];
  });
}
