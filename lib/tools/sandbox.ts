import { closeSync, constants, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Confines } from '../git/confines.ts';
import type { Sandbox } from '../protocol/containment.ts';
import { blankPath, STATE_FOLDERS, worktreesDir } from '../protocol/layout.ts';

/**
 * Folders and files below the home folder that hold keys. What an agent needs for its own login (`.claude`, `.codex`
 * and such) is not among them.
 */
const SECRETS =
  `.ssh .aws .azure .gnupg .kube .docker .config/gh .config/gcloud .config/hub .config/op .config/rclone
  .config/git/credentials .netrc .git-credentials .npmrc .pypirc .cargo/credentials .cargo/credentials.toml
  .vault-token .terraform.d .password-store .local/share/keyrings .mozilla .config/google-chrome .config/chromium
  .bash_history .zsh_history`.split(/\s+/);

/** Where others leave sockets and files: the bus, docker, agents of ssh. */
const EMPTIED = ['/tmp', '/var/tmp', '/run'];

export type Place = {
  root: string;
  worktree: string;
  confines: Confines;
  /** The config's env_file, which holds keys; null if there is none. */
  envFile: string | null;
  /** Where the tool keeps what is of this run alone; null for commands, which have none. */
  scratch: string | null;
  /** An empty file, to lay over files that are hidden. */
  blank: string;
};

/**
 * The arguments of bubblewrap, up to the command: the worktree is writable, git as far as `Confines` says, and what
 * the plan adds; all else is for reading, secrets and orch's own state are not there at all.
 */
export function sandboxCommand(sandbox: Extract<Sandbox, { kind: 'bwrap' }>, place: Place): string[] {
  const { root, worktree, confines } = place;
  const home = homedir();
  const named = (path: string): string =>
    path.startsWith('~/') || path === '~' ? join(home, path.slice(1)) : resolve(worktree, path);
  const writable = sandbox.writable.map(named);
  const isAllowed = (path: string): boolean => writable.includes(path);
  const state = STATE_FOLDERS.map((name) => join(root, name)).filter((path) => path !== worktreesDir(root));
  const secrets = SECRETS.map((name) => join(home, name)).filter((path) => !isAllowed(path));
  return [
    'bwrap',
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
    ...EMPTIED.filter(existsSync).flatMap((path) => ['--tmpfs', path]),
    ...(sandbox.network ? nameServers() : []),
    // Again, for a repository below one of those.
    ...readOnly([root, confines.commonDir]),
    ...hidden([...secrets, ...state, ...(place.envFile === null ? [] : [place.envFile])], place.blank),
    ...['--bind', worktree, worktree],
    ...confines.writable.flatMap((path) => ['--bind', path, path]),
    ...readOnly(confines.fixed),
    ...writable.flatMap((path) => ['--bind-try', path, path]),
    ...hidden(sandbox.hide.map(named), place.blank),
    // Last: it may lie in what is emptied or hidden above.
    ...(place.scratch === null ? [] : ['--bind', place.scratch, place.scratch]),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(sandbox.network ? [] : ['--unshare-net']),
    ...['--die-with-parent', '--cap-drop', 'ALL', '--setenv', 'TMPDIR', '/tmp', '--chdir', worktree, '--'],
  ];
}

const readOnly = (paths: readonly string[]): string[] => paths.flatMap((path) => ['--ro-bind', path, path]);

/** An empty folder over each folder, an empty file over each file; what is not there needs neither. */
function hidden(paths: readonly string[], blank: string): string[] {
  return paths.flatMap((path) => {
    const real = realPath(path);
    if (real === null) return [];
    return statSync(real).isDirectory() ? ['--tmpfs', real] : ['--ro-bind', blank, real];
  });
}

/** A link is followed: to lay something over the link would leave its target in sight. */
function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** On many systems the list of name servers lies below `/run`. */
function nameServers(): string[] {
  const real = realPath('/etc/resolv.conf');
  const isEmptied = real !== null && EMPTIED.some((folder) => real.startsWith(`${folder}/`));
  return isEmptied ? ['--ro-bind', real, real] : [];
}

/** Makes the empty file that hides others, in a folder that no sandbox shows. */
export function makeBlank(root: string): string {
  const path = blankPath(root);
  closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  return path;
}
