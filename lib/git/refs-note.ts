import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { BRANCH_PREFIX, branchRef } from '../protocol/layout.ts';
import { readText, type Worktree } from './admin.ts';
import { replaceFile } from './durable.ts';
import { listRefs } from './refs.ts';
import { reflogIds } from './strays.ts';

/** Where the refs outside of a workstream's branch stood before a command of it; see `moved-refs.ts`. */

/** In git's folder of the worktree, while a command may run: who settles a killed worker compares by it. */
const NOTE = 'orch-refs';

export const STASH = 'refs/stash';

/** By name, the commit or tag; of the stash each entry, since only the last one has a ref. */
export type RefsNote = ReadonlyMap<string, string>;

/**
 * Looks where the refs are, and writes it down for whoever has to settle a killed worker. Where it cannot be written
 * (a full disk) only this process knows.
 */
export async function noteRefs(worktree: Worktree): Promise<RefsNote> {
  const { note } = await lookAtRefs(worktree);
  await writeNote(worktree, note);
  return note;
}

/** Where all refs are (`all`), and what of them is noted. */
export async function lookAtRefs({
  root,
  id,
  commonDir,
}: Worktree): Promise<{ note: RefsNote; all: RefsNote }> {
  const { refs: all } = await listRefs(root, []);
  const own = branchRef(id);
  const isOrchs = (name: string): boolean =>
    name.startsWith('refs/orch/') || name.startsWith(`refs/heads/${BRANCH_PREFIX}`);
  const note = new Map([...all].filter(([name]) => name === own || (name !== STASH && !isOrchs(name))));
  const log = (await readText(join(commonDir, 'logs', STASH))) ?? '';
  const tip = all.get(STASH);
  // An entry of the log: the stash before, this one, who and when.
  const entries = log.split('\n').flatMap((line) => reflogIds(line).slice(1, 2));
  for (const entry of [...entries, ...(tip === undefined ? [] : [tip])]) note.set(`${STASH} ${entry}`, entry);
  return { note, all };
}

/** Writes down that refs are as `note` says: what is told by then is told again only where it moves again. */
export async function writeNote(worktree: Worktree, note: RefsNote): Promise<void> {
  try {
    await replaceFile(join(worktree.admin, NOTE), JSON.stringify([...note]));
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT', 'EIO'].includes(errnoOf(error) ?? '')) throw error;
    // One from before says what is long over.
    await forgetRefs(worktree);
  }
}

/** What was noted before a command that was cut off, or null. */
export async function readNote({ admin }: Worktree): Promise<RefsNote | null> {
  const text = await readText(join(admin, NOTE));
  return text === null ? null : parse(text);
}

/** Removes the note. */
export async function forgetRefs({ admin }: Worktree): Promise<void> {
  failpoint('git.refs-note.remove');
  await rm(join(admin, NOTE), { force: true });
  failpoint('git.refs-note.removed');
}

const OBJECT_ID = /^(?:[0-9a-f]{64}|[0-9a-f]{40})$/;

/** A tool may write there too: what is no list of names and ids counts for nothing. */
function parse(text: string): RefsNote | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? new Map(value.filter(isEntry)) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isEntry(entry: unknown): entry is [string, string] {
  if (!Array.isArray(entry) || entry.length !== 2) return false;
  const [name, id]: unknown[] = entry;
  return typeof name === 'string' && name.startsWith('refs/') && typeof id === 'string' && OBJECT_ID.test(id);
}
