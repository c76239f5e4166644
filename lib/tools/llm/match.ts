import type { Line } from './lines.ts';

/** Where a block belongs in a file, and what stands there afterwards. */
export type Match =
  | { kind: 'one'; at: number; replace: readonly string[] }
  /** Lines (from 0) at which it would fit; the first few. */
  | { kind: 'many'; at: readonly number[] }
  | { kind: 'none' };

const SHOWN = 5;
/** Comparisons of lines; beyond it a block with another indent counts as not found. */
const SHIFT_BUDGET = 5_000_000;

/**
 * Finds `search`, which is not empty, in `lines`: line by line exactly, else with one indent more or one less for all
 * lines, which `replace` then gets too. Linear in the exact case; bounded otherwise.
 */
export function findBlock(
  lines: readonly Line[],
  search: readonly string[],
  replace: readonly string[],
): Match {
  const exact = exactPlaces(lines, search);
  if (exact.length > 1) return { kind: 'many', at: exact.slice(0, SHOWN) };
  if (exact[0] !== undefined) return { kind: 'one', at: exact[0], replace };
  const shifted = shiftedPlaces(lines, search);
  const [first] = shifted;
  if (first === undefined) return { kind: 'none' };
  if (shifted.length > 1) return { kind: 'many', at: shifted.map(({ at }) => at).slice(0, SHOWN) };
  const moved = shiftAll(replace, first.shift);
  return moved === null ? { kind: 'none' } : { kind: 'one', at: first.at, replace: moved };
}

/** Knuth, Morris and Pratt over lines: a file of equal lines costs no more than another. At most `SHOWN` + 1. */
function exactPlaces(lines: readonly Line[], search: readonly string[]): number[] {
  const back = borders(search);
  const found: number[] = [];
  let matched = 0;
  for (const [index, { text }] of lines.entries()) {
    while (matched > 0 && search[matched] !== text) matched = back[matched - 1] ?? 0;
    if (search[matched] === text) matched += 1;
    if (matched < search.length) continue;
    found.push(index - search.length + 1);
    if (found.length > SHOWN) return found;
    matched = back[matched - 1] ?? 0;
  }
  return found;
}

function borders(search: readonly string[]): number[] {
  const back = [0];
  let length = 0;
  for (const line of search.slice(1)) {
    while (length > 0 && search[length] !== line) length = back[length - 1] ?? 0;
    if (search[length] === line) length += 1;
    back.push(length);
  }
  return back;
}

/** White space that every line with content has more (`in`) or less (`out`) in the file than in the block. */
type Shift = { way: 'in' | 'out'; by: string };
const isBlank = (text: string): boolean => text.trim() === '';

function shiftedPlaces(lines: readonly Line[], search: readonly string[]): { at: number; shift: Shift }[] {
  const lead = search.findIndex((text) => !isBlank(text));
  if (lead === -1) return [];
  const found: { at: number; shift: Shift }[] = [];
  let left = SHIFT_BUDGET;
  for (let at = 0; at + search.length <= lines.length; at += 1) {
    const shift = shiftBetween(search[lead] ?? '', lines[at + lead]?.text ?? '');
    left -= 1;
    if (shift === null) continue;
    let same = 0;
    while (same < search.length && fits(search[same] ?? '', lines[at + same]?.text ?? '', shift)) same += 1;
    left -= same;
    if (left < 0) return [];
    if (same === search.length) found.push({ at, shift });
    if (found.length > SHOWN) return found;
  }
  return found;
}

function shiftBetween(block: string, file: string): Shift | null {
  const [way, longer, shorter] =
    file.length > block.length ? (['in', file, block] as const) : (['out', block, file] as const);
  const by = longer.slice(0, longer.length - shorter.length);
  return by !== '' && isBlank(by) && longer.endsWith(shorter) ? { way, by } : null;
}

function fits(block: string, file: string, { way, by }: Shift): boolean {
  if (isBlank(block)) return isBlank(file);
  return way === 'in' ? file === by + block : block === by + file;
}

/** Null where a line has not the indent that all of them should lose. */
function shiftAll(texts: readonly string[], { way, by }: Shift): string[] | null {
  const moved: string[] = [];
  for (const text of texts) {
    if (isBlank(text)) moved.push(text);
    else if (way === 'in') moved.push(by + text);
    else if (text.startsWith(by)) moved.push(text.slice(by.length));
    else return null;
  }
  return moved;
}
