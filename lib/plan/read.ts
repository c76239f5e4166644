import type { PlannedWorkstream } from '../protocol/plan.ts';
import { faultsAcross } from './across.ts';
import { entriesOf } from './entries.ts';
import type { Fault } from './fault.ts';
import { findPlanFiles } from './files.ts';
import { type Judged, judge } from './judge.ts';
import { type KeyFindings, unknownKeyWarnings } from './keys.ts';
import { neighboursOf } from './neighbours.ts';
import { readDocument } from './parse.ts';
import { plannedWorkstream, type Settings } from './planned.ts';

export type PlanResult =
  | { ok: true; workstreams: PlannedWorkstream[]; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

export type ReadOptions = {
  /** What relative arguments count from, and what file names in faults are told from. */
  cwd: string;
  /** Of one file; 4 MiB if not given. */
  maxBytes?: number;
  /** Tried after a tool that is given as a name; aider, llm if not given. */
  toolChain?: readonly string[];
  /** Programs of the config that begin an acceptance test which is a command. */
  extraPrograms?: readonly string[];
};

const MAX_BYTES = 4 * 1024 * 1024;
const TOOL_CHAIN = ['aider', 'llm'] as const;

/**
 * Reads the plan that `args` name (files and folders; none: the usual places at `root`). Either every
 * workstream is sound, in plan order, or every fault of every file is told, in plan order too. Touches and
 * runs nothing; whatever a file holds, the answer is a return value.
 */
export async function readPlan(root: string, args: string[], options: ReadOptions): Promise<PlanResult> {
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const settings: Settings = {
    toolChain: options.toolChain ?? TOOL_CHAIN,
    extraPrograms: options.extraPrograms ?? [],
  };
  const found = await findPlanFiles({ root, cwd: options.cwd }, args);
  const faults = [...found.faults];
  const warnings: Fault[] = [];
  const judged: Judged[] = [];
  for (const file of found.files) {
    const read = await readDocument(file, maxBytes);
    if (!read.ok) {
      append(faults, read.faults);
      continue;
    }
    const keys: KeyFindings = { faults: [], unknown: [] };
    for (const entry of entriesOf(read.document, keys)) {
      const one = await judge(entry, keys.unknown, { root, extraPrograms: settings.extraPrograms });
      judged.push(one);
      append(faults, one.faults);
      append(warnings, one.warnings);
    }
    append(faults, keys.faults);
    append(warnings, unknownKeyWarnings(read.document, keys.unknown));
  }
  const entries = judged.map((one) => one.entry);
  append(faults, await faultsAcross(entries, neighboursOf(found.files, maxBytes)));
  const order = new Map(found.files.map((file, index) => [file.file, index]));
  sortFaults(warnings, order);
  if (faults.length > 0) return { ok: false, faults: sortFaults(faults, order), warnings };
  return { ok: true, workstreams: judged.flatMap((one) => planned(one, settings)), warnings };
}

function planned({ entry, written }: Judged, settings: Settings): PlannedWorkstream[] {
  return written === null ? [] : [plannedWorkstream(entry.document, entry.map, written, settings)];
}

/** Not `push(...more)`: a file can hold more faults than a call may have arguments. */
function append(faults: Fault[], more: readonly Fault[]): void {
  for (const fault of more) faults.push(fault);
}

function sortFaults(faults: Fault[], order: ReadonlyMap<string, number>): Fault[] {
  const rank = (fault: Fault): number => order.get(fault.file) ?? -1;
  return faults.sort((a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column);
}
