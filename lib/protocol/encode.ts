import { OrchError } from '../errors.ts';
import { KNOWN_FIELDS, type StatusRecord } from './status.ts';
import { cutText } from './text.ts';

/** One block: a full disk cannot cut it in two, so a reader never meets half a record. */
export const RECORD_MAX_BYTES = 4096;
export const TEXT_MAX_BYTES = 256;
/** Four such texts fit even where each byte takes six. */
export const SHORT_TEXT_BYTES = 48;
/** Lists and which end of each is worth more when not all of it fits. */
const LISTS = {
  tool_runs: 'last',
  checks: 'first',
  violations: 'first',
  depends_on: 'first',
  blocked_by: 'first',
} as const;

const fits = (value: object): boolean => Buffer.byteLength(JSON.stringify(value)) < RECORD_MAX_BYTES;

function cutStrings(value: unknown, maxBytes = TEXT_MAX_BYTES): unknown {
  if (typeof value === 'string') return cutText(value, maxBytes);
  if (Array.isArray(value)) return value.map((inner) => cutStrings(inner, maxBytes));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, cutStrings(inner, maxBytes)]),
    );
  }
  return value;
}

/**
 * The text of a record, at most 4,096 bytes with its newline. Texts are cut at 256 bytes, paths excepted; lists
 * keep what fits and get `<field>_total`. Where that is not enough, texts are cut shorter (a control character
 * takes six bytes in JSON), and then fields that orch does not know are left out.
 * @throws OrchError RECORD_TOO_LARGE where even that does not help.
 */
export function encodeRecord(record: StatusRecord): string {
  const { status, current_task, progress, last_update, exit_code, worktree } = record;
  // The fields of the design document come first: that is what a person sees of a record.
  const first = { status, current_task, progress, last_update, exit_code };
  const cut: Record<string, unknown> = {
    ...first,
    ...(cutStrings(record) as Record<string, unknown>),
    worktree,
  };
  for (const field of Object.keys(LISTS)) forgetTotal(cut, field);
  cutLongLists(cut);
  const lastResorts = [cutTexts, dropUnknown];
  while (!fits(cut)) {
    const field = longestList(cut);
    if (field !== null) {
      const list = cut[field] as unknown[];
      cut[`${field}_total`] ??= list.length;
      cut[field] = LISTS[field] === 'last' ? list.slice(1) : list.slice(0, -1);
      continue;
    }
    const resort = lastResorts.shift();
    if (resort === undefined) {
      throw new OrchError(
        'RECORD_TOO_LARGE',
        `the record of ${record.workstream} does not fit in 4,096 bytes`,
      );
    }
    resort(cut);
  }
  return `${JSON.stringify(cut)}\n`;
}

/**
 * What the loop above would take from the lists, by the sizes of their entries: thousands of runs in a night of rate
 * limits would be written out as often as there are runs. The fields `<field>_total` that are added are not counted, so
 * that never more is taken than the loop would take.
 */
function cutLongLists(record: Record<string, unknown>): void {
  let over = Buffer.byteLength(JSON.stringify(record)) - RECORD_MAX_BYTES;
  const lists = Object.entries(LISTS).flatMap(([field, keep]) => {
    const list = record[field];
    if (!Array.isArray(list) || list.length === 0) return [];
    const texts = list.map((entry) => JSON.stringify(entry));
    // In the order in which they go.
    if (keep === 'first') texts.reverse();
    return [
      { field, keep, list, texts, gone: 0, size: 1 + texts.reduce((sum, { length }) => sum + length + 1, 0) },
    ];
  });
  while (over >= 0) {
    const longest = lists
      .filter(({ gone, list }) => gone < list.length)
      .reduce<(typeof lists)[number] | null>(
        (most, one) => (most === null || one.size > most.size ? one : most),
        null,
      );
    if (longest === null) break;
    const text = longest.texts[longest.gone] ?? '';
    longest.gone += 1;
    const comma = longest.gone < longest.list.length ? 1 : 0;
    longest.size -= text.length + comma;
    over -= Buffer.byteLength(text) + comma;
  }
  for (const { field, keep, list, gone } of lists) {
    if (gone === 0) continue;
    record[`${field}_total`] ??= list.length;
    record[field] = keep === 'last' ? list.slice(gone) : list.slice(0, list.length - gone);
  }
}

/** A list that was read back from disk may be a part: its total stays, unless it says no more than the list. */
function forgetTotal(record: Record<string, unknown>, field: string): void {
  const total = record[`${field}_total`];
  const list = record[field];
  if (typeof total !== 'number' || !Array.isArray(list) || total <= list.length)
    delete record[`${field}_total`];
}

function cutTexts(record: Record<string, unknown>): void {
  for (const field of ['title', 'current_task', 'reason'])
    record[field] = cutStrings(record[field], SHORT_TEXT_BYTES);
}

function dropUnknown(record: Record<string, unknown>): void {
  for (const field of Object.keys(record)) {
    if (!KNOWN_FIELDS.has(field) && !(field.replace(/_total$/, '') in LISTS)) delete record[field];
  }
}

function longestList(record: Record<string, unknown>): keyof typeof LISTS | null {
  let longest: keyof typeof LISTS | null = null;
  let most = 0;
  for (const field of Object.keys(LISTS) as (keyof typeof LISTS)[]) {
    const list = record[field];
    const size = Array.isArray(list) && list.length > 0 ? JSON.stringify(list).length : 0;
    if (size > most) {
      longest = field;
      most = size;
    }
  }
  return longest;
}
