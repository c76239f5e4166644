import { type Document, faultAt } from './document.ts';
import { type Fault, quote } from './fault.ts';
import { type Holder, judgeKey } from './fields.ts';
import { member, type Path, type Raw, type RawMap } from './raw.ts';

/** Faults of keys, and the keys that nobody knows, which share one warning a file. */
export type KeyFindings = { faults: Fault[]; unknown: { path: Path; key: string }[] };

const SHOWN_KEYS = 8;

/** Judges each key of a workstream and of all that it holds, save `env` and `metadata`, which are free. */
export function judgeWorkstreamKeys(document: Document, path: Path, map: RawMap, found: KeyFindings): void {
  judgeKeys(document, path, map, 'workstream', found);
  judgeWork(document, path, map, found);
  const breaker = member(map, 'circuit_breaker');
  if (breaker?.kind === 'map') judgeKeys(document, [...path, 'circuit_breaker'], breaker, 'breaker', found);
  for (const [index, step] of mapsIn(member(map, 'steps'))) {
    const stepPath = [...path, 'steps', index];
    judgeKeys(document, stepPath, step, 'step', found);
    judgeWork(document, stepPath, step, found);
  }
}

function judgeWork(document: Document, path: Path, map: RawMap, found: KeyFindings): void {
  for (const [index, task] of mapsIn(member(map, 'tasks'))) {
    judgeKeys(document, [...path, 'tasks', index], task, 'task', found);
  }
  for (const [index, check] of mapsIn(member(map, 'acceptance_tests'))) {
    judgeKeys(document, [...path, 'acceptance_tests', index], check, 'check', found);
  }
}

function mapsIn(raw: Raw | undefined): [number, RawMap][] {
  if (raw?.kind !== 'list') return [];
  return raw.items.flatMap((item, index): [number, RawMap][] => (item.kind === 'map' ? [[index, item]] : []));
}

/** Judges the keys of one object. */
export function judgeKeys(
  document: Document,
  path: Path,
  map: RawMap,
  holder: Holder,
  found: KeyFindings,
): void {
  for (const { key, value } of map.entries) {
    const verdict = isScopeMode(holder, key, value) ?? judgeKey(holder, key);
    const keyPath = [...path, key];
    if (verdict.kind === 'unknown') found.unknown.push({ path: keyPath, key });
    if (verdict.kind === 'misnamed') {
      const message = `${quote(key)} is not a field; expected ${quote(verdict.field)}`;
      found.faults.push(
        faultAt(document, keyPath, 'misnamed_field', message, renameHint(verdict.field), 'key'),
      );
    }
    if (verdict.kind === 'misplaced') {
      const message = `${quote(key)} is not read here; expected it in a workstream`;
      const hint = 'Move it there, or begin its name with "_" if it is only a note.';
      found.faults.push(faultAt(document, keyPath, 'misplaced_field', message, hint, 'key'));
    }
  }
}

/** `scope: warn` is a field, `scope: {...}` a lookalike of `files_scope`. */
function isScopeMode(holder: Holder, key: string, value: Raw): { kind: 'read' } | null {
  return holder === 'workstream' && key === 'scope' && value.kind === 'scalar' ? { kind: 'read' } : null;
}

const FORM: Readonly<Record<string, string>> = {
  id: '"id" is a text.',
  tasks: '"tasks" is a list of texts, or of {"prompt": ...} and {"run": ...}.',
  steps: '"steps" is a list of {"id": ..., "tasks": [...]}.',
  depends_on: '"depends_on" is a list of workstream ids.',
  acceptance_tests: '"acceptance_tests" is a list of texts, or of {"run": ...} and {"prose": ...}.',
  files_scope: '"files_scope" is a list of files, folders or globs.',
  files_create: '"files_create" is a list of files.',
};

function renameHint(field: string): string {
  const form = FORM[field];
  const rename = 'Rename it, or begin its name with "_" if it is only a note.';
  return form === undefined ? rename : `${rename} ${form}`;
}

/** One warning for all unknown keys of a file, at the first of them; empty where there is none. */
export function unknownKeyWarnings(document: Document, unknown: KeyFindings['unknown']): Fault[] {
  const first = unknown[0];
  if (first === undefined) return [];
  const names = [...new Set(unknown.map(({ key }) => quote(key)))];
  const more = names.length > SHOWN_KEYS ? ` and ${names.length - SHOWN_KEYS} more` : '';
  const message = `keys that orch does not know are carried unread: ${names.slice(0, SHOWN_KEYS).join(', ')}${more}`;
  const hint = 'Begin a key with "_" to say that it is a note.';
  return [faultAt(document, first.path, 'unknown_field', message, hint, 'key')];
}
