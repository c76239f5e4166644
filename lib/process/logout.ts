import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';

/**
 * What becomes of this process when its user logs out. `kills`: logind ends what runs in the session of this user;
 * `linger`: the user's own service manager outlives the last session. Null: it could not be found out.
 */
export type LogoutFate = {
  systemd: boolean;
  kills: boolean | null;
  linger: boolean | null;
  /** Where this process is: in a login session, under the user's service manager, or in neither. */
  place: 'session' | 'manager' | 'elsewhere';
  /** Who says so of `kills`: loginctl, or the file. */
  source: string;
};

type Settings = { kills: string | null; exclude: string | null; only: string | null; source: string };

/** Long, for a loaded machine: its answer decides whether a person is warned. */
const ASK_MS = 10_000;
const UNSET = 4_294_967_295;

/** Asks logind, else reads its files; `base` is where the file system of the machine begins. Never throws for either. */
export async function logoutFate(base = '/'): Promise<LogoutFate> {
  const systemd = isFolder(join(base, 'run/systemd/system'));
  const place = placeOf(textOf(join(base, 'proc/self/cgroup')) ?? '');
  const name = userName();
  // Elsewhere than at the top, logind would tell of another machine.
  const isHere = base === '/';
  const [asked, linger] = isHere ? await Promise.all([askManager(), askLinger(name)]) : [null, null];
  const settings = asked ?? readSettings(base, systemd);
  const lingerFile = isThere(join(base, 'var/lib/systemd/linger', name));
  const kills = settings === null ? null : isKilled(settings, ownerOf(base, name));
  return { systemd, kills, linger: linger ?? lingerFile, place, source: settings?.source ?? 'nobody' };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // A uid without an entry in the password file, as in many containers.
    if (errnoOf(error) === null) throw error;
    return String(process.getuid?.() ?? '');
  }
}

function placeOf(cgroup: string): LogoutFate['place'] {
  if (/\/session-[^/]*\.scope/.test(cgroup)) return 'session';
  return /\/user@\d+\.service/.test(cgroup) ? 'manager' : 'elsewhere';
}

/** Whose session this is: `sudo` changes the user, not the session. Null where the kernel does not say. */
function ownerOf(base: string, name: string): string | null {
  const uid = Number(textOf(join(base, 'proc/self/loginuid'))?.trim() || Number.NaN);
  if (!Number.isSafeInteger(uid) || uid === UNSET) return null;
  if (uid === 0) return 'root';
  return uid === process.getuid?.() ? name : null;
}

/** As logind.conf(5) has it: the excluded are spared (root, if none are named), then only the named are killed. */
function isKilled({ kills, exclude, only }: Settings, owner: string | null): boolean | null {
  const yes = booleanOf(kills);
  if (yes !== true) return yes;
  const spared = (exclude ?? 'root').split(/\s+/);
  if (owner !== null && spared.includes(owner)) return false;
  const named = (only ?? '').split(/\s+/).filter((one) => one !== '');
  return named.length === 0 || owner === null || named.includes(owner);
}

function booleanOf(text: string | null): boolean | null {
  const word = text?.trim().toLowerCase() ?? '';
  if (['yes', 'true', 'y', 't', 'on', '1'].includes(word)) return true;
  return ['no', 'false', 'n', 'f', 'off', '0'].includes(word) ? false : null;
}

function loginctl(...args: string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { timeout: ASK_MS, killSignal: 'SIGKILL', encoding: 'utf8' } as const;
    // Whatever went wrong (no loginctl, no bus): the files are asked next.
    execFile('loginctl', args, options, (error, stdout) => resolve(error === null ? stdout : null));
  });
}

const property = (text: string, name: string): string | null =>
  new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? null;

/** Without a session, `show-session` tells of logind itself. */
async function askManager(): Promise<Settings | null> {
  const names = ['KillUserProcesses', 'KillExcludeUsers', 'KillOnlyUsers'];
  const text = await loginctl('show-session', ...names.map((name) => `--property=${name}`));
  const kills = text === null ? null : property(text, 'KillUserProcesses');
  if (text === null || kills === null) return null;
  const [exclude, only] = [property(text, 'KillExcludeUsers'), property(text, 'KillOnlyUsers')];
  return { kills, exclude, only, source: 'loginctl' };
}

async function askLinger(name: string): Promise<boolean | null> {
  const text = await loginctl('show-user', name, '--property=Linger');
  return text === null ? null : booleanOf(property(text, 'Linger'));
}

const FOLDERS = ['etc/systemd', 'run/systemd', 'usr/local/lib/systemd', 'usr/lib/systemd', 'lib/systemd'];

/** The settings of the files; null if none of them says. The comments of the main file tell the built-in values. */
function readSettings(base: string, systemd: boolean): Settings | null {
  const main = FOLDERS.map((folder) => join(base, folder, 'logind.conf')).find(
    (path) => isThere(path) === true,
  );
  const files = [...(main === undefined ? [] : [main]), ...dropIns(base)];
  const found: Settings = { kills: null, exclude: null, only: null, source: '' };
  for (const path of files) {
    const text = textOf(path) ?? '';
    const kills = last(text, 'KillUserProcesses');
    if (kills !== null) Object.assign(found, { kills, source: path });
    found.exclude = last(text, 'KillExcludeUsers') ?? found.exclude;
    found.only = last(text, 'KillOnlyUsers') ?? found.only;
  }
  if (found.kills !== null) return found;
  const builtIn = main === undefined || !systemd ? null : last(textOf(main) ?? '', '#KillUserProcesses');
  return builtIn === null ? null : { ...found, kills: builtIn, source: `${main} (built in)` };
}

/** By name; of those with the same name the one of the first folder. */
function dropIns(base: string): string[] {
  const byName = new Map<string, string>();
  for (const folder of FOLDERS.map((one) => join(base, one, 'logind.conf.d'))) {
    for (const name of namesIn(folder)) {
      if (name.endsWith('.conf') && !byName.has(name)) byName.set(name, join(folder, name));
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

function last(text: string, name: string): string | null {
  const lines = [...text.matchAll(new RegExp(`^[ \\t]*${name}[ \\t]*=(.*)$`, 'gm'))];
  return lines.at(-1)?.[1]?.trim() ?? null;
}

/** What cannot be read says nothing. */
function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

const textOf = (path: string): string | null => orNull(() => readFileSync(path, 'utf8'));
const namesIn = (folder: string): string[] => orNull(() => readdirSync(folder)) ?? [];
const isFolder = (path: string): boolean => orNull(() => statSync(path).isDirectory()) ?? false;

/** Null where it cannot be known. */
function isThere(path: string): boolean | null {
  try {
    statSync(path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? false : null;
  }
}
