import { type Document, faultAt } from './document.ts';
import { type Fault, quote } from './fault.ts';
import { cyclesOf, inOrder } from './graph.ts';
import type { Path } from './raw.ts';
import type { WrittenStep, WrittenWorkstream } from './schema.ts';

/** Faults of the steps of one workstream: ids that repeat, dependencies that are missing or form a cycle. */
export function stepFaults(document: Document, path: Path, written: WrittenWorkstream): Fault[] {
  const steps = written.steps ?? [];
  const first = new Map<string, number>();
  const faults: Fault[] = [];
  steps.forEach((step, index) => {
    const earlier = first.get(step.id);
    if (earlier === undefined) first.set(step.id, index);
    else {
      const message = `the step ${quote(step.id)} is there twice, as steps[${earlier}] and steps[${index}]`;
      faults.push(faultAt(document, [...path, 'steps', index, 'id'], 'duplicate_id', message));
    }
  });
  steps.forEach((step, index) => {
    step.depends_on?.forEach((id, at) => {
      if (first.has(id)) return;
      const place = [...path, 'steps', index, 'depends_on', at];
      const message = `the step ${quote(step.id)} depends on ${quote(id)}, which is no step of this workstream`;
      const hint = 'Other workstreams are named in the "depends_on" of the workstream.';
      faults.push(faultAt(document, place, 'unknown_dependency', message, hint));
    });
  });
  for (const cycle of cyclesOf(steps.map(asNode))) {
    const index = first.get(cycle[0] ?? '') ?? 0;
    const message = `these steps wait for each other: ${cycle.map((id) => quote(id)).join(' -> ')}`;
    const place = [...path, 'steps', index, 'depends_on'];
    faults.push(faultAt(document, place, 'cycle', message, 'Take one of the dependencies out.'));
  }
  return faults;
}

const asNode = (step: WrittenStep) => ({ id: step.id, depends_on: step.depends_on ?? [], step });

/** Steps with each after those it depends on, else in file order; null if they form a cycle. */
export function stepsInOrder(steps: readonly WrittenStep[]): WrittenStep[] | null {
  return inOrder(steps.map(asNode))?.map((node) => node.step) ?? null;
}
