import { readFileSync, statfsSync, statSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { type Check, fail, ok, warn } from './check.ts';
import { mountOf } from './mounts.ts';

const MIB = 1024 * 1024;

const sizeText = (bytes: number): string =>
  bytes < 1024 * MIB ? `${Math.floor(bytes / MIB)} MiB` : `${Math.floor(bytes / MIB / 1024)} GiB`;

/** Space on the disks of the repository and of temporary files. */
function checkDisk(name: string, folder: string): Check {
  let facts: ReturnType<typeof statfsSync>;
  try {
    facts = statfsSync(folder);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return warn(name, `${folder} cannot be looked at (${errnoOf(error)})`);
  }
  const bytes = facts.bavail * facts.bsize;
  const text = `${sizeText(bytes)} free in ${folder}`;
  const hint = 'Worktrees and logs need room: make some, or begin elsewhere.';
  // Some file systems have no fixed number of files, and say 0 of 0.
  if (facts.files > 0 && facts.ffree < 1_000)
    return fail(name, `${facts.ffree} more files fit in ${folder}`, hint);
  if (bytes < 100 * MIB) return fail(name, text, hint);
  return bytes < 1024 * MIB ? warn(name, text, hint) : ok(name, text);
}

const NETWORK =
  /^(?:nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|vboxsf|virtiofs|prl_fs|fuse(?:blk)?(?:\..*)?)$/;

/** File systems on which locks, renames or watches are not what orch relies on. */
function checkFileSystem(root: string): Check {
  const mount = mountOf(root);
  if (mount === null) return ok('file system', 'of an unknown type');
  const { type, place } = mount;
  if (NETWORK.test(type)) {
    const hint = 'Renames and locks may not hold there, and changes are seen late: prefer a local disk.';
    return warn('file system', `${type} at ${place}`, hint);
  }
  if (type === 'tmpfs' || type === 'ramfs')
    return warn('file system', `${type} at ${place}`, 'It is gone after a reboot, and all work with it.');
  return ok('file system', `${type} at ${place}`);
}

const SKEW_MS = 60_000;
const BEFORE = Date.UTC(2025, 0, 1);

/** A clock that stands before files that are already there, or in the past. */
function checkClock(root: string, gitDir: string | null): Check {
  const now = Date.now();
  const hint = 'Set the clock; on a network file system, that of the server too.';
  if (now < BEFORE) return warn('clock', `it is ${new Date(now).toISOString()}`, hint);
  const files = [
    root,
    ...(gitDir === null ? [] : ['HEAD', 'index', 'logs/HEAD'].map((name) => join(gitDir, name))),
  ];
  for (const file of files) {
    const at = modifiedAt(file);
    if (at === null || at - now <= SKEW_MS) continue;
    return warn('clock', `${file} was changed ${Math.round((at - now) / 1_000)} s in the future`, hint);
  }
  return ok('clock', new Date(now).toISOString());
}

function modifiedAt(file: string): number | null {
  try {
    return statSync(file).mtimeMs;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

const textOf = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
};

/** Watches only hasten a look, so a limit costs seconds, not work. */
function checkWatches(root: string): Check {
  const watches = textOf('/proc/sys/fs/inotify/max_user_watches')?.trim();
  const instances = textOf('/proc/sys/fs/inotify/max_user_instances')?.trim();
  const limits = watches === undefined ? 'no limit known' : `${watches} watches, ${instances} instances`;
  const hint =
    'orch then looks once a second instead. To raise it: sysctl fs.inotify.max_user_watches=524288';
  try {
    watch(root).close();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return warn('watches', `${root} cannot be watched now (${errnoOf(error)}; ${limits})`, hint);
  }
  return Number(watches ?? 8_192) < 8_192 ? warn('watches', limits, hint) : ok('watches', limits);
}

function checkOpenFiles(): Check {
  const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(textOf('/proc/self/limits') ?? '');
  if (line === null) return ok('open files', 'no limit known');
  // Node raises its own limit to the hard one.
  const most = line[2] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line[2]);
  const found = `at most ${line[2]}`;
  return most < 1_024 ? warn('open files', found, 'Raise it: ulimit -Hn 4096') : ok('open files', found);
}

const OLDEST_NODE = [20, 19] as const;

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  if (!isOld) return ok('node', process.versions.node);
  return fail('node', process.versions.node, `Install Node ${OLDEST_NODE.join('.')} or newer.`);
}

/** All that is asked of the machine where `root` is. */
export function checkMachine(root: string, gitDir: string | null): Check[] {
  const temporary = tmpdir();
  return [
    checkNode(),
    checkDisk('disk', root),
    checkDisk('temporary', temporary),
    checkFileSystem(root),
    checkWatches(root),
    checkOpenFiles(),
    checkClock(root, gitDir),
  ];
}
