import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { codedFault, errnoOf, OrchError } from '../../errors.ts';
import { failpoint } from '../../failpoint.ts';
import type { Change } from './apply.ts';
import { lookAt } from './place.ts';

type Staged = { path: string; temporary: string };

/**
 * Writes all changes or, where one of them cannot even be prepared, none. Everything new lies complete beside its place
 * before the first file is replaced, so that a full disk costs nothing. Killed in between, some files are new and some
 * old: like any half-done work of a tool, the worker keeps that on the salvage ref and begins the task again.
 * @throws OrchError DISK_FULL, IO; BUSY where somebody else changes the worktree meanwhile.
 */
export function writeChanges(worktree: string, changes: readonly Change[]): void {
  const made: string[] = [];
  const staged: Staged[] = [];
  try {
    for (const change of changes) {
      if (change.kind === 'remove') continue;
      makeFolders(worktree, change.path, made);
      const temporary = `${dirname(join(worktree, change.path))}/.orch-edit-${randomBytes(8).toString('hex')}`;
      staged.push({ path: change.path, temporary });
      stage(worktree, change, temporary);
      failpoint('tools.edit.staged');
    }
    for (const { path } of changes) stillSafe(worktree, path);
  } catch (error) {
    for (const { temporary } of staged) tidy(() => unlinkSync(temporary));
    for (const folder of made.reverse()) tidy(() => rmdirSync(folder));
    throw codedFault(error);
  }
  try {
    for (const { path, temporary } of staged) {
      renameSync(temporary, join(worktree, path));
      failpoint('tools.edit.renamed');
    }
    for (const change of changes) if (change.kind === 'remove') removeFile(worktree, change.path);
  } catch (error) {
    throw codedFault(error);
  }
}

/** What is taken back may be gone already, or have something in it that others put there. */
function tidy(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

function stage(worktree: string, change: Exclude<Change, { kind: 'remove' }>, temporary: string): void {
  if (change.kind === 'copy') {
    stillSafe(worktree, change.from);
    copyFileSync(
      join(worktree, change.from),
      temporary,
      constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
    );
  } else {
    // A new script is meant to be run: nothing else could make it so.
    const isScript = change.bytes.subarray(0, 2).toString('latin1') === '#!';
    const descriptor = openSync(temporary, 'wx', isScript ? 0o777 : 0o666);
    try {
      writeFileSync(descriptor, change.bytes);
    } finally {
      closeSync(descriptor);
    }
  }
  if (change.mode !== null) chmodSync(temporary, change.mode);
}

function makeFolders(worktree: string, path: string, made: string[]): void {
  const names = path.split('/').slice(0, -1);
  for (const [depth] of names.entries()) {
    const folder = names.slice(0, depth + 1).join('/');
    const spot = lookAt(worktree, folder);
    if (spot.kind === 'folder') continue;
    if (spot.kind !== 'absent') throw changed(folder);
    mkdirSync(join(worktree, folder));
    made.push(join(worktree, folder));
    failpoint('tools.edit.folder');
  }
}

/** Nothing of this run changes the worktree meanwhile; a process that an earlier task left could put a link there. */
function stillSafe(worktree: string, path: string): void {
  const { kind } = lookAt(worktree, path);
  if (kind !== 'file' && kind !== 'absent') throw changed(path);
}

function changed(path: string): OrchError {
  return new OrchError('BUSY', `${JSON.stringify(path)} became something else while it was being edited`, {
    hint: 'Something else works in this worktree. End it, then run `orch retry`.',
  });
}

/** Folders that are empty then go too: git knows none, and leftovers of a package can still be imported. */
function removeFile(worktree: string, path: string): void {
  unlinkSync(join(worktree, path));
  failpoint('tools.edit.removed');
  const names = path.split('/').slice(0, -1);
  for (let depth = names.length; depth > 0; depth -= 1) {
    try {
      rmdirSync(join(worktree, names.slice(0, depth).join('/')));
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return;
    }
  }
}
