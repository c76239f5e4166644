import { OrchError } from '../errors.ts';
import type { StatusList } from '../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../orchestrate/verdict.ts';
import { nearNames } from '../protocol/near.ts';
import { cutText, escapeControls } from '../protocol/text.ts';
import { ageText, type ChosenColumns, STYLES } from './render.ts';
import { cutCells } from './table.ts';

/** The columns that a person may ask for. Loaded only where somebody does: plain `orch status` has its own. */

type Context = { at: number };
type Shown = { title: string; least: number; of: (status: WorkstreamStatus, context: Context) => string };

/** Other texts than the last one of a row must not push everything aside. */
const WORD_MAX = 40;
const TEXT_BYTES = 2_048;

const numberIn = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const textIn = (value: unknown): string => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
};
const orDash = (text: string): string => (text === '' ? '-' : text);
const field =
  (name: string) =>
  (status: WorkstreamStatus): string =>
    cutCells(orDash(textIn(status[name])), WORD_MAX);

const column = (title: string, least: number, of: Shown['of']): Shown => ({ title, least, of });

const ALL: Readonly<Record<string, Shown>> = {
  workstream: column('WORKSTREAM', 8, ({ workstream }) => workstream),
  title: column('TITLE', 8, field('title')),
  status: column('STATUS', 9, ({ verdict }) => verdict),
  recorded: column('RECORDED', 8, field('status')),
  progress: column('DONE', 5, field('progress')),
  attempt: column('ATTEMPT', 3, field('attempt')),
  mode: column('MODE', 8, field('mode')),
  tool: column('TOOL', 5, ({ tool, tool_runs }) =>
    cutCells(orDash(textIn(tool ?? lastTool(tool_runs))), WORD_MAX),
  ),
  task: column('NOW', 14, ({ current_task, reason }) => current_task ?? reason?.message ?? ''),
  reason: column('REASON', 8, ({ reason }) => orDash(textIn(reason?.code))),
  updated: column('UPDATED', 7, ({ last_update }, { at }) =>
    ageText(last_update === null ? null : at - last_update),
  ),
  heartbeat: column('HEARTBEAT', 5, ({ heartbeat_age }) => ageText(heartbeat_age)),
  started: column('STARTED', 8, ({ started_at }) => clockText(started_at)),
  ended: column('ENDED', 8, ({ ended_at }) => clockText(ended_at)),
  elapsed: column('ELAPSED', 7, elapsedText),
  pid: column('PID', 7, ({ pid, alive }) => (pid !== null && alive !== false ? String(pid) : '-')),
  exit_code: column('EXIT', 4, field('exit_code')),
  cpu: column('CPU', 5, ({ cpu_percent }) => (cpu_percent === null ? '-' : `${Math.round(cpu_percent)}%`)),
  memory: column('MEMORY', 6, ({ memory_bytes }) => bytesText(memory_bytes)),
  tokens: column('TOKENS', 6, ({ usage }) => tokensText(usage)),
  cost: column('COST', 6, ({ usage }) => costText(usage)),
  branch: column('BRANCH', 8, field('branch')),
  head: column('HEAD', 8, ({ head }) => orDash(textIn(head).slice(0, 8))),
  base: column('BASE', 8, ({ base }) => orDash(textIn(base).slice(0, 8))),
  depends_on: column('DEPENDS ON', 8, ({ depends_on }) =>
    cutCells(orDash(Array.isArray(depends_on) ? depends_on.map(textIn).join(',') : ''), WORD_MAX),
  ),
};

/** The names that `--columns` takes. */
export const COLUMN_NAMES: readonly string[] = Object.keys(ALL);

/** What `--format wide` shows. */
const WIDE_NAMES = [
  ...['workstream', 'status', 'progress', 'attempt', 'tool', 'elapsed', 'updated', 'cpu', 'memory'],
  ...['tokens', 'cost', 'branch', 'head', 'task'],
];

/**
 * The columns that a list of names asks for, in its order; null: those of `--format wide`.
 * @throws OrchError USAGE with the nearest names.
 */
export function chooseColumns(list: string | null): ChosenColumns {
  const names = list === null ? WIDE_NAMES : namesIn(list);
  const chosen = names.map((name) => ({ name, ...(ALL[name] as Shown) }));
  return {
    // The first that was named stays longest where the terminal is narrow.
    columns: chosen.map(({ title, least }, at) => ({ title, least, drop: at === 0 ? 0 : names.length - at })),
    row: (status, at, paint) =>
      chosen.map(({ name, of }) => {
        const text = escapeControls(cutText(of(status, { at }), TEXT_BYTES));
        return name === 'status' ? { text, paint: paint(STYLES[status.verdict]) } : { text };
      }),
  };
}

function namesIn(list: string): string[] {
  const names = list.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim().toLowerCase()]));
  const all = `There are: ${COLUMN_NAMES.join(', ')}.`;
  if (names.length === 0) throw new OrchError('USAGE', '--columns names no column', { hint: all });
  const unknown = names.find((name) => !Object.hasOwn(ALL, name));
  if (unknown === undefined) return [...new Set(names)];
  const near = nearNames(unknown, COLUMN_NAMES);
  const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}? ${all}` : all;
  throw new OrchError('USAGE', `there is no column ${JSON.stringify(unknown)}`, { hint });
}

/** Of a workstream that is not at work: the tool that it ran last. */
function lastTool(runs: unknown): unknown {
  const last: unknown = Array.isArray(runs) ? runs.at(-1) : null;
  return typeof last === 'object' && last !== null && 'tool' in last ? last.tool : null;
}

function clockText(value: unknown): string {
  const seconds = numberIn(value);
  if (seconds === null) return '-';
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '-' : date.toTimeString().slice(0, 8);
}

/** How long the attempt took, or has taken so far where a worker is at it. */
function elapsedText({ started_at, ended_at, alive }: WorkstreamStatus, { at }: Context): string {
  const start = numberIn(started_at);
  const end = numberIn(ended_at) ?? (alive === true ? at : null);
  return start === null || end === null ? '-' : ageText(end - start);
}

const UNITS = ['B', 'K', 'M', 'G', 'T'];

function bytesText(bytes: number | null): string {
  if (bytes === null) return '-';
  const power = Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)));
  const amount = bytes / 1024 ** power;
  return `${amount >= 10 || power === 0 ? Math.round(amount) : amount.toFixed(1)}${UNITS[power] ?? ''}`;
}

function usageIn(usage: unknown): Record<string, unknown> {
  return typeof usage === 'object' && usage !== null ? (usage as Record<string, unknown>) : {};
}

function tokensText(usage: unknown): string {
  const { tokens_in, tokens_out } = usageIn(usage);
  const sum = (numberIn(tokens_in) ?? 0) + (numberIn(tokens_out) ?? 0);
  if (sum === 0) return '-';
  if (sum < 1_000) return String(sum);
  return sum < 1_000_000 ? `${(sum / 1_000).toFixed(1)}k` : `${(sum / 1_000_000).toFixed(1)}m`;
}

function costText(usage: unknown): string {
  const cost = numberIn(usageIn(usage)['cost_usd']);
  return cost === null ? '-' : `$${cost.toFixed(cost < 1 ? 4 : 2)}`;
}

/** The list as lines of JSON, one a workstream: `orch.status-line/1`. The record's own `schema` is `record_schema`. */
export function statusLines({ at, root, workstreams }: StatusList): object[] {
  return workstreams.map(({ schema, ...fields }) => {
    return { schema: 'orch.status-line/1', at, root, record_schema: schema ?? null, ...fields };
  });
}
