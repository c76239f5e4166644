import { openingOf, readBlock, strayMarker } from './blocks.ts';
import { readHeader } from './header.ts';

/** What a model's answer asks for, in its order; `line` counts from 1 and is for messages. */
export type Edit =
  | { kind: 'replace'; path: string; search: readonly string[]; replace: readonly string[]; line: number }
  | { kind: 'whole'; path: string; lines: readonly string[]; line: number }
  | { kind: 'delete'; path: string; line: number }
  | { kind: 'move'; path: string; to: string; line: number };

/** A file that the model wants to see, or lines `from` to `to` of it, from 1 and inclusive. */
export type Wish = { path: string; lines: { from: number; to: number } | null };

export type AnswerFault = { line: number; what: string };

export type Answer = {
  edits: Edit[];
  wishes: Wish[];
  faults: AnswerFault[];
  /** Whether there is a fence: code that is no edit may have been meant as one. */
  hasFence: boolean;
};

// Each pattern here reads a line of a megabyte in linear time: no two parts of one can share a run of characters.
const COMMAND = /^(DELETE|MOVE|READ): +(\S.*)$/;
const LINES = /^(.*\S) +lines? +(\d{1,9})(?: *- *(\d{1,9}))?$/;
const FENCE = /^\s*(?:`{3,}|~{3,})/;
const FOREIGN_FORMAT = /^(?:diff --git |\*\*\* Begin Patch|@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@)/;
/** More than any task needs; what is beyond is told. */
const MAX_ITEMS = 1_000;

/**
 * Reads an answer. Whatever it says, this ends, in time that grows with its length; what cannot be understood in one
 * way only is a fault and no edit. Paths are taken as they are spelled: whether they may be touched is not asked here.
 */
export function readAnswer(text: string): Answer {
  const lines = withoutThoughts(text)
    .split('\n')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  const answer: Answer = { edits: [], wishes: [], faults: [], hasFence: false };
  /** What the last block ended with: the next one may leave the path out. */
  let previous: { path: string; end: number } | null = null;
  for (let at = 0; at < lines.length && !isFull(answer); ) {
    const line = lines[at] ?? '';
    const opening = openingOf(line);
    if (opening === null) {
      readPlainLine(line, at, answer);
      at += 1;
      continue;
    }
    const path = readHeader(lines, at, previous);
    const block = readBlock(lines, at, opening);
    if (block.kind === 'fault') answer.faults.push({ line: at + 1, what: block.what });
    else if (path === null)
      answer.faults.push({ line: at + 1, what: 'the line above the block must name its file: `FILE: path`' });
    else answer.edits.push({ ...block.edit, path, line: at + 1 });
    previous = path === null ? null : { path, end: block.end };
    at = block.end;
  }
  return answer;
}

function isFull(answer: Answer): boolean {
  if (answer.edits.length + answer.wishes.length + answer.faults.length < MAX_ITEMS) return false;
  answer.faults.push({ line: 0, what: `more than ${MAX_ITEMS} edits; an answer may hold no more` });
  return true;
}

/** Models that think aloud begin with that; drafts in it are no edits. */
function withoutThoughts(text: string): string {
  if (!/^\s*<think>/.test(text)) return text;
  const end = text.indexOf('</think>');
  return end === -1 ? '' : text.slice(end + '</think>'.length);
}

function readPlainLine(line: string, at: number, answer: Answer): void {
  if (FENCE.test(line)) answer.hasFence = true;
  const fault = (what: string): void => void answer.faults.push({ line: at + 1, what });
  if (FOREIGN_FORMAT.test(line)) fault('a diff or patch is not the format');
  else if (strayMarker(line)) fault('a marker that neither begins a block nor ends one');
  const [, command, rest = ''] = COMMAND.exec(line.trimEnd()) ?? [];
  if (command === undefined) return;
  const told = bare(rest);
  if (command === 'DELETE') answer.edits.push({ kind: 'delete', path: told, line: at + 1 });
  else if (command === 'READ') answer.wishes.push(wishOf(told));
  else {
    const [from, to, ...more] = rest.split(' -> ');
    if (from === undefined || to === undefined || more.length > 0)
      fault('a move is written `MOVE: path -> new path`, with one arrow');
    else answer.edits.push({ kind: 'move', path: bare(from), to: bare(to), line: at + 1 });
  }
}

function wishOf(told: string): Wish {
  const [, path, from, to] = LINES.exec(told) ?? [];
  if (path === undefined) return { path: told, lines: null };
  const first = Math.max(1, Number(from));
  return { path: bare(path), lines: { from: first, to: Math.max(first, Number(to ?? from)) } };
}

/** Without spaces and one pair of backticks around it. */
const bare = (text: string): string => text.trim().replace(/^`([^`]+)`$/, '$1');
