import { readdir } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import { scopeMatcher } from '../protocol/scope.ts';
import { faultAt } from './document.ts';
import type { Entry } from './entries.ts';
import { type Fault, quote } from './fault.ts';
import { mayOverlap, patternOf } from './globs.ts';
import { pathWords } from './path-words.ts';
import { pathFault } from './paths.ts';
import type { Path } from './raw.ts';
import type { WrittenTask, WrittenWorkstream } from './schema.ts';

const SHOWN = 5;
/** What is longer is no path that a person wrote, and costs time to match. */
const LONGEST = 255;
const PATH = /^[\p{L}\p{N}_.@+*{},-]+(?:\/[\p{L}\p{N}_.@+*{},-]+)*\/?$/u;
const FILE_NAME = /[^/.]\.[A-Za-z][A-Za-z0-9]{0,9}$/;
const HOST = /^[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev)$/;

/** Names at the top of a repository; none where it cannot be listed, since only warnings hang on it. */
export async function namesAt(root: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(root));
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return new Set();
  }
}

/** One warning for a workstream whose tasks name paths outside of its scope, at the first such task. */
export function namedPathWarnings(
  { document, path, id }: Entry,
  written: WrittenWorkstream,
  { scope, files_scope, files_create }: PlannedWorkstream,
  topNames: ReadonlySet<string>,
): Fault[] {
  if (scope === 'off') return [];
  const isInside = insideOf([...files_scope, ...files_create]);
  const outside = new Set<string>();
  let first: Path | null = null;
  for (const { task, at } of tasksOf(written)) {
    for (const named of pathsIn(textOf(task), topNames)) {
      if (isInside(named)) continue;
      first ??= at;
      outside.add(named);
    }
  }
  if (first === null) return [];
  const names = [...outside];
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  const shown = names.slice(0, SHOWN).map(quote).join(', ');
  const message = `tasks of ${quote(id ?? '')} name ${shown}${more}, outside of its scope`;
  const fate =
    scope === 'enforce' ? 'Changes there will be taken out of the branch' : 'Changes there are told';
  const hint = `${fate}: add what they may change to "files_scope" or "files_create".`;
  return [faultAt(document, [...path, ...first], 'outside_scope', message, hint)];
}

function tasksOf(written: WrittenWorkstream): { task: WrittenTask; at: Path }[] {
  const own = (written.tasks ?? []).map((task, index) => ({ task, at: ['tasks', index] }));
  const ofSteps = (written.steps ?? []).flatMap((step, at) => {
    return step.tasks.map((task, index) => ({ task, at: ['steps', at, 'tasks', index] }));
  });
  return [...own, ...ofSteps];
}

function textOf(task: WrittenTask): string {
  return typeof task === 'string' ? task : (task.prompt ?? task.run ?? '');
}

/** What a text names that is most likely a path: `src/a.py`, `docs/`, or a file at the top such as `setup.py`. */
export function pathsIn(text: string, topNames: ReadonlySet<string>): string[] {
  return pathWords(text).flatMap((path) => {
    if (path.length > LONGEST || !PATH.test(path) || pathFault(path) !== null) return [];
    const [top = ''] = path.split('/');
    if (top === path) return FILE_NAME.test(path) && topNames.has(path) ? [path] : [];
    const isPath = path.endsWith('/') || FILE_NAME.test(path) || topNames.has(top);
    return isPath && !HOST.test(top) ? [path] : [];
  });
}

/** Inside is also a folder that holds some of the scope, and the end of an entry: `lexer.py` for `src/lexer.py`. */
function insideOf(entries: readonly string[]): (path: string) => boolean {
  const isInScope = scopeMatcher(entries);
  const patterns = entries.map(patternOf);
  return (path) => {
    if (isInScope(path) || entries.some((entry) => entry.endsWith(`/${path}`))) return true;
    const named = patternOf(path);
    const mayBeFolder = !FILE_NAME.test(path) || /[*{]/.test(path);
    return mayBeFolder && patterns.some((pattern) => mayOverlap(named, pattern));
  };
}
