import { basename } from 'node:path';
import { watch } from 'chokidar';
import { statusDir } from '../protocol/layout.ts';

/**
 * Calls `onHint` soon after something changed in `.status`. Events may be lost or merged (chokidar 5 drops some
 * renames that follow each other within 5 ms): a hint to look, beside a scan on a tick, and never the truth.
 */
export function watchStatus(root: string, onHint: () => void): { close(): Promise<void> } {
  const watcher = watch(statusDir(root), {
    depth: 0,
    // A link that somebody put there may lead to the whole disk.
    followSymlinks: false,
    ignoreInitial: true,
    // Heartbeats and locks come and go all the time and say nothing new.
    ignored: (path) => path.endsWith('.heartbeat') || basename(path).includes('.lock'),
  });
  watcher.on('all', onHint);
  // Out of inotify watches, a folder removed: the tick goes on looking.
  watcher.on('error', (error) =>
    process.stderr.write(`orch: cannot watch ${statusDir(root)}: ${String(error)}\n`),
  );
  return { close: () => watcher.close() };
}
