import { judgeKey } from './fields.ts';
import { type Block, bare, type Item } from './markdown.ts';

/** What a section of an analysis says of its workstream. */

type List = Extract<Block, { kind: 'list' }>;
export type Bullet = { offset: number; text: string; isDone: boolean };
type Label = { offset: number; text: string };
export type SectionTasks = {
  /** Lists of tasks, each under its label; more than one is a contradiction. */
  lists: { label: string; offset: number; bullets: Bullet[] }[];
  /** Labels of tasks with no list below them. */
  bareLabels: Label[];
  /** Labels of fields that are read from workstream files only. */
  unread: Label[];
};

const TASK_LABELS: ReadonlySet<string> = new Set(['what it does', 'what they do', 'tasks']);
const UNREAD_FIELDS: ReadonlySet<string> = new Set([
  'depends_on',
  'acceptance_tests',
  'files_scope',
  'files_create',
]);
const NOTHING = /^(?:none|no|nothing|n\/?a|[^\p{L}\p{N}]*)\.?$/iu;

/** The bullets under `What it does`, `What they do` or `Tasks`. */
export function tasksIn(blocks: readonly Block[]): SectionTasks {
  const found: SectionTasks = { lists: [], bareLabels: [], unread: [] };
  collect(blocks, found);
  return found;
}

function collect(blocks: readonly Block[], found: SectionTasks): void {
  const read = new Set<Block>();
  for (const [index, block] of blocks.entries()) {
    if (block.kind === 'list' && !read.has(block))
      for (const item of block.items) collect(item.blocks, found);
    if (block.kind !== 'heading' && block.kind !== 'paragraph') continue;
    const lines = block.text.split('\n');
    for (const line of lines) noteUnread(line, block.offset, found);
    const label = labelOf(lines.at(-1) ?? '');
    if (!TASK_LABELS.has(label.toLowerCase())) continue;
    const lists = listsAt(blocks, index + 1);
    for (const list of lists) read.add(list);
    const bullets = lists.flatMap(({ items }) => items.map(bulletOf));
    if (bullets.length === 0) found.bareLabels.push({ offset: block.offset, text: label });
    else found.lists.push({ label, offset: lists[0]?.offset ?? block.offset, bullets });
  }
}

/** `**📋 Tasks**:` → `Tasks`. */
function labelOf(line: string): string {
  return line.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '').replace(/\s+/g, ' ');
}

/** Lists that follow each other: a change of bullet begins a new one. */
function listsAt(blocks: readonly Block[], from: number): List[] {
  const end = blocks.findIndex((block, index) => index >= from && block.kind !== 'list');
  return blocks
    .slice(from, end === -1 ? blocks.length : end)
    .filter((block): block is List => block.kind === 'list');
}

const CHECKBOX = /^\[([ xX])\][ \t]+/;

function bulletOf({ source, offset }: Item): Bullet {
  const isDone = /[xX]/.test(CHECKBOX.exec(source)?.[1] ?? '');
  return { offset, text: tidied(source.replace(CHECKBOX, '')), isDone };
}

/** One paragraph becomes one line; what has lines of its own keeps them, without the item's indentation. */
function tidied(source: string): string {
  const lines = source.trimEnd().split(/\r?\n/);
  const structured = lines.some((line, index) => {
    return index > 0 && /^\s*(?:$|[-+*>|#`~]|\d{1,9}[.)]\s)/.test(line);
  });
  if (!structured) return lines.map((line) => line.trim()).join(' ');
  const rest = lines.slice(1).filter((line) => line.trim() !== '');
  const indent = Math.min(...rest.map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0));
  return [lines[0], ...lines.slice(1).map((line) => line.slice(Math.min(indent, 4)))].join('\n').trim();
}

/** `**Depends on**: WS-1` would be passed over otherwise. */
function noteUnread(line: string, offset: number, found: SectionTasks): void {
  const [, name = '', value = ''] = /^([^:]{1,60}):(.*)$/s.exec(line) ?? [];
  const key = labelOf(name).toLowerCase().replaceAll(' ', '_');
  const verdict = judgeKey('workstream', key);
  const field = verdict.kind === 'misnamed' ? verdict.field : key;
  const saysNothing = value.trim() !== '' && NOTHING.test(bare(value));
  if (UNREAD_FIELDS.has(field) && !saysNothing) found.unread.push({ offset, text: labelOf(name) });
}
