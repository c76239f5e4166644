import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mask } from './house/mask.ts';

/** Checks that the code lives where docs/architecture.md says: prints each fault as file:line, exits 1 if any. */

/** From the ground up; a room imports only from rows above its own. Rooms of one row are no room's of each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['errors'],
  ['failpoint'],
  ['protocol'],
  ['process'],
  ['store', 'git', 'plan'],
  ['config'],
  ['tools'],
  ['worker', 'executors'],
  ['orchestrate'],
  ['proof'],
  ['cli'],
];
const BIN_MAY_IMPORT = 'lib/cli/main.ts';
/** Loading it takes longer than a worker's whole start. */
const FOR_CLI_ONLY = ['yargs'];
const LAYOUT = 'lib/protocol/layout.ts';
const FORBIDDEN_NAMES = new Set([
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'manager',
  'types',
  'index',
]);
const STATE_FOLDER = /(?:^|\/)\.(?:status|pids|logs|worktrees)(?:\/|$)/;
const CODE_FOLDERS = ['bin', 'lib', 'scripts', 'test'];
const SKIPPED = new Set(['node_modules', 'dist', 'fixtures']);

type Fault = { file: string; line: number; message: string };
type Import = { from: string; line: number };
type Source = {
  file: string;
  raw: string;
  code: string;
  strings: { text: string; line: number }[];
  imports: Import[];
};

