import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { errnoOf } from '../errors.ts';

/** The file that a shell would run for `name`, or null. Nothing is run. */
export function programOnPath(name: string, path = process.env['PATH'] ?? ''): string | null {
  for (const folder of path.split(delimiter)) {
    const file = join(folder === '' ? '.' : folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch (error) {
      // Whatever hinders the look would hinder the shell too.
      if (errnoOf(error) === null) throw error;
    }
  }
  return null;
}
