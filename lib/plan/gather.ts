import { type Entry, entriesOf } from './entries.ts';
import type { Fault } from './fault.ts';
import type { KeyFindings } from './keys.ts';
import { readDocument } from './parse.ts';
import type { PlanFile } from './text.ts';

/** A workstream of the plan; `priority`, where not null, is said outside of it and wins. `keys` is its file's. */
export type Chosen = { entry: Entry; keys: KeyFindings; priority: number | null };
export type Gathered = { chosen: Chosen[]; faults: Fault[]; warnings: Fault[] };

/** The workstreams of a JSON or YAML file. */
export async function gatherFile(file: PlanFile, maxBytes: number): Promise<Gathered> {
  const read = await readDocument(file, maxBytes);
  if (!read.ok) return { chosen: [], faults: read.faults, warnings: [] };
  const keys: KeyFindings = { faults: [], unknown: [] };
  const chosen = entriesOf(read.document, keys).map((entry) => ({ entry, keys, priority: null }));
  // Those of the workstreams come in once these are judged.
  return { chosen, faults: keys.faults.splice(0), warnings: [] };
}
