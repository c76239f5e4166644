import type { Edit } from './answer.ts';
import { encodeText, replaceLines, type TextFile, wholeText } from './lines.ts';
import { findBlock } from './match.ts';
import { type Desk, type FileState, MAX_FILE_BYTES, Overlay, Refusal } from './overlay.ts';
import { readBytes } from './place.ts';

/** What is to be written, once all of an answer has been found right. `mode` null: a new file. */
export type Change =
  | { kind: 'write'; path: string; bytes: Buffer; mode: number | null }
  | { kind: 'copy'; path: string; from: string; mode: number | null }
  | { kind: 'remove'; path: string };

/** `miss`: the block and the text in which it was not found. */
export type EditFault = {
  path: string;
  line: number;
  what: string;
  miss: { search: readonly string[]; file: TextFile } | null;
};

export type Applied = { ok: true; changes: Change[] } | { ok: false; faults: EditFault[] };

const MAX_CHANGES = 2_000;
/** An answer with more faults is not looked at any further: a search in a large file takes its time. */
const MAX_FAULTS = 20;

/**
 * Carries out all edits in memory, one after the other, each on what those before it made. Nothing is written; one
 * edit that does not fit, or that may not be, and there are no changes at all.
 */
export function applyEdits(edits: readonly Edit[], desk: Desk): Applied {
  const overlay = new Overlay(desk);
  const faults: EditFault[] = [];
  for (const edit of edits) {
    const wrong = applyOne(edit, overlay);
    if (wrong instanceof Refusal)
      faults.push({ path: edit.path, line: edit.line, what: wrong.what, miss: null });
    else if (wrong !== null) faults.push({ ...wrong, path: edit.path, line: edit.line });
    if (faults.length >= MAX_FAULTS) return { ok: false, faults };
  }
  faults.push(...collisions(overlay));
  if (faults.length > 0) return { ok: false, faults };
  const changes = changesOf(overlay);
  if (changes.length <= MAX_CHANGES) return { ok: true, changes };
  const what = `the answer changes ${changes.length} files; at most ${MAX_CHANGES} can be changed at once`;
  return { ok: false, faults: [{ path: '', line: 0, what, miss: null }] };
}

type Wrong = Refusal | { what: string; miss: EditFault['miss'] } | null;

