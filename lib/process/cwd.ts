import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { ENV, worktreesDir } from '../protocol/layout.ts';
import type { Identity } from '../protocol/status.ts';
import { isInExecWindow } from './identity.ts';
import type { ProcessInfo } from './info.ts';
import {
  type Bystander,
  claim,
  isOrchestrator,
  isOwnUser,
  lineOf,
  type Scene,
  type WorkerTrace,
} from './scene.ts';

/** The weakest proof of kinship: to sit in a worktree. It takes all of the conditions of `isProven`. */

/**
 * `/proc` shows real paths; a folder that is gone keeps the name it had in the one above. Null where the system will
 * not say, such as for a link to itself, which any tool can put there.
 */
function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    const isGone = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
    const above = isGone && dirname(path) !== path ? realPath(dirname(path)) : null;
    return above === null ? null : join(above, basename(path));
  }
}

function isInside(cwd: string, folder: string): boolean {
  const path = cwd.replace(/ \(deleted\)$/, '');
  return path === folder || path.startsWith(`${folder}/`);
}

/** Git commands that this process or an orchestrator runs in a worktree are neither kin nor bystanders. */
function isOfOrchestrator(scene: Scene, info: ProcessInfo): boolean {
  for (const pid of lineOf(scene.listing, info.pid)) {
    const elder = scene.listing.get(pid);
    if (elder === undefined || pid === 1) continue;
    // Nothing that a worker started can be in the session of its orchestrator, not even as an orphan.
    if ((pid === process.pid || isOrchestrator(elder)) && elder.session === info.session) return true;
  }
  return false;
}

/** A child between fork and exec already sits in its cwd, but still looks like the launcher that forked it. */
function mayBeLaunching(scene: Scene, info: ProcessInfo): boolean {
  if (!isInExecWindow(info)) return false;
  return info.opaque || scene.listing.get(info.ppid)?.command === info.command;
}

/** A terminal, tmux or editor that the user opened here has none itself, but would take their shells with it. */
function keepsTerminal(scene: Scene, info: ProcessInfo): boolean {
  return [...scene.listing.values()].some(
    ({ pid, hasTerminal }) => hasTerminal && !scene.kin.has(pid) && lineOf(scene.listing, pid).has(info.pid),
  );
}

/**
 * True if nobody but the attempt can have started this process: it has no terminal (else it may be the user's
 * shell) and keeps none for others, is younger than the worker, and so is its session: nobody enters a session
 * but by fork. Ages are compared on the clock of the boot: one that is set makes nobody younger.
 */
function isProven(scene: Scene, info: ProcessInfo, identity: Identity | null): boolean {
  if (identity === null || info.hasTerminal !== false || info.startTime <= identity.start_time) return false;
  if (!scene.candidates.has(info) || !isOwnUser(info)) return false;
  const token = info.environ?.[ENV.token];
  if (token !== undefined && scene.liveTokens.has(token)) return false;
  const leader = info.session === null ? undefined : scene.listing.get(info.session);
  if (leader !== undefined && leader.startTime <= identity.start_time) return false;
  return !mayBeLaunching(scene, info) && !keepsTerminal(scene, info);
}

/**
 * Claims who sits in a worktree with proof, and returns who sits there without. `local` are the traces of this
 * boot and host: no other attempt can have started anything that is seen here.
 */
export function addCwdKin(scene: Scene, local: ReadonlySet<WorkerTrace>): Bystander[] {
  const bystanders: Bystander[] = [];
  const folder = realPath(worktreesDir(scene.root));
  for (const trace of scene.traces) {
    if (!isAbsolute(trace.worktree)) continue;
    const worktree = realPath(trace.worktree);
    if (worktree === null) continue;
    // A record may name any folder, `/` too: who sits outside of orch's own is at most a bystander. So is everybody
    // where no worker is named: after a crash was settled, or a reboot.
    const isOrchs = folder !== null && worktree.startsWith(`${folder}/`);
    const identity = local.has(trace) && isOrchs ? trace.identity : null;
    for (const info of scene.listing.values()) {
      if (info.cwd === null || info.zombie || scene.kin.has(info.pid) || !isInside(info.cwd, worktree))
        continue;
      if (isOfOrchestrator(scene, info)) continue;
      if (isProven(scene, info, identity)) {
        claim(scene, info, { workstream: trace.id, token: null, proof: 'cwd' });
      } else {
        bystanders.push({ pid: info.pid, command: info.command, workstream: trace.id, cwd: info.cwd });
      }
    }
  }
  return bystanders;
}
