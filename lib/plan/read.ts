import type { PlannedWorkstream } from '../protocol/plan.ts';
import { faultsAcross } from './across.ts';
import { placeAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, faultOfFile, printable } from './fault.ts';
import { findPlanFiles, isMarkdown } from './files.ts';
import { type Chosen, type Gathered, gatherFile } from './gather.ts';
import { type Judged, judge } from './judge.ts';
import { unknownKeyWarnings } from './keys.ts';
import { namedPathWarnings, namesAt } from './named-paths.ts';
import { neighboursOf } from './neighbours.ts';
import { plannedWorkstream, type Settings } from './planned.ts';
import { overlapWarnings } from './scopes.ts';
import type { PlanFile } from './text.ts';

export type PlanResult =
  /** `ids`: of all workstreams, those that were not selected among them. */
  | { ok: true; workstreams: PlannedWorkstream[]; ids: string[]; places: Locations; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

/** By id, `file:line:column`, told from the working folder as faults are; `source` counts from the root. */
export type Locations = ReadonlyMap<string, string>;

export type ReadOptions = {
  /** What relative arguments count from, and what file names in faults are told from. */
  cwd: string;
  /** Where the details of an analysis are looked up; `workstreams/` beside it or at the root if not given. */
  workstreams?: string;
  /** Only these, if there are any; but none of `skip`. What the rest depends on is not looked at. */
  only?: readonly string[];
  skip?: readonly string[];
  /** True for an id outside of the plan or of the selection whose work an earlier run has done. */
  satisfied?: (id: string) => boolean | Promise<boolean>;
  /** Of one file; 4 MiB if not given, of YAML at most 1 MiB, of Markdown 512 KiB. */
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
 * workstream is sound and those selected are told, in plan order, or every fault of every file, in plan order
 * too. Touches and runs nothing; whatever a file holds, the answer is a return value.
 */
export async function readPlan(root: string, args: string[], options: ReadOptions): Promise<PlanResult> {
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const settings: Settings = {
    toolChain: options.toolChain ?? TOOL_CHAIN,
    extraPrograms: options.extraPrograms ?? [],
  };
  const found = await findPlanFiles({ root, cwd: options.cwd }, args);
  const { chosen, faults, warnings } = await gatherAll(root, found.files, options, maxBytes);
  const isSelected = selector(options);
  const judged: (Judged & Chosen)[] = [];
  for (const one of chosen) {
    const result = await judge(one.entry, one.keys.unknown, { root, extraPrograms: settings.extraPrograms });
    judged.push({ ...one, ...result });
    append(faults, result.faults);
    append(warnings, result.warnings);
  }
  for (const { keys, document } of new Map(
    chosen.map(({ entry, keys }) => [keys, { keys, ...entry }]),
  ).values()) {
    append(warnings, unknownKeyWarnings(document, keys.unknown));
  }
  const satisfied = options.satisfied ?? (() => false);
  const neighbours = neighboursOf(found.files, maxBytes);
  const entries = judged.map((one) => one.entry);
  append(faults, await faultsAcross(entries, { neighbours, isSelected, satisfied }));
  const order = orderOf(found.files, chosen);
  if (found.faults.length + faults.length > 0) {
    sortFaults(warnings, order);
    return { ok: false, faults: [...found.faults, ...sortFaults(faults, order)], warnings };
  }
  const selected = judged.filter(({ entry }) => isSelected(entry.id ?? ''));
  const workstreams = selected.flatMap((one) => planned(one, settings));
  append(warnings, await scopeWarnings(root, selected, workstreams));
  sortFaults(warnings, order);
  const places = new Map(selected.map(({ entry }) => [entry.id ?? '', placeOf(entry)]));
  return { ok: true, workstreams, ids: entries.map(({ id }) => id ?? ''), places, warnings };
}

async function gatherAll(
  root: string,
  files: readonly PlanFile[],
  { cwd, workstreams: named }: ReadOptions,
  maxBytes: number,
): Promise<Gathered> {
  const all: Gathered = { chosen: [], faults: [], warnings: [] };
  const seen = new Set<string>();
  for (const file of files) {
    const one = isMarkdown(file.path)
      ? await (await import('./analysis.ts')).gatherAnalysis(file, { root, cwd, named }, maxBytes)
      : await gatherFile(file, maxBytes);
    for (const chosen of one.chosen) {
      // An analysis and a file that it takes details from may both be named.
      const place = JSON.stringify([chosen.entry.document.path, ...chosen.entry.path]);
      if (!seen.has(place)) all.chosen.push(chosen);
      seen.add(place);
    }
    append(all.faults, one.faults);
    append(all.warnings, one.warnings);
  }
  if (named !== undefined && files.length > 0 && !files.some(({ path }) => isMarkdown(path))) {
    const message = 'a folder of details (--workstreams) goes with a plan in Markdown, and there is none';
    all.faults.push(
      faultOfFile(named, 'unsupported', message, 'To launch what is in it, name it as the plan.'),
    );
  }
  return all;
}

function selector({ only = [], skip = [] }: ReadOptions): (id: string) => boolean {
  const [wanted, unwanted] = [new Set(only), new Set(skip)];
  return (id) => (wanted.size === 0 || wanted.has(id)) && !unwanted.has(id);
}

function planned({ entry, written, priority }: Judged & Chosen, settings: Settings): PlannedWorkstream[] {
  return written === null ? [] : [plannedWorkstream(entry.document, entry.map, written, settings, priority)];
}

function placeOf({ document, map }: Entry): string {
  const { line, column } = placeAt(document.lineStarts, map.offset);
  return `${printable(document.file)}:${line}:${column}`;
}

async function scopeWarnings(
  root: string,
  judged: readonly Judged[],
  workstreams: readonly PlannedWorkstream[],
): Promise<Fault[]> {
  const entries = judged.map(({ entry }) => entry);
  const names = await namesAt(root);
  const named = judged.flatMap(({ entry, written }, index) => {
    const workstream = workstreams[index];
    if (written === null || workstream === undefined) return [];
    return namedPathWarnings(entry, written, workstream, names);
  });
  return [...overlapWarnings(workstreams, entries), ...named];
}

/** Not `push(...more)`: a file can hold more faults than a call may have arguments. */
function append(faults: Fault[], more: readonly Fault[]): void {
  for (const fault of more) faults.push(fault);
}

/** Files by name: those of the plan in order, then those that an analysis takes details from. */
function orderOf(files: readonly PlanFile[], chosen: readonly Chosen[]): Map<string, number> {
  const order = new Map(files.map(({ file }, index) => [file, index]));
  const last = files.length;
  for (const { entry } of chosen) if (!order.has(entry.document.file)) order.set(entry.document.file, last);
  return order;
}

function sortFaults(faults: Fault[], order: ReadonlyMap<string, number>): Fault[] {
  const rank = (fault: Fault): number => order.get(fault.file) ?? order.size;
  return faults.sort((a, b) => {
    if (a.file === b.file) return a.line - b.line || a.column - b.column;
    return rank(a) - rank(b) || (a.file < b.file ? -1 : 1);
  });
}
