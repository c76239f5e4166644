import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { errnoOf } from '../errors.ts';
import { type Fault, faultOfFile } from './fault.ts';
import { errnoFault, type PlanFile } from './text.ts';

/** Finding plan files; what they say is for the readers. */

const EXTENSIONS: ReadonlySet<string> = new Set(['.json', '.jsonc', '.yaml', '.yml']);
const DEFAULT_FILES = ['orch.plan.yaml', 'orch.plan.json'] as const;
const MARKDOWN = 'INDEPENDENT_WORKSTREAMS_ANALYSIS.md';
const FOLDER = 'workstreams';

/** True for the extensions of plan files, in any case. */
function isPlanName(name: string): boolean {
  return EXTENSIONS.has(extname(name).toLowerCase()) && !name.startsWith('.');
}

/** True for a plan in Markdown. */
export function isMarkdown(name: string): boolean {
  return ['.md', '.markdown'].includes(extname(name).toLowerCase());
}

/** `path` as a person in `base` would name it; whole where it lies outside. */
export function seenFrom(base: string, path: string): string {
  const seen = relative(base, path);
  return seen === '..' || seen.startsWith(`..${sep}`) || isAbsolute(seen) ? path : seen || '.';
}

type Found = { files: PlanFile[]; faults: Fault[] };
export type Places = { root: string; cwd: string };

/** The plan files that the arguments (or, without any, the usual names at the root) stand for, in order. */
export async function findPlanFiles(places: Places, args: readonly string[]): Promise<Found> {
  const found: Found = { files: [], faults: [] };
  const paths =
    args.length > 0 ? args.map((arg) => resolve(places.cwd, arg)) : await usualPaths(places, found);
  for (const path of paths) await addArgument(places, path, found);
  return { files: await withoutRepeats(found.files), faults: found.faults };
}

async function usualPaths({ root, cwd }: Places, found: Found): Promise<string[]> {
  const present: string[] = [];
  for (const name of DEFAULT_FILES) if (await exists(join(root, name))) present.push(join(root, name));
  const [first, second] = present;
  if (first !== undefined && second !== undefined) {
    const message = `both ${basename(first)} and ${basename(second)} are there, and either could be the plan`;
    found.faults.push(
      faultOfFile(seenFrom(cwd, first), 'ambiguous', message, 'Remove one, or name the one you mean.'),
    );
    return [];
  }
  if (first !== undefined) return [first];
  if (await exists(join(root, MARKDOWN))) return [join(root, MARKDOWN)];
  if (await exists(join(root, FOLDER))) return [join(root, FOLDER)];
  const message = `no plan: found none of ${[...DEFAULT_FILES, MARKDOWN, `${FOLDER}/`].join(', ')}`;
  found.faults.push(
    faultOfFile(seenFrom(cwd, root), 'not_found', message, 'Name a plan file or a folder of them.'),
  );
  return [];
}

/** Whatever else than absence stands in the way counts as there, and is told when it is opened. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    if (errnoOf(error) === null) throw error;
    return true;
  }
}

async function addArgument(places: Places, path: string, found: Found): Promise<void> {
  const file = seenFrom(places.cwd, path);
  try {
    if ((await stat(path)).isDirectory()) {
      const names = (await readdir(path)).filter(isPlanName).sort();
      const members = await filesAmong(path, names);
      for (const name of members) found.files.push(planFile(places, join(path, name)));
      if (members.length > 0) return;
      const message = 'the folder holds no plan file (.json, .jsonc, .yaml, .yml)';
      found.faults.push(faultOfFile(file, 'empty', message, 'Folders inside it are not looked into.'));
    } else if (isMarkdown(path) || EXTENSIONS.has(extname(path).toLowerCase())) {
      found.files.push(planFile(places, path));
    } else {
      const message = 'expected a file that ends in .json, .jsonc, .yaml, .yml or .md';
      found.faults.push(faultOfFile(file, 'unsupported', message, null));
    }
  } catch (error) {
    found.faults.push(errnoFault(file, error));
  }
}

function planFile({ root, cwd }: Places, path: string): PlanFile {
  return { path, file: seenFrom(cwd, path), source: seenFrom(root, path) };
}

/** The names that are no folders; links that lead nowhere stay, so that they are told and not passed over. */
async function filesAmong(folder: string, names: readonly string[]): Promise<string[]> {
  const kept: string[] = [];
  for (const name of names) {
    try {
      if (!(await stat(join(folder, name))).isDirectory()) kept.push(name);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      kept.push(name);
    }
  }
  return kept;
}

/** A file that is named twice, or by a folder and by itself, is read once, where it came first. */
async function withoutRepeats(files: readonly PlanFile[]): Promise<PlanFile[]> {
  const seen = new Set<string>();
  const kept: PlanFile[] = [];
  for (const file of files) {
    const real = await realOrSelf(file.path);
    if (!seen.has(real)) kept.push(file);
    seen.add(real);
  }
  return kept;
}

async function realOrSelf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return path;
  }
}

/** JSON and YAML files in `folder`, absolute and sorted; none where it cannot be listed. */
export async function planFilesIn(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter(isPlanName).sort();
    return (await filesAmong(folder, names)).map((name) => join(folder, name));
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return [];
  }
}
