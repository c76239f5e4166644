import type { Line } from './lines.ts';

/** A part of a file that a block may have meant: lines `from` (from 0) up to but not including `to`. */
export type Near = { from: number; to: number };

const CONTEXT_LINES = 3;
const MAX_LINES = 60;
/** Lines that are more frequent than that say nothing of where one is. */
const COMMON = 50;
const COMPARED_LINES = 20_000;
const COMPARED_CHARACTERS = 200;
/** Share of equal pairs of characters below which two lines have nothing in common. */
const ALIKE = 0.4;

/**
 * The lines of a file that `search` most likely meant, with a few around them; null where nothing is like it. A
 * line of the block votes for each place where it stands in the file; without votes the most similar line decides.
 */
export function nearestLines(lines: readonly Line[], search: readonly string[]): Near | null {
  const at = byVotes(lines, search) ?? byLikeness(lines, search);
  if (at === null) return null;
  const from = Math.max(0, at - CONTEXT_LINES);
  const to = Math.min(lines.length, at + search.length + CONTEXT_LINES, from + MAX_LINES);
  return from < to ? { from, to } : null;
}

function byVotes(lines: readonly Line[], search: readonly string[]): number | null {
  const places = new Map<string, number[]>();
  for (const [index, { text }] of lines.entries()) {
    const key = text.trim();
    if (key.length < 2) continue;
    const known = places.get(key);
    if (known === undefined) places.set(key, [index]);
    else if (known.length <= COMMON) known.push(index);
  }
  const votes = new Map<number, number>();
  for (const [index, text] of search.entries()) {
    const at = places.get(text.trim()) ?? [];
    if (at.length > COMMON) continue;
    for (const place of at) votes.set(place - index, (votes.get(place - index) ?? 0) + 1 / at.length);
  }
  let best: { at: number; votes: number } | null = null;
  for (const [at, count] of votes) if (best === null || count > best.votes) best = { at, votes: count };
  return best === null ? null : Math.max(0, best.at);
}

function byLikeness(lines: readonly Line[], search: readonly string[]): number | null {
  const lead = search.findIndex((text) => text.trim().length > 2);
  if (lead === -1) return null;
  const wanted = pairsOf(search[lead] ?? '');
  let best = { at: -1, score: ALIKE };
  for (const [index, { text }] of lines.slice(0, COMPARED_LINES).entries()) {
    const score = likeness(wanted, pairsOf(text));
    if (score > best.score) best = { at: index, score };
  }
  return best.at === -1 ? null : Math.max(0, best.at - lead);
}

function pairsOf(text: string): Set<string> {
  const cut = text.trim().toLowerCase().slice(0, COMPARED_CHARACTERS);
  const pairs = new Set<string>();
  for (let at = 0; at + 1 < cut.length; at += 1) pairs.add(cut.slice(at, at + 2));
  return pairs;
}

/** Dice's coefficient. */
function likeness(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  if (one.size === 0 || other.size === 0) return 0;
  let shared = 0;
  for (const pair of one) if (other.has(pair)) shared += 1;
  return (2 * shared) / (one.size + other.size);
}
