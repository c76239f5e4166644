import { pidPath } from '../protocol/layout.ts';
import type { StatusRecord } from '../protocol/status.ts';
import type { Actor } from '../store/events.ts';
import { holdsLease, type Lease, withRecordLock } from '../store/records.ts';
import { writePid } from '../store/signs.ts';

/**
 * Takes the record from `starting` to `running` and writes the PID file, in this order; null where the lease is lost.
 * Both under the record's lock: a reap takes away what is left of a PID file that nobody writes any more.
 */
export async function beginAttempt(
  root: string,
  id: string,
  lease: Lease,
  actor: Actor,
): Promise<StatusRecord | null> {
  return withRecordLock(root, id, async (current, commit) => {
    if (current.kind !== 'record' || !holdsLease(current.record, lease)) return null;
    const record = await commit(current.record, { type: 'run' }, 'worker', actor);
    await writePid(pidPath(root, id), process.pid);
    return record;
  });
}
