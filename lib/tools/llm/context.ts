import { cutLines, treeMap } from './map.ts';
import { readForModel, showFile } from './shown.ts';

/** Which files a model is shown with its task. */

export type Sources = {
  worktree: string;
  /** Files that git would commit. */
  visible: readonly string[];
  /** Files of the scope that are there, in plan order; empty where there is no scope. */
  present: readonly string[];
  toCreate: readonly string[];
  /** What the task says: files that it names come first. */
  prompt: string;
  budgetBytes: number;
};

export type Context = {
  text: string;
  shown: string[];
  /** Those of them that are shown from the first line to the last. */
  whole: string[];
  /** Not shown although the task is about them, and why. */
  leftOut: { path: string; why: string }[];
};

const PER_FILE_BYTES = 64 * 1024;
const LIST_BYTES = 4 * 1024;
const MAP_BYTES = 16 * 1024;
/** In a task without a scope, files that it names; more are a list, not a task. */
const MAX_NAMED = 50;

/**
 * The files of the scope in plan order, those that the task names first; where there is no scope, only those. A file
 * over 64 KiB, or over half of the budget, is shown in part. One that does not fit into what is left of the budget is left out, and
 * named; smaller ones after it may still fit.
 */
export function gatherContext(sources: Sources): Context {
  const { worktree, visible, present, prompt, budgetBytes } = sources;
  const known = new Set(visible);
  const named = namedIn(prompt, visible);
  const wanted =
    present.length === 0
      ? named.slice(0, MAX_NAMED)
      : [...new Set([...named.filter((path) => present.includes(path)), ...present])];
  const perFile = Math.min(PER_FILE_BYTES, Math.floor(budgetBytes / 2));
  const blocks: string[] = [];
  const shown: string[] = [];
  const whole: string[] = [];
  const leftOut: Context['leftOut'] = [];
  let left = budgetBytes;
  for (const path of wanted) {
    const read = left <= 0 ? null : readForModel(worktree, known, path);
    if (read === null) leftOut.push({ path, why: 'no room' });
    else if (read.kind === 'no') leftOut.push({ path, why: read.why });
    else if (Math.min(read.bytes, perFile) > left) leftOut.push({ path, why: 'no room' });
    else {
      const block = showFile(path, read.file, read.bytes, perFile);
      blocks.push(block);
      shown.push(path);
      if (read.bytes <= perFile) whole.push(path);
      left -= Buffer.byteLength(block);
    }
  }
  return { text: written(sources, blocks, leftOut), shown, whole, leftOut };
}

function written(
  { visible, toCreate, budgetBytes }: Sources,
  blocks: string[],
  leftOut: Context['leftOut'],
): string {
  const parts: string[] = [];
  if (blocks.length > 0) parts.push('# Files as they are now', ...blocks);
  if (toCreate.length > 0) parts.push('# Files to create', cutLines(toCreate, LIST_BYTES));
  if (leftOut.length > 0) {
    const rows = leftOut.map(({ path, why }) => `${JSON.stringify(path)}: ${why}`);
    parts.push('# Files of this task that are not shown', cutLines(rows, LIST_BYTES));
  }
  const map = treeMap(visible, Math.min(MAP_BYTES, Math.floor(budgetBytes / 4)));
  if (map !== '') parts.push('# All files of the repository', map);
  return parts.join('\n\n');
}

/** Paths that a text spells out, longest first looked for, in the order of the tree. */
function namedIn(text: string, paths: readonly string[]): string[] {
  const words = new Set(
    text.split(/[\s"'`()[\]{}<>,;:*]+/).map((word) => word.replace(/^\.\/|[.!?]+$/g, '')),
  );
  return paths.filter((path) => words.has(path));
}
