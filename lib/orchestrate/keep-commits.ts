import { messageOf, OrchError } from '../errors.ts';
import { salvage } from '../git/salvage.ts';
import { isAliveState, type StatusRecord } from '../protocol/status.ts';
import { type Actor, audit } from '../store/events.ts';
import { tellRefs } from '../worker/moved-refs.ts';

/**
 * Puts commits that tools of a dead worker made beside the branch on the salvage ref, since no other attempt may
 * follow that would. What was not committed stays in the worktree. Nothing that repository or config names is run.
 * The caller holds the record's lock and knows the worker dead. Where it cannot be done the reflog still names the
 * commits, and the audit trail says why.
 */
export async function keepCommits(root: string, record: StatusRecord, actor: Actor): Promise<void> {
  const { workstream: id, attempt } = record;
  if (attempt === 0 || (!isAliveState(record) && record.status !== 'crashed' && record.status !== 'stopped'))
    return;
  const why = 'its worker died';
  try {
    const commit = await salvage({
      root,
      id,
      attempt,
      why,
      commitsOnly: true,
      tellRefs: (moved, kept) => tellRefs(root, id, { number: attempt, actor }, moved, kept),
    });
    if (commit !== null) audit(root, actor, { event: 'salvage', workstream: id, why, commit });
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    audit(root, actor, {
      event: 'salvage',
      workstream: id,
      why: `not yet: ${messageOf(error)}`,
      commit: null,
    });
  }
}
