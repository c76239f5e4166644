import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';

/** Without O_NONBLOCK, a pipe that somebody put there would hold this whole process until somebody reads it. */
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What open says of a link, a folder, a pipe or a socket that nobody reads, and a device without a driver. */
const ODD: ReadonlySet<string> = new Set(['ELOOP', 'EISDIR', 'ENXIO', 'ENODEV']);

/**
 * A log for a child to write to, opened for append and made with mode 0600; the caller closes it.
 * @throws OrchError UNSAFE_FOLDER where something else is in its place; else what the system says.
 */
export function openLog(path: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, FLAGS, 0o600);
  } catch (error) {
    throw ODD.has(errnoOf(error) ?? '') ? notALog(path, error) : error;
  }
  // A regular file takes no notice of O_NONBLOCK: it may stay for the child.
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw notALog(path);
}

function notALog(path: string, cause?: unknown): OrchError {
  const hint = 'orch writes only to files of its own. Look at what is there, and move it away.';
  return new OrchError('UNSAFE_FOLDER', `${path} is not a regular file`, { hint, cause });
}
