import { type Document, faultAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, quote } from './fault.ts';
import { cyclesOf, inOrder } from './graph.ts';
import { member, type Path, type RawMap, textOf, textsIn } from './raw.ts';
import type { WrittenStep } from './schema.ts';

/** A step as it is written, sound or not. */
type Named = { index: number; id: string | null; depends_on: [number, string][] };

function namedSteps(map: RawMap): Named[] {
  const steps = member(map, 'steps');
  if (steps?.kind !== 'list') return [];
  const isNamed = (text: string | null): boolean => text !== null && text.trim() !== '';
  return steps.items.flatMap((step, index) => {
    if (step.kind !== 'map') return [];
    const id = textOf(member(step, 'id'));
    const before = textsIn(member(step, 'depends_on')).filter(([, text]) => isNamed(text));
    return [{ index, id: isNamed(id) ? id : null, depends_on: before }];
  });
}

/**
 * Faults between the steps of one workstream: ids that repeat, dependencies that are missing or form a cycle. Told
 * whatever else is wrong with the steps.
 */
export function stepFaults({ document, path, map }: Entry): Fault[] {
  const steps = namedSteps(map);
  const first = new Map<string, number>();
  const faults: Fault[] = [];
  for (const { id, index } of steps) {
    if (id === null) continue;
    const earlier = first.get(id);
    if (earlier === undefined) first.set(id, index);
    else {
      const message = `the step ${quote(id)} is there twice, as steps[${earlier}] and steps[${index}]`;
      faults.push(faultAt(document, [...path, 'steps', index, 'id'], 'duplicate_id', message));
    }
  }
  for (const step of steps) {
    const name = step.id === null ? `steps[${step.index}]` : `the step ${quote(step.id)}`;
    for (const [at, id] of step.depends_on) {
      if (first.has(id)) continue;
      const place = [...path, 'steps', step.index, 'depends_on', at];
      const message = `${name} depends on ${quote(id)}, which is no step of this workstream`;
      const hint = 'Other workstreams are named in the "depends_on" of the workstream.';
      faults.push(faultAt(document, place, 'unknown_dependency', message, hint));
    }
  }
  return [...faults, ...cycleFaults(document, path, steps, first)];
}

function cycleFaults(
  document: Document,
  path: Path,
  steps: readonly Named[],
  first: ReadonlyMap<string, number>,
): Fault[] {
  const nodes = steps.flatMap(({ id, depends_on }) => {
    return id === null ? [] : [{ id, depends_on: depends_on.map(([, before]) => before) }];
  });
  return cyclesOf(nodes).map((cycle) => {
    const index = first.get(cycle[0] ?? '') ?? 0;
    const message = `these steps wait for each other: ${cycle.map((id) => quote(id)).join(' -> ')}`;
    const place = [...path, 'steps', index, 'depends_on'];
    return faultAt(document, place, 'cycle', message, 'Take one of the dependencies out.');
  });
}

const asNode = (step: WrittenStep) => ({ id: step.id, depends_on: step.depends_on ?? [], step });

/** Steps with each after those it depends on, else in file order; null if they form a cycle. */
export function stepsInOrder(steps: readonly WrittenStep[]): WrittenStep[] | null {
  return inOrder(steps.map(asNode))?.map((node) => node.step) ?? null;
}
