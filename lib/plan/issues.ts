import * as v from 'valibot';
import { type Document, faultAt } from './document.ts';
import { type Fault, type FaultCode, quote } from './fault.ts';
import { type Path, plain, type RawMap } from './raw.ts';
import { EMPTY, WorkstreamSchema, type WrittenWorkstream } from './schema.ts';

type Issue = v.BaseIssue<unknown>;

/** Code of a broken rule, by the field that breaks it; of a wrong type it is `wrong_type` everywhere. */
const CODE_OF_FIELD: ReadonlyMap<string, FaultCode> = new Map([
  ['id', 'bad_id'],
  ['tasks', 'bad_task'],
  ['steps', 'bad_task'],
  ['acceptance_tests', 'bad_check'],
  ['files_scope', 'bad_path'],
  ['files_create', 'bad_path'],
  ['copy', 'bad_path'],
  ['env', 'bad_env'],
  ['timeout', 'bad_duration'],
  ['task_timeout', 'bad_duration'],
  ['priority', 'bad_priority'],
  ['limits', 'bad_limits'],
  ['sandbox', 'bad_sandbox'],
]);

/** The workstream at `path` as typed data, or every way in which it is not one. */
export function readShape(
  document: Document,
  path: Path,
  map: RawMap,
): { written: WrittenWorkstream | null; faults: Fault[] } {
  const result = v.safeParse(WorkstreamSchema, plain(map));
  if (result.success) return { written: result.output, faults: [] };
  return { written: null, faults: shapeFaults(document, path, result.issues, isNoSecret) };
}

/** What `env` holds is masked wherever it is shown, so a fault tells its names alone. */
const isNoSecret = ([field]: Path): boolean => field !== 'env';

/** Every way in which what stands at `path` breaks its schema. Values where `isShown` says no are not repeated. */
export function shapeFaults(
  document: Document,
  path: Path,
  issues: readonly Issue[],
  isShown: (path: Path) => boolean = () => true,
): Fault[] {
  return issues
    .flatMap((issue) => leavesOf(issue, []))
    .map((leaf) => faultOf(document, path, leaf, isShown(leaf.path)));
}

type Leaf = { issue: Issue; path: Path };

/** Of a union, what is wrong with the branch that the person meant: the one that got deepest. */
function leavesOf(issue: Issue, above: Path): Leaf[] {
  const path = [...above, ...(issue.path ?? []).map((item) => item.key as string | number)];
  if (issue.type !== 'union' || issue.issues === undefined) return [{ issue, path }];
  const inner = issue.issues.flatMap((sub) => leavesOf(sub, path));
  const meant = inner.filter((leaf) => leaf.path.length > path.length || leaf.issue.kind === 'validation');
  return meant.length > 0 ? meant : [{ issue, path }];
}

function faultOf(document: Document, base: Path, { issue, path }: Leaf, isShown: boolean): Fault {
  const full = [...base, ...path];
  const name = path.length === 0 ? 'the workstream' : nameOf(path);
  if (issue.received === 'undefined' && issue.kind === 'schema') {
    const key = String(path.at(-1));
    const owner = path.length <= 1 ? 'the workstream' : nameOf(path.slice(0, -1));
    const code = key === 'id' ? 'missing_id' : 'missing_field';
    return faultAt(document, full.slice(0, -1), code, `${owner} has no "${key}"`, missingHint(key));
  }
  if (issue.kind === 'schema') {
    const message = `${name} must be ${issue.message}, not ${kindOf(issue.input, isShown)}`;
    return faultAt(document, full, 'wrong_type', message, typeHint(issue, isShown));
  }
  const shown =
    isShown && typeof issue.input === 'string' && issue.input !== '' ? ` ${quote(issue.input)}` : '';
  const isKey = issue.path?.at(-1)?.origin === 'key';
  const message = `${name}${shown} ${issue.message}`;
  return faultAt(document, full, codeOf(issue, path), message, null, isKey ? 'key' : 'value');
}

function codeOf(issue: Issue, path: Path): FaultCode {
  if (issue.message === EMPTY) return path.at(-1) === 'tasks' ? 'no_tasks' : 'empty';
  const field = path.findLast((part) => typeof part === 'string' && CODE_OF_FIELD.has(part));
  if (issue.type === 'check' && issue.message.includes('NUL')) return 'bad_text';
  // A step's own "id" is no workstream id.
  return CODE_OF_FIELD.get(path.includes('env') ? 'env' : String(field)) ?? 'wrong_type';
}

/** `tasks[2].timeout`, escaped. */
function nameOf(path: Path): string {
  const text = path.reduce<string>((sum, part) => {
    if (typeof part === 'number') return `${sum}[${part}]`;
    return sum === '' ? part : `${sum}.${part}`;
  }, '');
  return quote(text);
}

function kindOf(value: unknown, isShown: boolean): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (!isShown) return `a ${typeof value}`;
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return 'an object';
}

function missingHint(key: string): string {
  return key === 'id' ? 'Add "id": a short name such as "WS-001".' : `Add "${key}".`;
}

function typeHint(issue: Issue, isShown: boolean): string | null {
  const { input } = issue;
  if (input === null) return 'Leave the key out if there is nothing to say.';
  if (/list/.test(issue.message) && typeof input === 'string') {
    return isShown ? `Write [${quote(input)}].` : null;
  }
  if (/^a text/.test(issue.message) && (typeof input === 'number' || typeof input === 'boolean')) {
    return isShown ? `Put it in quotes: "${input}".` : 'Put it in quotes.';
  }
  if (/^a text/.test(issue.message) && typeof input === 'object') {
    return 'In YAML, text that holds ": " must stand in quotes.';
  }
  return null;
}