/** As a folder may be spelled. By a loop: a pattern would take the square of a path that is all slashes. */
function withoutSlash(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

function applyOne(edit: Edit, overlay: Overlay): Wrong {
  if (edit.kind === 'delete') return remove(withoutSlash(edit.path), overlay);
  if (edit.kind === 'move') return move(withoutSlash(edit.path), edit.to, overlay);
  const path = overlay.admit(edit.path);
  if (path instanceof Refusal) return path;
  const state = overlay.at(path);
  if (state.kind === 'folder') return new Refusal('it is a folder');
  return edit.kind === 'whole'
    ? writeWhole(path, state, edit.lines, overlay)
    : replaceIn(path, state, edit, overlay);
}

function writeWhole(
  path: string,
  state: FileState | { kind: 'absent' },
  lines: readonly string[],
  overlay: Overlay,
): Wrong {
  if (isFenced(lines) && !/\.(?:md|mdx|markdown|rst|txt)$/i.test(path))
    return new Refusal('its content begins and ends with a fence; leave the fences out');
  const before = state.kind === 'absent' ? null : overlay.textOf(path, state);
  // What nobody has looked at would be gone without a word.
  const isBlind = state.kind === 'file' && state.origin !== null && !overlay.desk.isSeen(state.origin);
  if (isBlind && (before instanceof Refusal || (before?.lines.length ?? 0) > 0))
    return new Refusal('it is there already and was not shown to you as a whole: `READ` it first');
  const text = wholeText(lines, before instanceof Refusal ? null : before);
  const known = state.kind === 'absent' ? { origin: null, mode: null } : state;
  overlay.set(path, { kind: 'file', origin: known.origin, mode: known.mode, text });
  return null;
}

const FENCE = /^\s*`{3,}/;
const isFenced = (lines: readonly string[]): boolean =>
  lines.length > 1 && FENCE.test(lines[0] ?? '') && FENCE.test(lines.findLast((line) => line !== '') ?? '');

function replaceIn(
  path: string,
  state: FileState | { kind: 'absent' },
  edit: Extract<Edit, { kind: 'replace' }>,
  overlay: Overlay,
): Wrong {
  const isBare = edit.search.every((line) => line.trim() === '');
  if (state.kind === 'absent') {
    if (isBare) return writeWhole(path, state, edit.replace, overlay);
    return new Refusal('there is no such file; a new file is given as a whole');
  }
  const file = overlay.textOf(path, state);
  if (file instanceof Refusal) return file;
  if (isBare && file.lines.length === 0) return writeWhole(path, state, edit.replace, overlay);
  if (isBare) return new Refusal('SEARCH holds no text; it must hold the lines to replace');
  const match = findBlock(file.lines, edit.search, edit.replace);
  switch (match.kind) {
    case 'none':
      return {
        what: 'SEARCH is not in the file, line for line',
        miss: { search: edit.search, file },
      };
    case 'many': {
      const at = match.at.map((index) => index + 1).join(', ');
      return new Refusal(`SEARCH fits at several places, from lines ${at}; give it more lines around`);
    }
    case 'one': {
      const lines = replaceLines(file.lines, { at: match.at, count: edit.search.length }, match.replace);
      overlay.set(path, { ...state, text: { ...file, lines } });
      return null;
    }
  }
}

function remove(spelled: string, overlay: Overlay): Wrong {
  const found = filesAt(spelled, overlay);
  if (found instanceof Refusal) return found;
  for (const { path } of found) overlay.set(path, { kind: 'absent' });
  return null;
}

/** Never over another file. Where the new path ends in a slash, or the old one is a folder, names are kept. */
function move(from: string, to: string, overlay: Overlay): Wrong {
  const found = filesAt(from, overlay);
  if (found instanceof Refusal) return found;
  const top = to.endsWith('/') ? `${to}${from.split('/').at(-1)}` : to;
  const targets: { path: string; state: FileState }[] = [];
  for (const { below, state } of found) {
    const target = overlay.admit(below === '' ? top : `${top}/${below}`);
    if (target instanceof Refusal) return new Refusal(`the new path: ${target.what}`);
    if (overlay.at(target).kind !== 'absent') return new Refusal(`${target} is there already`);
    targets.push({ path: target, state });
  }
  for (const { path } of found) overlay.set(path, { kind: 'absent' });
  for (const { path, state } of targets) overlay.set(path, state);
  return null;
}

type Found = { path: string; below: string; state: FileState };

/** The file at a path, or all files in a folder, with their paths in it. */
function filesAt(spelled: string, overlay: Overlay): Found[] | Refusal {
  const path = overlay.admit(spelled);
  if (path instanceof Refusal) return path;
  const state = overlay.at(path);
  if (state.kind === 'file') return [{ path, below: '', state }];
  const names = overlay.below(path);
  if (names.length === 0) return new Refusal('there is no such file');
  if (names.length > MAX_CHANGES) return new Refusal(`it holds more than ${MAX_CHANGES} files`);
  const found: Found[] = [];
  for (const name of names) {
    const inner = overlay.admit(name);
    if (inner instanceof Refusal) return new Refusal(`${name}: ${inner.what}`);
    const one = overlay.at(inner);
    if (one.kind === 'file') found.push({ path: inner, below: inner.slice(path.length + 1), state: one });
  }
  return found;
}

/** A file that would be a folder too. */
function collisions({ states }: Overlay): EditFault[] {
  const files = [...states].flatMap(([path, { kind }]) => (kind === 'file' ? [path] : []));
  const known = new Set(files);
  return files.flatMap((path) => {
    const above = path.split('/').slice(0, -1);
    const file = above.map((_, depth) => above.slice(0, depth + 1).join('/')).find((one) => known.has(one));
    return file === undefined ? [] : [{ path, line: 0, what: `${file} is a file, not a folder`, miss: null }];
  });
}

/** What differs from what is on disk; what is new comes before what goes. */
function changesOf({ states, onDisk, desk }: Overlay): Change[] {
  const written: Change[] = [];
  const removed: Change[] = [];
  for (const [path, state] of states) {
    if (state.kind === 'absent' && onDisk.has(path)) removed.push({ kind: 'remove', path });
    if (state.kind !== 'file') continue;
    const { origin, mode, text } = state;
    if (text === null) {
      if (origin !== null && origin !== path) written.push({ kind: 'copy', path, from: origin, mode });
      continue;
    }
    const bytes = encodeText(text);
    const before = origin === path ? readBytes(desk.worktree, path, MAX_FILE_BYTES) : null;
    if (before === null || !before.equals(bytes)) written.push({ kind: 'write', path, bytes, mode });
  }
  return [...written, ...removed];
}
