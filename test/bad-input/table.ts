import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { ORCH, type Rig } from '../rig/repository.ts';

/** A table of bad inputs: each row is a run of the built `orch`, and a row of docs/bad-inputs.md. */

export type Row = { what: string; command: string; exit: number; code: string; says: string };
export type Section = { title: string; text: string; rows: Row[] | 'skipped' };

/** One bad input: what must come of `orch …args`. */
export type Case = {
  what: string;
  args: string[];
  exit: number;
  code: string;
  cwd?: string;
  env?: Record<string, string>;
  /** How the command is shown; the arguments if it is not given. */
  shown?: string;
};

/** Starts of node are the cost of these tests: more at once only take memory. */
const AT_ONCE = 4;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

/** Paths of this run of the tests, numbers of processes, hashes: nothing that another run would not have too. */
export function normalise(rig: Rig, text: string): string {
  return text
    .replaceAll(rig.aside, '/elsewhere')
    .replaceAll(rig.root, '/repo')
    .replaceAll(ORCH, 'orch')
    .replaceAll(` on ${hostname()}`, ' on this-host')
    .replace(/\bpid \d+/g, 'pid 4711')
    .replace(/\b[0-9a-f]{40}\b/g, '1234567…');
}

const shownCommand = ({ args, shown }: Pick<Case, 'args' | 'shown'>): string =>
  shown ??
  ['orch', ...args.map((arg) => (/^[\w./:=@-]+$/.test(arg) ? arg : `'${arg.replaceAll('\n', '\\n')}'`))].join(
    ' ',
  );

/** Runs all cases, each of which must be refused with its code, a message and a hint, and nothing else. */
export async function refuseAll(rig: Rig, cases: readonly Case[]): Promise<Row[]> {
  return Promise.all(cases.map((one) => inTurn(() => refuseOne(rig, one))));
}

async function refuseOne(rig: Rig, one: Case): Promise<Row> {
  const { what, args, exit, code, cwd, env } = one;
  const options = { ...(cwd === undefined ? {} : { cwd }), ...(env === undefined ? {} : { env }) };
  const finished = await rig.orch([...args, '--json'], options);
  const lines = finished.stderr.split('\n').filter((line) => !line.startsWith('orch: warning: '));
  // One line of JSON: no stack, no second complaint.
  expect([what, finished.stdout, lines.length, finished.stderr]).toEqual([what, '', 1, expect.any(String)]);
  const { error } = JSON.parse(lines[0] ?? '') as {
    error: { code: string; message: string; hint: string | null };
  };
  expect([what, finished.code, error.code, error.message]).toEqual([what, exit, code, expect.any(String)]);
  expect([what, error.hint]).toEqual([what, expect.stringMatching(/\S/)]);
  expect(error.message).not.toMatch(/\bundefined\b|\[object|^\s*at /m);
  const says = normalise(rig, [error.message, error.hint].join('\n'));
  return { what, command: normalise(rig, shownCommand(one)), exit, code, says };
}

/** Does something that takes at most `boundMs`: many times what it takes, on a machine that is busy with others. */
export async function within<T>(boundMs: number, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await work();
  expect(performance.now() - begun).toBeLessThan(boundMs);
  return result;
}

/** Runs a command that must simply work, to be shown as such; within `boundMs` from its start, not from its turn in line. */
export async function works(
  rig: Rig,
  one: Omit<Case, 'exit' | 'code'>,
  says = 'It just works.',
  boundMs = Number.POSITIVE_INFINITY,
): Promise<Row> {
  const { what, args, cwd, env } = one;
  const options = { ...(cwd === undefined ? {} : { cwd }), ...(env === undefined ? {} : { env }) };
  const { code, stderr } = await inTurn(() => within(boundMs, () => rig.orch(args, options)));
  expect([what, code, stderr]).toEqual([what, 0, '']);
  return { what, command: normalise(rig, shownCommand(one)), exit: 0, code: '', says };
}

type Kept = Record<string, string>;
const FOLDERS = ['.status', '.pids', '.logs', '.worktrees'];

/**
 * Everything in a repository that a refused command must leave as it is: its files, the state files among them, and
 * its refs. Empty state folders are no trace: a launch makes them before it looks whether the disk can be written.
 */
function snapshot(rig: Rig): Kept {
  const kept: Kept = { refs: rig.git('for-each-ref'), worktrees: rig.git('worktree', 'list') };
  for (const entry of readdirSync(rig.root, { recursive: true, withFileTypes: true })) {
    const path = relative(rig.root, join(entry.parentPath, entry.name));
    if (path.startsWith('.git/') || FOLDERS.some((name) => path === name || path === `${name}/.gitignore`))
      continue;
    const stats = lstatSync(join(rig.root, path));
    const kind = (stats.mode & 0o170000).toString(8);
    const isSmall = entry.isFile() && stats.size < 100_000;
    kept[path] = `${kind} ${
      isSmall
        ? createHash('sha256')
            .update(readFileSync(join(rig.root, path)))
            .digest('hex')
        : ''
    }`;
  }
  return kept;
}

/** Runs `work`, which must leave the repository as it was. */
export async function untouched<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  const before = snapshot(rig);
  const result = await work();
  expect(snapshot(rig)).toEqual(before);
  expect(rig.processes()).toEqual([]);
  return result;
}
