import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';

/** Brings a file or folder to the disk; one that does not exist is passed over. */
export async function sync(path: string): Promise<void> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file whole and durably: readers see the old text or the new one, after a power loss too. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const kind = basename(path);
  failpoint('git.*.write', kind);
  // A tool may write in git's folder: a link or a pipe that it left under that name is nobody's way out of a sandbox.
  await rm(temporary, { force: true });
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  failpoint('git.*.written', kind);
  await rename(temporary, path);
  failpoint('git.*.renamed', kind);
  await sync(dirname(path));
}
