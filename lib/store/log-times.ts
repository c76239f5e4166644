import { lstatSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';
import { errPath, outPath } from '../protocol/layout.ts';
import { spanOf } from './log-parts.ts';

/**
 * When a worker or its tools wrote last, on either stream, in Unix seconds; null where nothing tells. It informs, and
 * never throws: a log that cannot be looked at is as good as none.
 */
export function lastOutputAt(root: string, id: string): number | null {
  const times = [outPath(root, id), errPath(root, id)].flatMap((path) => {
    try {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) return [];
      // Empty, and yet written to: for a moment after a rotation.
      return stats.size === 0 && (spanOf(path)?.end ?? 0) === 0 ? [] : stats.mtimeMs / 1000;
    } catch (error) {
      if (errnoOf(error) === null && !(error instanceof OrchError)) throw error;
      return [];
    }
  });
  return times.length === 0 ? null : Math.max(...times);
}
