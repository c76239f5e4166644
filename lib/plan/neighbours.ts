import { basename } from 'node:path';
import { entriesOf } from './entries.ts';
import { quote } from './fault.ts';
import { planFilesIn } from './files.ts';
import { readDocument } from './parse.ts';
import type { PlanFile } from './text.ts';

/** A folder with more files than this is not searched to the end: the answer is only a hint. */
const MOST_FILES = 1_000;

/** Looks for an id in the plan files that lie beside those read; says how to take the file along. */
export function neighboursOf(
  read: readonly PlanFile[],
  maxBytes: number,
): (folder: string, id: string) => Promise<string | null> {
  const known = new Set(read.map((file) => file.path));
  const folders = new Map<string, Promise<Map<string, string>>>();
  return async (folder, id) => {
    const ids = folders.get(folder) ?? idsBeside(folder, known, maxBytes);
    folders.set(folder, ids);
    const file = (await ids).get(id);
    if (file !== undefined) {
      return `${quote(basename(file))} beside it defines ${quote(id)}: name that file too, or the folder.`;
    }
    return `No plan file beside it that can be read defines ${quote(id)}.`;
  };
}

/** Ids by the file that defines them. What cannot be read or is broken defines nothing here. */
async function idsBeside(
  folder: string,
  known: ReadonlySet<string>,
  maxBytes: number,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  const paths = (await planFilesIn(folder)).filter((path) => !known.has(path)).slice(0, MOST_FILES);
  for (const path of paths) {
    const result = await readDocument({ path, file: path, source: path }, maxBytes);
    if (!result.ok) continue;
    for (const { id } of entriesOf(result.document, { faults: [], unknown: [] })) {
      if (id !== null && !ids.has(id)) ids.set(id, path);
    }
  }
  return ids;
}
