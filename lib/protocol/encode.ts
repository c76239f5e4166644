import { OrchError } from '../errors.ts';
import type { StatusRecord } from './status.ts';
import { cutText } from './text.ts';

/** One block: a full disk cannot cut it in two, so a reader never meets half a record. */
export const RECORD_MAX_BYTES = 4096;
export const TEXT_MAX_BYTES = 256;
/** Lists and which end of each is worth more when not all of it fits. */
const LISTS = { tool_runs: 'last', checks: 'first', depends_on: 'first', blocked_by: 'first' } as const;

const fits = (value: object): boolean => Buffer.byteLength(JSON.stringify(value)) < RECORD_MAX_BYTES;

function cutStrings(value: unknown): unknown {
  if (typeof value === 'string') return cutText(value, TEXT_MAX_BYTES);
  if (Array.isArray(value)) return value.map(cutStrings);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cutStrings(inner)]));
  }
  return value;
}

/**
 * The text of a record, at most 4,096 bytes with its newline. Texts are cut at 256 bytes, paths excepted; lists
 * keep what fits and get `<field>_total`.
 * @throws OrchError RECORD_TOO_LARGE where even empty lists do not help.
 */
export function encodeRecord(record: StatusRecord): string {
  // The five fields of the design document stand first, for people who `cat` a record.
  const { status, current_task, progress, last_update, exit_code, worktree } = record;
  const ordered = { status, current_task, progress, last_update, exit_code, ...record };
  const cut: Record<string, unknown> = { ...(cutStrings(ordered) as Record<string, unknown>), worktree };
  for (const field of Object.keys(LISTS)) delete cut[`${field}_total`];
  while (!fits(cut)) {
    const field = longestList(cut);
    if (field === null) {
      throw new OrchError('RECORD_TOO_LARGE', `the record of ${record.workstream} does not fit in 4,096 bytes`);
    }
    const list = cut[field] as unknown[];
    cut[`${field}_total`] ??= list.length;
    cut[field] = LISTS[field] === 'last' ? list.slice(1) : list.slice(0, -1);
  }
  return `${JSON.stringify(cut)}\n`;
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
