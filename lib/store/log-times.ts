import { lstatSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { errPath, outPath } from '../protocol/layout.ts';

/**
 * When a worker or its tools wrote last, on either stream, in Unix seconds; null where nothing tells. It informs, and
 * never throws: a log that cannot be looked at is as good as none.
 */
export function lastOutputAt(root: string, id: string): number | null {
  const times = [outPath(root, id), errPath(root, id)].flatMap((path) => {
    try {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      return stats === undefined || stats.size === 0 ? [] : stats.mtimeMs / 1000;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return [];
    }
  });
  return times.length === 0 ? null : Math.max(...times);
}
