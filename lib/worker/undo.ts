import { failpoint } from '../failpoint.ts';
import { rewindWorktree } from '../git/rewind.ts';
import { salvage } from '../git/salvage.ts';
import { audit } from '../store/events.ts';
import type { Bench } from './bench.ts';
import { headNow } from './check.ts';
import { tellOf } from './moved-refs.ts';

/**
 * Puts what a run left that counts for nothing on the salvage ref, then brings the worktree back to the last
 * checkpoint. Killed in between, the next attempt begins by salvaging what is still there.
 * @throws OrchError SALVAGE_FAILED: then nothing was cleaned.
 */
export async function undoTurn({ attempt }: Bench, why: string): Promise<void> {
  const { root, number, workstream, actor, excluded } = attempt;
  const { id } = workstream;
  failpoint('worker.undo.before');
  const request = { root, id, attempt: number, why, exclude: excluded };
  const commit = await salvage({ ...request, tellRefs: tellOf(attempt) });
  failpoint('worker.undo.salvaged');
  if (commit !== null) {
    audit(root, actor, { event: 'salvage', workstream: id, why, commit });
    process.stdout.write(`orch: what it left is kept in ${commit.slice(0, 12)}\n`);
  }
  const moved = await rewindWorktree(root, id, { head: headNow(attempt), keep: excluded });
  for (const path of moved) process.stderr.write(`orch: a git repository that a tool made is now ${path}\n`);
  failpoint('worker.undo.after');
}
