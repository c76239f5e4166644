import { existsSync, rmSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { removeWorktree } from '../git/worktree.ts';
import type { Bystander } from '../process/kin.ts';
import {
  gitLockPath,
  historyPath,
  logLockPath,
  recordLockPath,
  recordPath,
  worktreePath,
} from '../protocol/layout.ts';
import { isFinal } from '../protocol/status.ts';
import { type Actor, audit } from '../store/events.ts';
import { findLeftovers, removeLeftover } from '../store/leftovers.ts';
import { withLock } from '../store/lock.ts';
import { logFilesOf } from '../store/log-folder.ts';
import { holdsLease, leaseOf, readRecord } from '../store/records.ts';
import { type Action, decide } from './decide.ts';
import { PERMISSIONS, tolerantAct } from './loop.ts';
import { newMemory, type Observation, observe } from './observe.ts';
import { cutOffRotations, dueForTotal, removeSurplus, settleRotation, WHY_TOTAL } from './tidy-logs.ts';
import { recordOf, type View } from './world.ts';

/** One thing that `orch reap` does or would do, with its proof. */
export type ReapAction = {
  action: 'kill' | 'settle' | 'remove' | 'prune';
  target: string;
  workstream: string | null;
  pid: number | null;
  why: string;
};

export type Reaped = { actions: ReapAction[]; bystanders: Bystander[]; left: string[] };
export type ReapOptions = { dryRun: boolean; olderThanMs: number | null };

const ROUNDS_MAX = 5;

/**
 * Cleans up beside a live orchestrator or without one: it needs no role, since each action proves its right under
 * the record's lock. The living and what cannot be judged are not touched.
 */
export async function reap(root: string, options: ReapOptions): Promise<Reaped> {
  const actor: Actor = { role: 'reap', pid: process.pid };
  const actions: ReapAction[] = [];
  const left: string[] = [];
  const memory = newMemory();
  let fault: unknown;
  let world = await observe(root, memory);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const due = decide(world, PERMISSIONS.repair).filter(isCleanup);
    let changed = false;
    for (const action of due) {
      const shown = describe(world, action);
      if (options.dryRun) actions.push(...shown);
      else {
        const { ok, note, error } = await tolerantAct(world, action, 'detached', actor);
        fault ??= error;
        changed ||= ok;
        if (ok) actions.push(...shown);
        else if (action.type === 'kill') left.push(note);
      }
    }
    if (options.dryRun || !changed) break;
    world = await observe(root, memory);
  }
  await cleanFiles(root, options.dryRun, actions, actor);
  await cleanLogs(world, options.dryRun, actions, actor);
  for (const view of world.views) await prune(world, view, options, actions, left, actor);
  // Told last, so that one file in the way (or a full disk) does not keep the rest from being cleaned.
  if (fault !== undefined) throw fault;
  return { actions, bystanders: world.bystanders, left };
}

/** Never `end` (a live worker), nor anything about what comes next. */
function isCleanup(action: Action): boolean {
  return action.type === 'kill' || action.type === 'settle' || action.type === 'remove';
}

function describe(world: Observation, action: Action): ReapAction[] {
  const workstream = action.id;
  switch (action.type) {
    case 'kill': {
      const kin = workstream === null ? world.strays : (world.byId.get(workstream)?.leftovers ?? []);
      return kin.map(({ pid, command, proof, workstream: id }) => {
        return {
          action: 'kill',
          target: command,
          workstream: id,
          pid,
          why: `${action.why} (proof: ${proof})`,
        };
      });
    }
    case 'settle': {
      const { status, reason } = action;
      return [{ action: 'settle', target: status, workstream, pid: null, why: reason.message }];
    }
    case 'remove':
      return [{ action: 'remove', target: action.file.path, workstream, pid: null, why: action.file.why }];
    default:
      return [];
  }
}

