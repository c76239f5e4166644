import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { branchRef, checkpointRef, salvageRefPrefix } from '../protocol/layout.ts';
import { kindOf } from './admin.ts';

const PATIENCE_MS = 2_000;
const POLL_MS = 20;

/**
 * Removes lock files that a killed git left in the workstream's own worktree (`admin`, null where there is
 * none) and on its own refs; one that is in use gets 2 s to vanish. The caller holds the workstream's lease
 * and knows that no process of it is alive: that, not the age, is the proof. The locks that all share
 * (`packed-refs.lock`, `config.lock`) may be a living person's and are left alone.
 */
export async function breakStaleLocks(commonDir: string, admin: string | null, id: string): Promise<void> {
  const salvageDir = join(commonDir, salvageRefPrefix(id));
  const paths = [
    ...(admin === null ? [] : ['index.lock', 'HEAD.lock', 'logs/HEAD.lock'].map((name) => join(admin, name))),
    ...[branchRef(id), checkpointRef(id), `refs/orch/base/${id}`].map((ref) =>
      join(commonDir, `${ref}.lock`),
    ),
    ...(await list(salvageDir))
      .filter((name) => name.endsWith('.lock'))
      .map((name) => join(salvageDir, name)),
  ];
  failpoint('git.locks.break');
  const deadline = performance.now() + PATIENCE_MS;
  for (const path of paths) {
    while ((await kindOf(path)) !== 'absent' && performance.now() < deadline) await sleep(POLL_MS);
    await rm(path, { force: true });
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
