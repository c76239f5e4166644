import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ENV } from '../protocol/layout.ts';
import { cgroupMount } from './cgroup.ts';
import { logoutFate } from './logout.ts';
import { backend, createToken } from './system.ts';

/**
 * What this machine offers to keep the processes of a command together. Each answer comes from a real try, with
 * `true` in the place of the command; what worked is remembered for as long as this process lives, what did not for
 * half a minute, since a person may be about to mend it.
 */

export type Offer<T = unknown> = ({ offered: true; evidence: string } & T) | { offered: false; why: string };

export type ScopeOffer = Offer<{
  manager: Manager;
  /** Controllers by which systemd can bound the scope. */
  bounds: readonly ('memory' | 'cpu')[];
  /** False where logout ends the manager, and every scope with it. */
  lasting: boolean;
}>;

/** The systemd that makes scopes; `runtime` is what its client needs to find it. */
export type Manager = { kind: 'system' } | { kind: 'user'; runtime: string };

const PROBE_MS = 10_000;
const FORGET_MS = 30_000;

/** `signal`: of somebody else, not of the bound. */
type Tried = { code: number | null; signal: string | null; stdout: string; said: string };

/** Runs a program with a bound, and once more where somebody else ended it; what it said is the first line of stderr. */
async function attempt(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Tried> {
  const tried = await runOnce(file, args, env);
  return tried.signal === null ? tried : runOnce(file, args, env);
}

function runOnce(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Tried> {
  const kept: NodeJS.ProcessEnv = { ...process.env, ...env, LC_ALL: 'C' };
  for (const name of Object.values(ENV)) delete kept[name];
  return new Promise((resolve) => {
    const options = { timeout: PROBE_MS, killSignal: 'SIGKILL', encoding: 'utf8', env: kept } as const;
    execFile(file, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      const signal = error?.killed === true ? null : (error?.signal ?? null);
      const ended = signal === null ? '' : `ended by ${signal}`;
      const reason = error?.killed === true ? `no answer in ${PROBE_MS / 1_000} s` : (error?.code ?? ended);
      const said = stderr.trim().split('\n')[0] ?? '';
      resolve({ code, signal, stdout, said: said === '' ? `${file}: ${reason}` : said });
    });
  });
}

const remembered = new Map<string, { at: number; offer: Promise<Offer> }>();

function remember<T extends Offer>(name: string, look: () => Promise<T>): Promise<T> {
  const known = remembered.get(name);
  if (known !== undefined && performance.now() - known.at < FORGET_MS) return known.offer as Promise<T>;
  const entry = { at: performance.now(), offer: look() };
  remembered.set(name, entry);
  return entry.offer.then((offer) => {
    if (offer.offered) entry.at = Number.POSITIVE_INFINITY;
    return offer;
  });
}

const NO_LINUX = { offered: false, why: 'needs Linux with /proc' } as const;

/** The systemd manager that can make scopes for this user; nothing is run. */
function findManager(): Manager | null {
  if (process.getuid?.() === 0 && existsSync('/run/systemd/private')) return { kind: 'system' };
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? ''}`;
  return existsSync(join(runtime, 'systemd/private')) ? { kind: 'user', runtime } : null;
}

/** The arguments of `systemd-run` that make a scope of that name, up to the command, with its environment. */
export function scopeCommand(manager: Manager, unit: string, properties: readonly string[]): string[] {
  const find = manager.kind === 'user' ? ['env', `XDG_RUNTIME_DIR=${manager.runtime}`] : [];
  const where = manager.kind === 'user' ? ['--user'] : [];
  const settings = properties.flatMap((property) => ['-p', property]);
  return [
    ...find,
    'systemd-run',
    ...where,
    '--scope',
    '--collect',
    '--quiet',
    `--unit=${unit}`,
    ...settings,
    '--',
  ];
}

/** Prints the path of the cgroup it is in, then the files of it that matter. */
const LOOK_AROUND =
  'p=$(sed -n s/^0:://p /proc/self/cgroup); echo "$p"; cd "$0/$p" && ls cgroup.kill memory.max cpu.max 2>/dev/null; true';

/** Whether a command can be put into a systemd scope of its own, seen from inside of one. */
export function probeScope(): Promise<ScopeOffer> {
  return remember('scope', async () => {
    if (backend() !== 'linux') return NO_LINUX;
    const manager = findManager();
    if (manager === null) return { offered: false, why: 'no systemd manager of this user answers here' };
    const mount = cgroupMount();
    if (mount === null) return { offered: false, why: 'cgroup v2 is not mounted' };
    const unit = `orch-probe-${createToken()}.scope`;
    const [file = '', ...args] = scopeCommand(manager, unit, ['MemoryAccounting=yes', 'CPUWeight=100']);
    const tried = await attempt(file, [...args, 'sh', '-c', LOOK_AROUND, mount.place]);
    const [path = '', ...files] = tried.stdout.trim().split('\n');
    if (tried.code !== 0) return { offered: false, why: tried.said };
    if (!path.endsWith(`/${unit}`)) return { offered: false, why: `the scope is not in cgroup v2: ${path}` };
    const bounds = (['memory', 'cpu'] as const).filter((name) => files.includes(`${name}.max`));
    const kill = files.includes('cgroup.kill') ? '' : ', without cgroup.kill';
    const bounded = bounds.length === 0 ? 'no limits' : `limits of ${bounds.join(' and ')}`;
    const lasting = manager.kind === 'system' || (await logoutFate()).linger === true;
    const place = path.slice(0, path.lastIndexOf('/')) || '/';
    return { offered: true, manager, bounds, lasting, evidence: `a scope in ${place}${kill}; ${bounded}` };
  });
}

/** How a PID namespace is made: root needs no user namespace for it. */
export function unshareCommand(): string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user'];
  return [
    'setpriv',
    '--pdeathsig',
    'KILL',
    'unshare',
    ...user,
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ];
}

/** Whether a PID namespace with a `/proc` of its own can be made, and entered from outside. */
export function probeNamespace(): Promise<Offer> {
  return remember('pid_namespace', async () => {
    if (backend() !== 'linux') return NO_LINUX;
    const [file = '', ...args] = unshareCommand();
    const tried = await attempt(file, [...args, 'sh', '-c', 'echo $$ $(ls /proc | grep -c "^[0-9]")']);
    const enter = await attempt('nsenter', ['--version']);
    if (enter.code !== 0) return { offered: false, why: enter.said };
    if (tried.code !== 0) return { offered: false, why: tried.said };
    const [pid = ''] = tried.stdout.trim().split(' ');
    if (pid !== '1') return { offered: false, why: `the first process in it has pid ${pid}` };
    const user = process.getuid?.() === 0 ? '' : ', in a user namespace';
    return { offered: true, evidence: `unshare made one${user}` };
  });
}

/** Whether commands can be marked by a resource limit; see `limitMark`. */
export function probeLimitMark(): Promise<Offer> {
  return remember('limit mark', async () => {
    if (backend() !== 'linux') return NO_LINUX;
    const tried = await attempt('prlimit', [`--rttime=${1n << 61n}:`, '--', 'true']);
    return tried.code === 0 ? { offered: true, evidence: 'prlimit' } : { offered: false, why: tried.said };
  });
}

const BWRAP_TRY = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp'];
const BWRAP_APART = ['--unshare-pid', '--unshare-ipc', '--die-with-parent', '--cap-drop', 'ALL'];

/** Whether bubblewrap can make a sandbox here, without the network too if asked. */
export function probeBwrap(network: boolean): Promise<Offer> {
  return remember(`bwrap ${network}`, async () => {
    if (backend() !== 'linux') return NO_LINUX;
    const apart = [...BWRAP_APART, ...(network ? [] : ['--unshare-net'])];
    const tried = await attempt('bwrap', [...BWRAP_TRY, ...apart, '--', 'true']);
    if (tried.code !== 0) return { offered: false, why: tried.said };
    const version = await attempt('bwrap', ['--version']);
    return { offered: true, evidence: version.stdout.trim() };
  });
}
