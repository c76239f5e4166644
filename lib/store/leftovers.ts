import { existsSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { judge } from '../process/identity.ts';
import { isId } from '../protocol/ids.ts';
import {
  errPath,
  logLockPath,
  logsDir,
  logsLockPath,
  orchestratorLockPath,
  orchestratorLogPath,
  orchestratorPidPath,
  outPath,
  pidsDir,
  recordLockPath,
  statusDir,
} from '../protocol/layout.ts';
import { copyingName } from '../protocol/log-parts.ts';
import { clearDeadLock, lockHolder, mayBeHeld, withLock } from './lock.ts';

/**
 * What those who were killed left: temporary files of write-file-atomic, copies of a log that were under way, locks
 * whose holders are dead, the PID file of an orchestrator.
 */
export type Leftover = { path: string; kind: 'temporary' | 'copy' | 'lock' | 'pid'; why: string };

const TEMPORARY = /^(.+)\.(json|stop|pid)\.\d{1,10}$/;
const ASIDE = /\.lock\.[0-9a-f]{32}$/;
const MOMENT_MS = 600_000;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A temporary file is a regular one, and named after a workstream or a file of orch's own. */
function isTemporary(path: string, name: string): boolean {
  const owner = TEMPORARY.exec(name)?.[1] ?? '';
  return (
    (owner.startsWith('_') || isId(owner)) && lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
  );
}

/** Everything in the state folders that an interrupted write may have left. */
export async function findLeftovers(root: string): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const folder of [statusDir(root), pidsDir(root), logsDir(root)]) {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      const copyLock = folder === logsDir(root) ? lockOfCopy(root, name) : null;
      if (copyLock !== null) {
        if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
        if (await mayBeHeld(copyLock)) continue;
        found.push({ path, kind: 'copy', why: 'a rotation was interrupted' });
      } else if (TEMPORARY.test(name)) {
        if (!isTemporary(path, name)) continue;
        // A hold is written by a person's command without a lock: only age tells that nobody writes it any more.
        if (name.startsWith('_hold') && ageMsOf(path) < MOMENT_MS) continue;
        found.push({ path, kind: 'temporary', why: 'a write was interrupted' });
      } else if (name.endsWith('.lock') || ASIDE.test(name)) {
        const why = await deadLock(path, ASIDE.test(name));
        if (why !== null) found.push({ path, kind: 'lock', why });
      }
    }
  }
  // Last, so that the lock of a dead holder is told and removed by itself.
  return [...found, ...(await staleOrchestratorPid(root))];
}

/** The lock under which the copy of that name would be written; null where it is none. */
function lockOfCopy(root: string, name: string): string | null {
  if (join(logsDir(root), name) === copyingName(orchestratorLogPath(root))) return logsLockPath(root);
  const id = /^(.+)\.(?:log|err)\.copying$/.exec(name)?.[1] ?? '';
  if (!isId(id)) return null;
  const path = join(logsDir(root), name);
  return [outPath(root, id), errPath(root, id)].map(copyingName).includes(path)
    ? logLockPath(root, id)
    : null;
}

/** An orchestrator holds its lock as long as it lives. */
async function staleOrchestratorPid(root: string): Promise<Leftover[]> {
  const path = orchestratorPidPath(root);
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return [];
  if (await mayBeHeld(orchestratorLockPath(root))) return [];
  return [{ path, kind: 'pid', why: 'nobody orchestrates' }];
}

/** Milliseconds since it changed; 0 if it is gone. */
function ageMsOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? 0 : Date.now() - stats.mtimeMs;
}

async function deadLock(path: string, aside: boolean): Promise<string | null> {
  const holder = lockHolder(path);
  if (holder === 'unknown') return null;
  if (holder === 'free') {
    // An empty folder is a free lock. One that was being made aside is empty for a moment only.
    return aside && ageMsOf(path) < MOMENT_MS ? null : 'a lock without a holder';
  }
  return (await judge(holder.pid, holder.identity)) === 'dead'
    ? `its holder (pid ${holder.pid}) is dead`
    : null;
}

/**
 * Removes a leftover; true if it was there. A file goes under the lock that its writer would hold, so that none is
 * taken from a writer who is at it.
 */
export async function removeLeftover(root: string, leftover: Leftover): Promise<boolean> {
  const remove = async (): Promise<boolean> => {
    if (!existsSync(leftover.path)) return false;
    failpoint('store.leftover.remove');
    rmSync(leftover.path, { force: true });
    failpoint('store.leftover.removed');
    return true;
  };
  if (leftover.kind === 'lock') return clearDeadLock(leftover.path);
  const name = leftover.path.split('/').at(-1) ?? '';
  const id = TEMPORARY.exec(name)?.[1] ?? '_';
  try {
    const copyLock = leftover.kind === 'copy' ? lockOfCopy(root, name) : null;
    if (copyLock !== null) return await withLock(copyLock, remove, 0);
    if (!id.startsWith('_')) return await withLock(recordLockPath(root, id), remove);
    return await withLock(orchestratorLockPath(root), remove, 0);
  } catch (error) {
    // Whoever holds it may be the writer.
    if (error instanceof OrchError && error.code === 'LOCK_HELD') return false;
    throw error;
  }
}
