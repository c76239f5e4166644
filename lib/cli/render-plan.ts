import { wavesOf } from '../plan/graph.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import { escapeControls } from '../protocol/text.ts';
import { toolsFor } from '../tools/registry.ts';
import { painter, type Screen } from './render.ts';
import { type Cell, type Column, tableLines, wrapCells } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'WAVE', least: 4, drop: 0 },
  { title: 'WORKSTREAM', least: 8, drop: 0 },
  { title: 'TASKS', least: 5, drop: 4 },
  { title: 'PRIORITY', least: 8, drop: 1 },
  { title: 'AFTER', least: 12, drop: 5 },
  { title: 'TOOLS', least: 6, drop: 3 },
  { title: 'TITLE', least: 12, drop: 2 },
];

const PRIORITIES: ReadonlyMap<number, string> = new Map([
  [3, 'critical'],
  [2, 'high'],
  [1, 'medium'],
  [0, 'low'],
]);

type Placed = { workstream: PlannedWorkstream; wave: number; isFirst: boolean };

/** The workstreams wave by wave, in plan order within a wave. */
function inWaves(workstreams: readonly PlannedWorkstream[]): Placed[] {
  const byId = new Map(workstreams.map((one) => [one.id, one]));
  return wavesOf(workstreams).flatMap((ids, index) =>
    ids.flatMap((id, at) => {
      const workstream = byId.get(id);
      return workstream === undefined ? [] : [{ workstream, wave: index + 1, isFirst: at === 0 }];
    }),
  );
}

/** The tools that may do its prompts, first choice first; empty where it has none. */
function toolsOf({ tasks, tool }: PlannedWorkstream, defaultTools: string[] | null): string[] {
  const prompts = tasks.filter(({ kind }) => kind === 'prompt');
  return [...new Set(prompts.flatMap((task) => toolsFor(task, tool, defaultTools)))];
}

/** A table of the waves and a line that sums it up. `tool`: what does the prompts that say nothing else. */
export function planLines(
  workstreams: readonly PlannedWorkstream[],
  tool: string[] | null,
  screen: Screen,
): string[] {
  const placed = inWaves(workstreams);
  const rows = placed.map(({ workstream, wave, isFirst }): Cell[] => {
    const { id, tasks, priority, depends_on, title } = workstream;
    return [
      { text: isFirst ? String(wave) : '' },
      { text: id },
      { text: String(tasks.length) },
      { text: PRIORITIES.get(priority) ?? String(priority) },
      { text: depends_on.map(escapeControls).join(', ') },
      { text: toolsOf(workstream, tool).map(escapeControls).join(', ') },
      { text: title === id ? '' : escapeControls(title) },
    ];
  });
  const waves = placed.at(-1)?.wave ?? 0;
  const tasks = workstreams.reduce((sum, one) => sum + one.tasks.length, 0);
  const counts = [counted(workstreams.length, 'workstream'), counted(tasks, 'task'), counted(waves, 'wave')];
  const summary = `${counts.join(', ')}. What stands in one wave can run at the same time.`;
  const width = screen.width ?? Number.POSITIVE_INFINITY;
  const said = COLUMNS.map((_, at) => rows.some((row) => row[at]?.text !== ''));
  const columns = COLUMNS.filter((_, at) => said[at]);
  const shown = rows.map((row) => row.filter((_, at) => said[at]));
  const table = tableLines(columns, shown, screen.width, painter(screen)('bold'));
  return [...table, '', ...wrapCells(summary, width, '  ')];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line for each workstream, with what it waits for behind an arrow; wrapped where it is too wide. */
export function graphLines(workstreams: readonly PlannedWorkstream[], screen: Screen): string[] {
  const known = new Set(workstreams.map(({ id }) => id));
  const width = screen.width ?? Number.POSITIVE_INFINITY;
  return inWaves(workstreams).flatMap(({ workstream: { id, depends_on } }) => {
    if (depends_on.length === 0) return wrapCells(id, width, '');
    const before = depends_on.map((one) => (known.has(one) ? one : `${one} (done)`));
    return wrapCells(`${id} ← ${before.join(', ')}`, width, '    ');
  });
}

/**
 * The graph for Mermaid. Nodes have names of their own: an id such as `end` would be a word of the language.
 * What an earlier run has done is a node with round corners.
 */
export function mermaidLines(workstreams: readonly PlannedWorkstream[]): string[] {
  const names = new Map<string, string>();
  const nameOf = (id: string): string => {
    const name = names.get(id) ?? `n${names.size}`;
    names.set(id, name);
    return name;
  };
  const known = new Set(workstreams.map(({ id }) => id));
  const nodes = workstreams.map(({ id }) => `  ${nameOf(id)}["${id}"]`);
  const outside = new Set(workstreams.flatMap(({ depends_on }) => depends_on.filter((id) => !known.has(id))));
  const done = [...outside].map((id) => `  ${nameOf(id)}("${id} (done)")`);
  const edges = workstreams.flatMap(({ id, depends_on }) =>
    depends_on.map((before) => `  ${nameOf(before)} --> ${nameOf(id)}`),
  );
  return ['graph TD', ...nodes, ...done, ...edges];
}
