import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** Files of `NAME=value` lines. No message here ever holds a value. */

export type EnvFile =
  | { kind: 'read'; values: Record<string, string>; mode: number }
  | { kind: 'absent' }
  | { kind: 'faulty'; line: number; column: number; message: string };

const MAX_BYTES = 1024 * 1024;
const LINE = /^(\s*(?:export\s+)?)([^=\s]*)\s*(=)?(.*)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Set by orch itself, or for git by nobody. */
const RESERVED = /^(?:GIT_.*|ORCH_(?:ROOT|WORKSTREAM|RUN|ATTEMPT|TOKEN))$/;

/** What the file holds; links are followed, since keys are often kept elsewhere. Never throws for what it finds. */
export function readEnvFile(path: string): EnvFile {
  let descriptor: number;
  try {
    // Non-blocking: a named pipe would hold the reader for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? { kind: 'absent' } : unreadable(errno);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return unreadable('not a regular file');
    if (stats.size > MAX_BYTES) return unreadable(`larger than ${MAX_BYTES} bytes`);
    return parseEnv(readFileSync(descriptor, 'utf8'), stats.mode & 0o777);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return unreadable(errno);
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(why: string): EnvFile {
  return { kind: 'faulty', line: 1, column: 1, message: `cannot be read (${why})` };
}

function parseEnv(text: string, mode: number): EnvFile {
  const values: Record<string, string> = {};
  const lines = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  for (const [index, line] of lines.entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, before = '', name = '', equals, written = ''] = LINE.exec(line) ?? [];
    const fault = (message: string, column: number): EnvFile => {
      return { kind: 'faulty', line: index + 1, column, message };
    };
    if (equals === undefined || !NAME.test(name)) return fault('expected NAME=value', before.length + 1);
    if (RESERVED.test(name)) return fault(`${name} is set by orch, not by a file`, before.length + 1);
    const value = textOf(written);
    if (value === null) {
      const why = `the value of ${name} must be one text on one line, its quotes closed`;
      return fault(why, line.indexOf('=') + 2);
    }
    values[name] = value;
  }
  return { kind: 'read', values, mode };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** As written up to ` #`, in single quotes, or in double quotes with `\n`, `\"` and such; nothing is expanded. */
function textOf(written: string): string | null {
  const text = written.trim();
  if (text.includes('\0')) return null;
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(text);
  if (single !== null) return single[1] ?? '';
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text);
  if (double !== null) return (double[1] ?? '').replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
  return /^['"]/.test(text) ? null : written.replace(/\s#.*$/, '').trim();
}