function listFiles(root: string, folder: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const inner = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : listFiles(root, inner);
    return /\.[cm]?tsx?$/.test(entry.name) ? [inner] : [];
  });
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(?=['"])/g;

function readSource(root: string, file: string): Source {
  const raw = readFileSync(join(root, file), 'utf8');
  const { code, strings } = mask(raw);
  const starts = new Map(strings.map((one) => [one.offset, one.text]));
  const imports: Import[] = [];
  for (const match of code.matchAll(IMPORT)) {
    const from = starts.get(match.index + match[0].length);
    if (from !== undefined) imports.push({ from, line: lineAt(raw, match.index) });
  }
  return {
    file,
    raw,
    code,
    imports,
    strings: strings.map(({ text, offset }) => ({ text, line: lineAt(raw, offset) })),
  };
}

/** `lib/store/lock.ts` → `store`; `lib/errors.ts` → `errors`; null outside of lib. */
function roomOf(file: string): string | null {
  const [top, room = ''] = file.split('/');
  return top === 'lib' ? room.replace(/\.ts$/, '') : null;
}

const rankOf = (room: string): number => LAYERS.findIndex((row) => row.includes(room));

function targetOf(root: string, source: Source, from: string): string {
  return relative(root, resolve(root, dirname(source.file), from))
    .split(sep)
    .join('/');
}

function checkImports(root: string, source: Source): Fault[] {
  const { file } = source;
  return source.imports.flatMap(({ from, line }) => {
    const fault = (message: string): Fault[] => [{ file, line, message }];
    const own = roomOf(file);
    if (!from.startsWith('.')) {
      const name = FOR_CLI_ONLY.find((one) => from === one || from.startsWith(`${one}/`));
      const isForbidden = name !== undefined && own !== null && own !== 'cli';
      return isForbidden ? fault(`${own} imports ${name}, which is for lib/cli alone`) : [];
    }
    const target = targetOf(root, source, from);
    if (!existsSync(join(root, target)))
      return fault(`imports ${from}, which is not there (imports end in .ts)`);
    if (file.startsWith('bin/') && target !== BIN_MAY_IMPORT)
      return fault(`bin imports ${target}, not ${BIN_MAY_IMPORT}`);
    if (own === null || target === 'package.json') return [];
    const other = roomOf(target);
    if (other === null) return fault(`lib imports ${target}, which is outside of lib`);
    return checkLayer(own, other).flatMap(fault);
  });
}

function checkLayer(own: string, other: string): string[] {
  if (own === other) return [];
  const [from, to] = [rankOf(own), rankOf(other)];
  if (to === -1) return [`imports the room ${other}, which is in no layer`];
  if (to === from) return [`${own} imports its brace-mate ${other}`];
  return to > from ? [`${own} imports ${other}, which is above it`] : [];
}

/** Each cycle among files of lib once, told at the import that closes it. */
function findCycles(root: string, sources: readonly Source[]): Fault[] {
  const byFile = new Map(sources.map((source) => [source.file, source]));
  const state = new Map<string, 'open' | 'done'>();
  const faults: Fault[] = [];
  const visit = (source: Source, path: string[]): void => {
    state.set(source.file, 'open');
    for (const { from, line } of source.imports.filter((one) => one.from.startsWith('.'))) {
      const target = byFile.get(targetOf(root, source, from));
      if (target === undefined) continue;
      if (state.get(target.file) === 'open') {
        const cycle = [...path, source.file].slice([...path, source.file].indexOf(target.file));
        faults.push({
          file: source.file,
          line,
          message: `closes a cycle: ${[...cycle, target.file].join(' → ')}`,
        });
      } else if (!state.has(target.file)) visit(target, [...path, source.file]);
    }
    state.set(source.file, 'done');
  };
  for (const source of sources) if (!state.has(source.file)) visit(source, []);
  return faults;
}

function checkNames(file: string): Fault[] {
  const parts = file.split('/').map((part) => part.replace(/(\.test)?\.[cm]?tsx?$/, ''));
  const bad = parts.find((part) => FORBIDDEN_NAMES.has(part));
  return bad === undefined
    ? []
    : [{ file, line: 1, message: `the name "${bad}" says nothing of what is inside` }];
}

function checkRoom(file: string): Fault[] {
  const room = roomOf(file);
  if (room === null || rankOf(room) !== -1) return [];
  return [
    { file, line: 1, message: `the room ${room} is in no layer; see LAYERS in scripts/house-check.ts` },
  ];
}

/** Texts for people hold white space; what holds none, and a state folder, is a path. */
function checkSpelling(source: Source): Fault[] {
  if (source.file === LAYOUT) return [];
  return source.strings
    .filter(({ text }) => !/\s/.test(text) && STATE_FOLDER.test(text))
    .map(({ text, line }) => ({ file: source.file, line, message: `spells "${text}"; ${LAYOUT} does that` }));
}

const HABITS: { pattern: RegExp; in: 'code' | 'raw'; message: string }[] = [
  {
    pattern: /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/g,
    in: 'code',
    message: 'an empty catch swallows what it did not expect',
  },
  {
    pattern: /(?::|<|,|\||&|=>|\bas\b)\s*any\b(?!\s*[:(.=])/g,
    in: 'code',
    message: '"any" turns the checks off',
  },
  { pattern: /@ts-(?:ignore|expect-error|nocheck)/g, in: 'raw', message: 'turns the type check off' },
  { pattern: /biome-ignore/g, in: 'raw', message: 'turns the lint off' },
];

function checkHabits(source: Source): Fault[] {
  return HABITS.flatMap(({ pattern, in: where, message }) =>
    [...source[where].matchAll(pattern)].map(({ index }) => ({
      file: source.file,
      line: lineAt(source.raw, index),
      message,
    })),
  );
}

/** All faults of the tree at `root`, in the order of files and lines. */
export function checkHouse(root: string): { faults: Fault[]; files: number } {
  const files = CODE_FOLDERS.flatMap((folder) => listFiles(root, folder)).sort();
  const house = files.filter((file) => /^(lib|bin)\//.test(file)).map((file) => readSource(root, file));
  const lib = house.filter(({ file }) => file.startsWith('lib/'));
  const faults = [
    ...files.flatMap(checkNames),
    ...lib.flatMap(({ file }) => checkRoom(file)),
    ...house.flatMap((source) => checkImports(root, source)),
    ...findCycles(root, lib),
    ...house.flatMap(checkSpelling),
    ...house.flatMap(checkHabits),
  ];
  faults.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
  return { faults, files: files.length };
}

function main(): void {
  const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
  const { faults, files } = checkHouse(root);
  for (const { file, line, message } of faults) console.error(`${file}:${line} ${message}`);
  if (faults.length > 0) process.exitCode = 1;
  else console.log(`house in order: ${files} files`);
}

if (basename(process.argv[1] ?? '') === 'house-check.ts') main();