async function cleanFiles(root: string, dryRun: boolean, actions: ReapAction[], actor: Actor): Promise<void> {
  for (const leftover of await findLeftovers(root)) {
    const { path, why } = leftover;
    if (!dryRun && !(await removeLeftover(root, leftover))) continue;
    if (!dryRun) audit(root, actor, { event: 'remove', workstream: null, why, path });
    actions.push({ action: 'remove', target: path, workstream: null, pid: null, why });
  }
}

/** Parts of logs, so that all together are within their bound; and what a rotation that was cut off left. */
async function cleanLogs(
  world: Observation,
  dryRun: boolean,
  actions: ReapAction[],
  actor: Actor,
): Promise<void> {
  const { root } = world;
  for (const rotation of await cutOffRotations(root)) {
    if (!dryRun && !(await settleRotation(root, rotation))) continue;
    const why = 'a rotation of this log was cut off';
    actions.push({ action: 'settle', target: rotation.path, workstream: rotation.id, pid: null, why });
  }
  for (const entry of dueForTotal(world)) {
    if (!dryRun && !(await removeSurplus(root, entry, actor))) continue;
    actions.push({ action: 'remove', target: entry.path, workstream: entry.id, pid: null, why: WHY_TOTAL });
  }
}

/** Worktrees of merged workstreams; with `--older-than`, what is left of merged or unplanned ones. */
async function prune(
  world: Observation,
  view: View,
  options: ReapOptions,
  actions: ReapAction[],
  left: string[],
  actor: Actor,
): Promise<void> {
  const { root } = world;
  const record = recordOf(view);
  if (record === null || view.liveWorker !== null || view.leftovers.length > 0) return;
  const { id } = view;
  const path = worktreePath(root, id);
  if (record.status === 'merged' && existsSync(path)) {
    const guest = world.bystanders.find(({ workstream }) => workstream === id);
    if (guest !== undefined) left.push(`${path} is kept: pid ${guest.pid} works in it`);
    else {
      const action: ReapAction = {
        action: 'prune',
        target: path,
        workstream: id,
        pid: null,
        why: 'its workstream is merged',
      };
      await done(options.dryRun, action, actions, left, async () => {
        failpoint('orchestrate.prune.before');
        await withLock(gitLockPath(root), () => removeWorktree(root, id));
        failpoint('orchestrate.prune.after');
        audit(root, actor, { event: 'remove', workstream: id, why: action.why, path });
      });
    }
  }
  if (options.olderThanMs === null || !isFinal(record, 0)) return;
  const ageMs = Date.now() - (record.ended_at ?? record.last_update) * 1000;
  if (ageMs < options.olderThanMs || (record.status !== 'merged' && view.planned !== null)) return;
  const why = record.status === 'merged' ? 'merged, and old' : 'in no plan any more, and old';
  const action: ReapAction = {
    action: 'remove',
    target: `record, history and logs of ${id}`,
    workstream: id,
    pid: null,
    why,
  };
  await done(options.dryRun, action, actions, left, () =>
    withLock(recordLockPath(root, id), async () => {
      const now = readRecord(root, id);
      if (
        now.kind !== 'record' ||
        !holdsLease(now.record, leaseOf(record)) ||
        now.record.status !== record.status
      )
        return;
      const files = await withLock(logLockPath(root, id), async () => {
        const logs = logFilesOf(root, id);
        removeOld(logs);
        return logs;
      });
      // The record last: killed in between, the next reap finds it again.
      const rest = [historyPath(root, id), recordPath(root, id)].filter(existsSync);
      removeOld(rest);
      audit(root, actor, { event: 'remove', workstream: id, why, files: [...files, ...rest] });
    }),
  );
}

function removeOld(files: readonly string[]): void {
  for (const file of files) {
    rmSync(file, { force: true });
    failpoint('orchestrate.old-file.removed');
  }
}

async function done(
  dryRun: boolean,
  action: ReapAction,
  actions: ReapAction[],
  left: string[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    if (!dryRun) await work();
    actions.push(action);
  } catch (error) {
    left.push(`${action.target}: ${messageOf(error)}`);
  }
}
