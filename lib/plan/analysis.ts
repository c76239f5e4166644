import { blocksBelow, type Heading, headingsOf, type Naming, namingsOf } from './analysis-headings.ts';
import { type Row, rowsOf } from './analysis-table.ts';
import { type Bullet, type SectionTasks, tasksIn } from './analysis-tasks.ts';
import { detailsOf } from './details.ts';
import { type Document, lineStartsOf, placeAt, type SyntaxFault } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, printable, quote } from './fault.ts';
import type { Places } from './files.ts';
import type { Gathered } from './gather.ts';
import type { KeyFindings } from './keys.ts';
import { type Block, parseBlocks } from './markdown.ts';
import { type Raw, type RawMap, rawList, rawMap, rawScalar } from './raw.ts';
import { type PlanFile, readPlanText } from './text.ts';

/** Reading an analysis in Markdown: its table says what and in which order, files or its sections say how. */

/** The parser is slow: 1,000 rows are a tenth of this. */
const MAX_BYTES = 512 * 1024;

type Text = { blocks: readonly Block[]; headings: Heading[]; named: ReadonlySet<number> };
type Section = { map: RawMap } | { fault: SyntaxFault };

/** The workstreams that an analysis selects, in the order of its table. */
export async function gatherAnalysis(
  file: PlanFile,
  places: Places & { named: string | undefined },
  maxBytes: number,
): Promise<Gathered> {
  const read = await readPlanText(file, Math.min(maxBytes, MAX_BYTES));
  if (!read.ok) return { chosen: [], faults: [read.fault], warnings: [] };
  const lineStarts = lineStartsOf(read.text);
  const at = (fault: SyntaxFault): Fault => ({
    file: file.file,
    ...placeAt(lineStarts, fault.offset),
    code: fault.code,
    message: printable(fault.message),
    hint: fault.hint === null ? null : printable(fault.hint),
  });
  const parsed = parseBlocks(read.text);
  if (!parsed.ok) return { chosen: [], faults: [at(parsed.fault)], warnings: [] };
  const { rows, faults } = rowsOf(parsed.blocks);
  const ids = rows.map(({ id }) => id.toLowerCase());
  const details = await detailsOf(new Set(ids), file, places, maxBytes);
  const warnings: SyntaxFault[] = [];
  const sections = sectionsFor(
    parsed.blocks,
    rows,
    rows.filter((row) => !details.entries.has(row.id.toLowerCase())),
    warnings,
  );
  const maps: RawMap[] = [];
  for (const section of sections.values()) {
    if ('map' in section) maps.push(section.map);
    else faults.push(section.fault);
  }
  const document: Document = { ...file, root: rawList(0, maps), lineStarts };
  const keys: KeyFindings = { faults: [], unknown: [] };
  const chosen = rows.flatMap(({ id, priority }) => {
    const detail = details.entries.get(id.toLowerCase());
    if (detail !== undefined) return detail === null ? [] : [{ ...detail, priority }];
    const section = sections.get(id);
    if (section === undefined || !('map' in section)) return [];
    const entry: Entry = { document, path: [maps.indexOf(section.map)], map: section.map, id };
    return [{ entry, keys, priority }];
  });
  return {
    chosen,
    faults: [...faults.map(at), ...details.faults],
    warnings: [...warnings.map(at), ...details.warnings],
  };
}

/** For each wanted row what its section says, or why none does; by id. */
function sectionsFor(
  blocks: readonly Block[],
  rows: readonly Row[],
  wanted: readonly Row[],
  warnings: SyntaxFault[],
): Map<string, Section> {
  const headings = headingsOf(blocks);
  const namings = namingsOf(
    headings,
    rows.map(({ id }) => id.toLowerCase()),
  );
  const named = new Set([...namings.values()].flat().map(({ heading }) => heading.index));
  const meanings = new Map<string, string[]>();
  for (const { id } of rows) {
    for (const { heading, name } of namings.get(id.toLowerCase()) ?? []) {
      const key = `${heading.index} ${name}`;
      meanings.set(key, [...(meanings.get(key) ?? []), id]);
    }
  }
  const text = { blocks, headings, named };
  return new Map(
    wanted.map((row) => {
      const found = namings.get(row.id.toLowerCase()) ?? [];
      return [row.id, sectionOf(row, found, text, meanings, warnings)];
    }),
  );
}

