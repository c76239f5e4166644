import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lackOf, readWorkerEnvironment } from '../config/environment.ts';
import { OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { highestAttempt } from '../git/salvage.ts';
import { identify } from '../process/identity.ts';
import { findKin } from '../process/kin.ts';
import { type GatedChild, spawnGated } from '../process/spawn.ts';
import { createToken } from '../process/system.ts';
import { errPath, outPath } from '../protocol/layout.ts';
import type { StatusRecord } from '../protocol/status.ts';
import { type Actor, audit } from '../store/events.ts';
import { plannedWorkstream, readPlan } from '../store/plans.ts';
import { holdsLease, type Lease, withRecordLock } from '../store/records.ts';
import { meansAttempt, readStop } from '../store/signs.ts';
import { chooseContainment } from '../tools/choose.ts';
import { marksOf, orchestratorEnvironment } from '../tools/environment.ts';

export type Launched = { ok: true; record: StatusRecord; child: GatedChild } | { ok: false; why: string };

/** The built file beside the one that runs. */
export function builtFile(name: string): string {
  return join(dirname(realpathSync(process.argv[1] ?? '')), name);
}

/**
 * Starts the next attempt of a pending workstream. The worker waits at a gate until its record, with its pid and
 * token, is on disk: if this process dies before, the worker ends without having done anything, and the record
 * still says `pending` or names a dead pid.
 */
export async function launchWorker(
  root: string,
  id: string,
  lease: Lease,
  mode: 'attached' | 'detached',
  actor: Actor,
): Promise<Launched> {
  const plan = readPlan(root);
  const needs = plan?.options ?? {};
  // Read now, not at the launch: a person may have mended the file since.
  const environment = readWorkerEnvironment(needs);
  const lack = lackOf(needs, environment, plannedWorkstream(plan, id)?.env ?? {}, process.env);
  if (lack !== null) return { ok: false, why: lack.message };
  const choice = await chooseContainment(needs, plannedWorkstream(plan, id) ?? {});
  if (!choice.ok) return { ok: false, why: choice.reason.message };
  const highest = await highestAttempt(root, id);
  return withRecordLock(root, id, async (current, commit) => {
    if (
      current.kind !== 'record' ||
      !holdsLease(current.record, lease) ||
      current.record.status !== 'pending'
    ) {
      return { ok: false, why: 'its record has changed' };
    }
    // Here and not before: the word is written under this lock, too.
    if (meansAttempt(readStop(root, id), lease, current.record.started_at))
      return { ok: false, why: 'a person asked it to stop' };
    const { kin } = await findKin(root, []);
    const living = kin.find(({ workstream }) => workstream === id);
    if (living !== undefined) return { ok: false, why: `pid ${living.pid} of it still lives` };

    const attempt = 1 + Math.max(current.record.attempt, highest);
    const token = createToken();
    const marks = marksOf({ root, workstream: id, run: current.record.run, attempt, token });
    const child = await spawnGated({
      script: builtFile('worker.js'),
      args: [id, String(attempt), token],
      cwd: root,
      env: { ...orchestratorEnvironment(process.env), ...environment.values, ...marks },
      outPath: outPath(root, id),
      errPath: errPath(root, id),
      mode,
    });
    try {
      failpoint('executors.worker.waits');
      const identity = await identify(child.pid, token);
      if (identity === null)
        throw new OrchError('SPAWN_FAILED', `the worker of ${id} (pid ${child.pid}) ended at once`);
      const self = await identify(process.pid, '');
      const started = {
        type: 'start',
        launcher: self === null ? null : { pid: process.pid, start_time: self.start_time },
        pid: child.pid,
        identity,
        attempt,
        containment: choice.text,
      } as const;
      const record = await commit({ ...current.record, mode }, started, 'orchestrator', actor);
      failpoint('executors.worker.recorded');
      await child.open();
      audit(root, actor, { event: 'spawn', workstream: id, why: `attempt ${attempt}`, pid: child.pid, mode });
      failpoint('executors.worker.goes');
      return { ok: true, record, child };
    } catch (error) {
      await child.abandon();
      throw error;
    }
  });
}
