import { lstat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { errnoOf } from '../errors.ts';
import { faultAt } from './document.ts';
import { type Entry, entriesOf } from './entries.ts';
import { type Fault, faultOfFile, quote } from './fault.ts';
import { type Places, planFilesIn, seenFrom } from './files.ts';
import type { KeyFindings } from './keys.ts';
import { readDocument } from './parse.ts';
import { errnoFault, type PlanFile } from './text.ts';

/** Looking up, in a folder of workstream files, those that an analysis selects. */

export type Details = {
  /** By id in lower case; null where its file is there and broken, which `faults` tell. */
  entries: Map<string, { entry: Entry; keys: KeyFindings } | null>;
  faults: Fault[];
  warnings: Fault[];
};

const FOLDER = 'workstreams';

/**
 * The workstreams with one of `ids` (lower case) in the files of `named`, else of `workstreams/` beside the
 * analysis, else of the one at the root. Only these are judged; other files that cannot be read get a warning.
 */
export async function detailsOf(
  ids: ReadonlySet<string>,
  analysis: PlanFile,
  places: Places & { named: string | undefined },
  maxBytes: number,
): Promise<Details> {
  const details: Details = { entries: new Map(), faults: [], warnings: [] };
  const folder = await folderOf(analysis, places, details.faults);
  if (folder === null) return details;
  const paths = await planFilesIn(folder);
  if (paths.length === 0 && places.named !== undefined) {
    const message = 'the folder holds no workstream file (.json, .jsonc, .yaml, .yml)';
    const hint = 'Folders inside it are not looked into.';
    details.faults.push(faultOfFile(seenFrom(places.cwd, folder), 'empty', message, hint));
  }
  for (const path of paths) {
    const file = { path, file: seenFrom(places.cwd, path), source: seenFrom(places.root, path) };
    await addFile(file, ids, maxBytes, details);
  }
  return details;
}

async function folderOf(
  analysis: PlanFile,
  { root, cwd, named }: Places & { named: string | undefined },
  faults: Fault[],
): Promise<string | null> {
  if (named === undefined) {
    const beside = join(dirname(analysis.path), FOLDER);
    if (await isFolder(beside)) return beside;
    return (await isFolder(join(root, FOLDER))) ? join(root, FOLDER) : null;
  }
  const path = resolve(cwd, named);
  if (await isFolder(path)) return path;
  const file = seenFrom(cwd, path);
  faults.push(await whyNoFolder(path, file));
  return null;
}

async function whyNoFolder(path: string, file: string): Promise<Fault> {
  try {
    await lstat(path);
    return faultOfFile(file, 'not_a_folder', 'expected a folder of workstream files', null);
  } catch (error) {
    return errnoFault(file, error);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    // The slash follows a link.
    return (await lstat(`${path}/`)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

async function addFile(
  file: PlanFile,
  ids: ReadonlySet<string>,
  maxBytes: number,
  details: Details,
): Promise<void> {
  const read = await readDocument(file, maxBytes);
  const found: KeyFindings = { faults: [], unknown: [] };
  const all = read.ok ? entriesOf(read.document, found) : [];
  const faults = read.ok ? found.faults : read.faults;
  if (all.length === 0) return addBroken(file, ids, faults, details);
  const keys: KeyFindings = { faults: [], unknown: [] };
  for (const entry of all) {
    const id = entry.id?.toLowerCase();
    if (id === undefined || !ids.has(id)) continue;
    const earlier = details.entries.get(id);
    if (earlier === undefined || earlier === null) details.entries.set(id, { entry, keys });
    else details.faults.push(repeated(entry, earlier.entry));
  }
}

/** A broken file that bears a selected id would have defined it: its faults count. */
function addBroken(
  { path }: PlanFile,
  ids: ReadonlySet<string>,
  faults: readonly Fault[],
  details: Details,
): void {
  const stem = basename(path, extname(path)).toLowerCase();
  if (ids.has(stem)) {
    if (!details.entries.has(stem)) details.entries.set(stem, null);
    for (const fault of faults) details.faults.push(fault);
    return;
  }
  const [first] = faults;
  if (first === undefined) return;
  const hint = 'No selected workstream bears its name; what else it may define is not known.';
  details.warnings.push({ ...first, message: `passed over: ${first.message}`, hint });
}

function repeated(entry: Entry, earlier: Entry): Fault {
  const id = quote(entry.id ?? '');
  const message = `${id} is defined in ${quote(earlier.document.file)} as well`;
  const hint = 'Keep one of the two, or name the right folder with --workstreams.';
  return faultAt(entry.document, [...entry.path, 'id'], 'duplicate_id', message, hint);
}
