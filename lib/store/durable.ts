import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';

/** The library takes `false`, its types do not. Without it, it would stat and chown for nothing. */
const KEEP_OWNER = false as unknown as undefined;

/** Makes a rename or removal in `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What kind of file `path` is, for the names of failpoints. */
export function kindOfFile(path: string): string {
  // A lock that was being made aside ends in a nonce.
  const name = basename(path).replace(/\.[0-9a-f]{32}$/, '');
  if (/^limits\.(json|lock)$/.test(name) && basename(dirname(path)) === 'orch') return 'limits';
  if (name.endsWith('.logs.lock')) return 'log';
  const own = /^_(\w+)\.(json|pid|lock)$/.exec(name);
  if (own !== null) return own[2] === 'pid' ? `${own[1]}-pid` : (own[1] ?? '');
  const [, kind = 'other'] = /\.(json|pid|stop|heartbeat|lock|ndjson)$/.exec(name) ?? [];
  return kind === 'json' || kind === 'lock' ? 'record' : kind === 'ndjson' ? ndjsonKind(name) : kind;
}

const ndjsonKind = (name: string): string => (name.startsWith('_') ? 'events' : 'history');

/**
 * Replaces a file so that a reader, a crash or a power cut sees the old text or the new one, never a mixture.
 * The folder is fsynced. Links are not followed.
 * @throws OrchError DISK_FULL (the old text is still there), UNSAFE_FOLDER, IO.
 */
export async function writeDurably(path: string, text: string): Promise<void> {
  await refuseLink(path);
  const kind = kindOfFile(path);
  const bytes = Buffer.byteLength(text);
  try {
    failpoint('store.*.write', kind);
    const tmpfileCreated = (temporary: string): void => {
      reserve(temporary, bytes);
      failpoint('store.*.reserved', kind);
    };
    // Lazily: `orch status` reads next to what writes, and never writes.
    const { default: writeFileAtomic } = await import('write-file-atomic');
    await writeFileAtomic(path, text, { fsync: true, chown: KEEP_OWNER, mode: 0o600, tmpfileCreated });
    failpoint('store.*.renamed', kind);
    // The library does not look at how much was written; a copy-on-write disk may still have run full.
    if ((await stat(path)).size !== bytes) {
      throw new OrchError('DISK_FULL', `${path} was cut short`, { hint: 'Free some space and try again.' });
    }
    await syncFolder(dirname(path));
    failpoint('store.*.synced', kind);
  } catch (error) {
    // After the rename, too: somebody may have removed the file or its folder meanwhile.
    throw asWriteFault(path, error);
  }
}

/**
 * Fills the temporary file to its final size. write-file-atomic ignores a short write and would rename a cut
 * file over the good one; here the lack of space shows before anything is replaced.
 */
function reserve(temporary: string, bytes: number): void {
  const descriptor = openSync(temporary, 'r+');
  try {
    if (writeSync(descriptor, Buffer.alloc(bytes, 0x20), 0, bytes, 0) !== bytes) {
      throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
    }
  } finally {
    closeSync(descriptor);
  }
}

async function refuseLink(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isSymbolicLink()) {
      throw new OrchError('UNSAFE_FOLDER', `${path} is a symbolic link`, {
        hint: 'orch writes only to files of its own. Remove the link.',
      });
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw asWriteFault(path, error);
  }
}

/** A system error while writing `path`, as an error that people can act on. */
export function asWriteFault(path: string, error: unknown): OrchError {
  if (error instanceof OrchError) return error;
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    const hint = 'Free some space, then run `orch reattach`.';
    return new OrchError('DISK_FULL', `no space left to write ${path}`, { hint, cause: error });
  }
  const hint = 'Check the permissions of the folder and that its disk is not mounted read-only.';
  return new OrchError('IO', `cannot write ${path} (${errno ?? 'unknown error'})`, { hint, cause: error });
}
