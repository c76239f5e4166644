import type { GateKind } from './gate-files.ts';

/**
 * Files that are half the work's and half the gate's: `package.json`, `pyproject.toml`, `setup.cfg`. What an agent
 * added to the rest (a dependency, an entry point) must be there when the tests run; the gate's part is taken from the
 * version that decides. Pure.
 */

/** Keys of `package.json`, besides `scripts`, by which test runners and linters are told what to do. */
const PACKAGE_KEYS =
  'jest mocha ava tap nyc c8 vitest eslintConfig eslintIgnore prettier xo stylelint wireit'.split(' ');

const SECTION =
  /^(?:tool[.:])?(?:pytest|coverage|mypy|pyright|basedpyright|ruff|flake8|pylint|pycodestyle|black|isort|tox|nox|bandit)(?:$|[.:\-\s])/i;

/**
 * What to judge by: `edited` with the gate's part of `decides`, or null where that part is the same in both. A text
 * that cannot be read decides nothing: then `decides` is given as a whole.
 */
export function judgedText(kind: GateKind, decides: string, edited: string): string | null {
  switch (kind) {
    case 'package_json':
      return judgedPackage(decides, edited);
    case 'sections':
      return judgedSections(decides, edited);
    case 'test':
    case 'config':
      return decides === edited ? null : decides;
  }
}

/** True for a new file of such a kind in which something configures test runners or linters. */
export function configuresGate(kind: GateKind, text: string): boolean {
  if (kind === 'package_json') return judgedPackage('{}', text) !== null && objectOf(text) !== null;
  return kind === 'sections' && judgedSections('', text) !== null;
}

type Json = Record<string, unknown>;

function judgedPackage(decides: string, edited: string): string | null {
  const [before, after] = [objectOf(decides), objectOf(edited)];
  // No program reads it: nothing was decided by it.
  if (before === null) return null;
  if (after === null) return decides;
  const scripts = scriptsOf(before['scripts'], after['scripts']);
  const judged: Json = { ...after, ...(scripts === null ? {} : { scripts }) };
  for (const key of PACKAGE_KEYS) {
    if (Object.hasOwn(before, key)) judged[key] = before[key];
    // As a new section does: told what to leave out, a runner passes what failed before.
    else delete judged[key];
  }
  return JSON.stringify(judged) === JSON.stringify(after) ? null : `${JSON.stringify(judged, null, 2)}\n`;
}

/** Scripts that are new stay, unless they run before or after one that decides: `pretest`, `posttest`. */
function scriptsOf(before: unknown, after: unknown): Json | null {
  if (!isObject(before)) return null;
  const own = isObject(after) ? after : {};
  const isHook = (name: string): boolean =>
    ['pre', 'post'].some((when) => name.startsWith(when) && Object.hasOwn(before, name.slice(when.length)));
  const added = Object.entries(own).filter(([name]) => Object.hasOwn(before, name) || !isHook(name));
  // In the order of the edited one, so that an equal text comes out for equal scripts.
  return Object.fromEntries([
    ...added.map(([name, value]) => [name, Object.hasOwn(before, name) ? before[name] : value] as const),
    ...Object.entries(before).filter(([name]) => !Object.hasOwn(own, name)),
  ]);
}

function judgedSections(decides: string, edited: string): string | null {
  const [before, after] = [sectionsOf(decides), sectionsOf(edited)];
  const gateOf = (sections: readonly Section[]): string[] =>
    sections.filter(isGate).map(({ text }) => `${text.trim()}\n`);
  const [wanted, found] = [gateOf(before), gateOf(after)];
  if (wanted.join('\n') === found.join('\n')) return null;
  const rest = after.filter((section) => !isGate(section)).map(({ text }) => text);
  return `${rest.join('').trimEnd()}\n\n${wanted.join('\n')}`;
}

type Section = { name: string; text: string };

const isGate = ({ name }: Section): boolean => SECTION.test(name);

/** Cut before each `[name]` at the beginning of a line; what stands before the first has no name. */
function sectionsOf(text: string): Section[] {
  const pieces = text.replaceAll('\r\n', '\n').split(/^(?=\[[^\n]*\][ \t]*(?:[#;][^\n]*)?$)/m);
  return pieces.map((piece) => ({ name: /^\[+\s*"?([^\]"]*)/.exec(piece)?.[1]?.trim() ?? '', text: piece }));
}

function objectOf(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return isObject(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
