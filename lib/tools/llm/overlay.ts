import { decodeText, TEXT_RULE, type TextFile } from './lines.ts';
import { lookAt, pathRule, plainPath, readBytes, type Spot } from './place.ts';

/** What an answer works on: the files of a worktree as they would be, with nothing written yet. */

/** `origin`: where its bytes are on disk now; `text`: what it is to hold, null while nobody has looked or changed it. */
export type FileState = { kind: 'file'; origin: string | null; mode: number | null; text: TextFile | null };
type State = FileState | { kind: 'absent' } | { kind: 'folder' };

/** What an answer may touch. */
export type Desk = {
  worktree: string;
  isInside: (path: string) => boolean;
  /** True for files that the model has seen from the first line to the last. */
  isSeen: (path: string) => boolean;
  /** Files that are there and may be shown; what a folder is taken to hold. */
  files: readonly string[];
};

/** The rule that an edit breaks, for the model to read. */
export class Refusal {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

export const MAX_FILE_BYTES = 2 * 1024 * 1024;
/** Of all files of one answer: what they hold stays in memory until it is written. */
const MAX_ALL_BYTES = 32 * 1024 * 1024;

/** Every path passes `at` before anything else is asked of it; it is read and changed through that state alone. */
export class Overlay {
  readonly desk: Desk;
  readonly states = new Map<string, State>();
  /** Files that are there before anything is written. */
  readonly onDisk = new Set<string>();
  #loadedBytes = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** The path as it is kept, or why it may not be touched. */
  admit(spelled: string): string | Refusal {
    const path = plainPath(spelled);
    const rule = pathRule(path);
    if (rule !== null) return new Refusal(rule);
    if (this.states.has(path)) return path;
    const spot = lookAt(this.desk.worktree, path);
    if (spot.kind === 'no') return new Refusal(`${spot.why}, and is not touched`);
    // A folder is only a way to name the files in it, each of which is asked about.
    if (spot.kind !== 'folder' && !this.desk.isInside(path))
      return new Refusal('it is outside of what this task may change');
    if (spot.kind === 'file') this.onDisk.add(path);
    this.states.set(path, stateOf(path, spot));
    return path;
  }

  at(path: string): State {
    return this.states.get(path) ?? { kind: 'absent' };
  }

  set(path: string, state: State): void {
    this.states.set(path, state);
  }

  /** The text of a file that is there, or why it has none. */
  textOf(path: string, state: FileState): TextFile | Refusal {
    if (state.text !== null) return state.text;
    const bytes = readBytes(this.desk.worktree, state.origin ?? path, MAX_FILE_BYTES);
    if (bytes === null) return new Refusal('it cannot be read, or is too large to be edited');
    this.#loadedBytes += bytes.length;
    if (this.#loadedBytes > MAX_ALL_BYTES) return new Refusal('the answer edits too much at once');
    const text = decodeText(bytes);
    if (text === null) return new Refusal(TEXT_RULE);
    this.states.set(path, { ...state, text });
    return text;
  }

  /** Files at or below a path: what may be shown, and what this answer has made. Not those that it took away. */
  below(path: string): string[] {
    const isBelow = (one: string): boolean => one.startsWith(`${path}/`);
    const made = [...this.states].flatMap(([one, { kind }]) =>
      kind === 'file' && isBelow(one) ? [one] : [],
    );
    const there = this.desk.files.filter((one) => isBelow(one) && this.states.get(one)?.kind !== 'absent');
    return [...new Set([...there, ...made])];
  }
}

function stateOf(path: string, spot: Exclude<Spot, { kind: 'no' }>): State {
  if (spot.kind !== 'file') return spot;
  return { kind: 'file', origin: path, mode: spot.mode, text: null };
}
