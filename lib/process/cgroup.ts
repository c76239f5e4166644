import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { scopeFolder } from './scope-unit.ts';

/** The part of cgroup v2 that ends a scope whole. Paths are those of `/proc/PID/cgroup`. */

/** Where the cgroup v2 tree is mounted here, and which part of it; null where it is not. */
export function cgroupMount(table = '/proc/self/mountinfo'): { place: string; root: string } | null {
  let best: { place: string; root: string } | null = null;
  for (const line of textOf(table).split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, place] = before.split(' ');
    if (!after.startsWith('cgroup2 ') || root === undefined || place === undefined) continue;
    // The widest view: another part of the tree may be mounted elsewhere.
    if (best === null || root.length < best.root.length) best = { place, root };
  }
  return best;
}

/** The folder of a cgroup in this mount namespace; null where it cannot be seen. */
function folderOf(path: string): string | null {
  const mount = cgroupMount();
  if (mount === null || path.split('/').includes('..')) return null;
  if (mount.root === '/') return join(mount.place, path);
  return path.startsWith(`${mount.root}/`) ? join(mount.place, path.slice(mount.root.length)) : null;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // ENODEV: a cgroup that is gone while its file is open.
    if (['ENOENT', 'ENODEV', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return '';
    throw error;
  }
}

/** False where the file is not there or may not be written: an older kernel, or a scope that has just ended. */
function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'r+' });
    return true;
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

/** The PIDs in a cgroup and all below it. */
function membersOf(folder: string): number[] {
  const own = textOf(join(folder, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  let names: string[] = [];
  try {
    names = readdirSync(folder, { withFileTypes: true }).flatMap((one) =>
      one.isDirectory() ? [one.name] : [],
    );
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENODEV') throw error;
  }
  return [...own, ...names.flatMap((name) => membersOf(join(folder, name)))];
}

const FREEZE_LOOKS = 25;
const FREEZE_LOOK_MS = 10;

/**
 * Kills every process of a scope by one order of the kernel, if `isOurs` says so of all its members while none of
 * them can move; the PIDs that it killed. Never the scope that this process is in. Nothing is done where there is no
 * cgroup v2, and whoever calls kills one by one then.
 */
export async function killScope(
  scope: string,
  isOurs: (pids: readonly number[]) => Promise<boolean>,
): Promise<ReadonlySet<number>> {
  const none: ReadonlySet<number> = new Set();
  const folder = folderOf(scope);
  const own = /^0::(.*)$/m.exec(textOf('/proc/self/cgroup'))?.[1] ?? '';
  if (folder === null || scopeFolder(scope) !== scope || `${own}/`.startsWith(`${scope}/`)) return none;
  failpoint('process.scope.freeze');
  if (!write(join(folder, 'cgroup.freeze'), '1')) return none;
  try {
    // Killed from here on, the scope stays frozen until the next look: it kills what is in it, or thaws it.
    failpoint('process.scope.frozen');
    // What does not freeze (state D) does not fork either; the question is asked in any case.
    for (let looks = 0; looks < FREEZE_LOOKS && !isFrozen(folder); looks += 1) await sleep(FREEZE_LOOK_MS);
    // 0: a process that this namespace cannot name, and that nobody here can have proved to be ours.
    const pids = membersOf(folder);
    if (pids.length === 0 || pids.includes(0) || !(await isOurs(pids))) return none;
    failpoint('process.scope.kill');
    if (!write(join(folder, 'cgroup.kill'), '1')) return none;
    failpoint('process.scope.killed');
    return new Set(pids);
  } finally {
    // Also after a kill: what could not die must not stay frozen.
    write(join(folder, 'cgroup.freeze'), '0');
  }
}

const isFrozen = (folder: string): boolean => /^frozen 1$/m.test(textOf(join(folder, 'cgroup.events')));
