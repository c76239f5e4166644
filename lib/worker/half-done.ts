import { messageOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { takeBackFiles } from '../git/put-back.ts';
import { salvage } from '../git/salvage.ts';
import { audit } from '../store/events.ts';
import type { Attempt } from './attempt.ts';
import { tellOf } from './moved-refs.ts';

/**
 * Keeps what an attempt that did not complete leaves, edits and commits beside the branch: the salvage commit, or
 * null if there was nothing.
 * Where it fails the edits stay in the worktree, and the next attempt salvages them before it touches anything.
 */
export async function salvageHalfDone(attempt: Attempt): Promise<string | null> {
  const { root, number, workstream, actor, excluded, reporter } = attempt;
  try {
    // Cut off in the middle of a check: what was put there for it is nobody's edit.
    const { head } = reporter.record();
    if (head !== null) await takeBackFiles(root, workstream.id, head);
    const why = 'the attempt ended before its task was done';
    failpoint('worker.salvage.before');
    const request = { root, id: workstream.id, attempt: number, why, exclude: excluded };
    const commit = await salvage({ ...request, tellRefs: tellOf(attempt) });
    failpoint('worker.salvage.after');
    if (commit !== null) audit(root, actor, { event: 'salvage', workstream: workstream.id, why, commit });
    return commit;
  } catch (error) {
    process.stderr.write(`orch: nothing salvaged yet, the edits stay in the worktree: ${messageOf(error)}\n`);
    return null;
  }
}
