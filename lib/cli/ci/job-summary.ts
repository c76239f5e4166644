import type { StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { maskSecrets } from '../../protocol/mask.ts';
import { cutText, escapeControls } from '../../protocol/text.ts';

const ROWS_MAX = 200;
const CELL_BYTES = 300;

/** Text in a table of Markdown: secrets masked, each character that could be markup as an entity, so that it is shown and no more. */
export function markdownText(text: string): string {
  return escapeControls(cutText(maskSecrets(text), CELL_BYTES)).replace(
    /[^A-Za-z0-9 ,/\u00a0-\u{10ffff}]/gu,
    (character) => `&#${character.codePointAt(0)};`,
  );
}

/** The summary of a job, in Markdown: a table of the workstreams. It ends in a newline. */
export function jobSummary(list: StatusList): string {
  const { total } = list.summary;
  const done = (list.summary['completed'] ?? 0) + (list.summary['merged'] ?? 0);
  const rows = list.workstreams.slice(0, ROWS_MAX).map(rowOf);
  const more = list.workstreams.length - rows.length;
  return [
    `### orch: ${done} of ${total} completed`,
    '',
    '| workstream | state | tasks | time | tokens | cost | branch | reason |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    ...(more > 0 ? ['', `… and ${more} more`] : []),
    '',
    '',
  ].join('\n');
}

function rowOf(status: WorkstreamStatus): string {
  const { workstream, verdict, progress, reason } = status;
  const { tokens, cost } = usageOf(status);
  const branch = status['branch'];
  const cells = [
    markdownText(workstream),
    verdict,
    markdownText(progress ?? ''),
    timeOf(status['started_at'], status['ended_at']),
    tokens,
    cost,
    typeof branch === 'string' ? markdownText(branch) : '',
    markdownText(reason?.message ?? ''),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Of the whole workstream where the record tells, else what the tool runs that it holds add up to. */
function usageOf(status: WorkstreamStatus): { tokens: string; cost: string } {
  const usage = (status['usage'] ?? {}) as Record<string, unknown>;
  const runs = (Array.isArray(status['tool_runs']) ? status['tool_runs'] : []) as Record<string, unknown>[];
  const tokens = sum([usage['tokens_in'], usage['tokens_out']]) ?? sum(runs.map((run) => run['tokens']));
  const cost = sum([usage['cost_usd']]) ?? sum(runs.map((run) => run['cost']));
  return { tokens: tokens === null ? '' : String(tokens), cost: cost === null ? '' : `$${cost.toFixed(2)}` };
}

/** Of the numbers among them; null where there is none. */
function sum(values: readonly unknown[]): number | null {
  const numbers = values.filter((value): value is number => typeof value === 'number');
  return numbers.length === 0 ? null : numbers.reduce((total, value) => total + value, 0);
}

function timeOf(startedAt: unknown, endedAt: unknown): string {
  if (typeof startedAt !== 'number' || typeof endedAt !== 'number' || endedAt < startedAt) return '';
  const whole = Math.round(endedAt - startedAt);
  const [hours, minutes, seconds] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  const parts = [hours > 0 ? `${hours}h` : '', hours + minutes > 0 ? `${minutes}m` : '', `${seconds}s`];
  return parts.filter((part) => part !== '').join(' ');
}