function sectionOf(
  row: Row,
  found: readonly Naming[],
  text: Text,
  meanings: ReadonlyMap<string, string[]>,
  warnings: SyntaxFault[],
): Section {
  const read = found.map((naming) => ({
    naming,
    tasks: tasksIn(blocksBelow(text.blocks, naming.heading, text.named)),
  }));
  // A heading such as "WS-22: risks" does not compete with the one that holds the tasks.
  const working = read.filter(({ tasks }) => tasks.lists.length > 0);
  const [only, second] = working;
  if (only === undefined) return { fault: nothingFor(row, read) };
  const { heading, name } = only.naming;
  if (second !== undefined) {
    const message = `a second section with tasks names ${quote(row.id)}`;
    const hint = 'Keep the tasks of a workstream in one section, or write a workstream file for it.';
    return { fault: { offset: second.naming.heading.offset, code: 'ambiguous', message, hint } };
  }
  const others = (meanings.get(`${heading.index} ${name}`) ?? []).filter((id) => id !== row.id);
  if (others.length > 0) {
    const message = `${quote(name)} could mean ${quote(row.id)} or ${others.slice(0, 3).map(quote).join(' or ')}`;
    const hint = 'Write the ids in full in the headings; one heading may name two, joined by "&".';
    return { fault: { offset: heading.offset, code: 'ambiguous', message, hint } };
  }
  return mapOf(row, heading, only.tasks, warnings);
}

/** The fault of an id with neither a file nor tasks in a section. */
function nothingFor(row: Row, read: readonly { naming: Naming; tasks: SectionTasks }[]): SyntaxFault {
  const message = `${quote(row.id)} has neither a workstream file nor a section with its tasks`;
  const [first] = read;
  if (first === undefined) {
    const hint = `Write workstreams/${row.id}.json, or a heading that begins with ${row.id} and "Tasks" below it.`;
    return { offset: row.offset, code: 'no_details', message, hint };
  }
  const [label] = first.tasks.bareLabels;
  const hint =
    label === undefined
      ? 'Its heading is here: add a line "**Tasks**:" and a bullet for each.'
      : `Write what stands under "${label.text}" as bullets, one for each task.`;
  return { offset: (label ?? first.naming.heading).offset, code: 'no_details', message, hint };
}

function mapOf(row: Row, heading: Heading, tasks: SectionTasks, warnings: SyntaxFault[]): Section {
  const [list, second] = tasks.lists;
  if (second !== undefined) {
    const message = `${quote(row.id)} has two lists of tasks, under "${list?.label}" and "${second.label}"`;
    return { fault: { offset: second.offset, code: 'ambiguous', message, hint: 'Keep one of the two.' } };
  }
  const bullets = list?.bullets ?? [];
  const due = bullets.filter(({ isDone }) => !isDone);
  if (due.length < bullets.length) {
    const [first] = bullets.filter(({ isDone }) => isDone);
    const message = `${bullets.length - due.length} of the tasks of ${quote(row.id)} are ticked off and are left out`;
    warnings.push({ offset: first?.offset ?? heading.offset, code: 'done_task', message, hint: null });
  }
  for (const { offset, text } of tasks.unread) {
    const message = `"${text}" of ${quote(row.id)} is not read from a section; its title and tasks are`;
    const hint = `Write it into a workstream file, workstreams/${row.id}.json.`;
    warnings.push({ offset, code: 'unread_label', message, hint });
  }
  const member = (key: string, offset: number, value: Raw) => ({ key, offset, value });
  const entries = [
    member('id', row.offset, rawScalar(row.offset, row.id)),
    ...(heading.title === ''
      ? []
      : [member('title', heading.offset, rawScalar(heading.offset, heading.title))]),
    member('tasks', list?.offset ?? heading.offset, listOf(due, list?.offset ?? heading.offset)),
  ];
  return { map: rawMap(heading.offset, entries) };
}

function listOf(bullets: readonly Bullet[], offset: number): Raw {
  return rawList(
    offset,
    bullets.map((bullet) => rawScalar(bullet.offset, bullet.text)),
  );
}
