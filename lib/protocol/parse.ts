import * as v from 'valibot';
import { checkRecord, STATUS_SCHEMA, type StatusRecord } from './status.ts';

/** A record that another program wrote; see "Foreign workers" in docs/protocol.md. */
export type ForeignRecord = {
  status: string;
  current_task: string | null;
  progress: string | null;
  last_update: number | null;
  exit_code: number | null;
  fields: Record<string, unknown>;
};

export type ParsedRecord =
  | { kind: 'record'; record: StatusRecord }
  | { kind: 'foreign'; record: ForeignRecord }
  | { kind: 'unreadable'; message: string; line: number; column: number };

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOrNull = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

function positionAt(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

const AT_POSITION = /at position (\d+)/;

function faultOf(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    if (error instanceof SyntaxError) return error.message;
    throw error;
  }
}

/**
 * Where JSON.parse gave up. V8 says so in its message, but not for a token that it did not expect: that one is
 * found as the end of the shortest beginning of the text that has the same kind of fault.
 */
function syntaxPosition(text: string, message: string): { line: number; column: number } {
  const said = AT_POSITION.exec(message)?.[1];
  if (said !== undefined) return positionAt(text, Number(said));
  if (!message.startsWith('Unexpected token')) return positionAt(text, text.length);
  let sound = 0;
  let faulty = text.length;
  while (faulty - sound > 1) {
    const middle = (sound + faulty) >> 1;
    if (faultOf(text.slice(0, middle))?.startsWith('Unexpected token')) faulty = middle;
    else sound = middle;
  }
  return positionAt(text, sound);
}

/** The place is told beside it. V8 tells it in one version and not in the next, and may quote what is there. */
const withoutPlace = (message: string): string =>
  message
    .replace(/ (?:in JSON )?at position \d+.*$/s, '')
    .replace(/, (?:\.\.\.)?".*" is not valid JSON$/s, '');

const DEPTH_MAX = 100;
const DEPTH_SAFE_LENGTH = 4096;

/** True if `value` is nested deeper than can be shown or written: JSON.stringify would run out of stack. */
function isTooDeep(value: object): boolean {
  let level: object[] = [value];
  for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
    const inner = (one: object): unknown[] => Object.values(one);
    level = level.flatMap(inner).filter((one): one is object => typeof one === 'object' && one !== null);
    if (level.length === 0) return false;
  }
  return true;
}

/** Text of `.status/<id>.json` → what it says. Never throws. */
export function parseRecord(text: string): ParsedRecord {
  if (text.startsWith('\ufeff')) {
    // V8 shows the mark, which nobody can see.
    const message = 'it begins with a byte order mark; save it as UTF-8 without one';
    return { kind: 'unreadable', message, line: 1, column: 1 };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof SyntaxError ? error.message : String(error);
    return { kind: 'unreadable', message: withoutPlace(message), ...syntaxPosition(text, message) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { kind: 'unreadable', message: 'a record must be a JSON object', line: 1, column: 1 };
  }
  // What fits in so few bytes cannot be deep enough to matter.
  if (text.length > DEPTH_SAFE_LENGTH && isTooDeep(value)) {
    const message = `it is nested deeper than ${DEPTH_MAX} levels`;
    return { kind: 'unreadable', message, line: 1, column: 1 };
  }
  if (!('schema' in value)) return foreign(text, value as Record<string, unknown>);
  if (value.schema !== STATUS_SCHEMA) return otherSchema(text);
  const checked = checkRecord(value);
  if (checked.success) return { kind: 'record', record: checked.output };
  const { issue } = checked;
  const path = v.getDotPath(issue) ?? '';
  const at = text.indexOf(`"${path.split('.').at(-1) ?? ''}"`);
  const message =
    issue.received === 'undefined'
      ? `the field ${JSON.stringify(path)} is missing`
      : `${path === '' ? 'record' : path}: ${issue.message}`;
  return { kind: 'unreadable', message, ...positionAt(text, Math.max(at, 0)) };
}

function otherSchema(text: string): ParsedRecord {
  const message = `schema is not ${STATUS_SCHEMA}; another version of orch may have written it`;
  return { kind: 'unreadable', message, ...positionAt(text, Math.max(text.indexOf('"schema"'), 0)) };
}

function foreign(text: string, fields: Record<string, unknown>): ParsedRecord {
  const status = textOrNull(fields['status']);
  if (status === null) {
    const message = 'a record needs a "status" field that is a text';
    return { kind: 'unreadable', message, ...positionAt(text, Math.max(text.indexOf('"status"'), 0)) };
  }
  const record: ForeignRecord = {
    status,
    current_task: textOrNull(fields['current_task']),
    progress: textOrNull(fields['progress']),
    last_update: numberOrNull(fields['last_update']),
    exit_code: numberOrNull(fields['exit_code']),
    fields,
  };
  return { kind: 'foreign', record };
}
