import type { ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { errnoOf, OrchError } from '../errors.ts';
import { confinesOf } from '../git/confines.ts';
import { listStats, readStat } from '../process/proc.ts';
import { limitMark, type ScopeMark, scopeUnit } from '../process/scope-unit.ts';
import { probeScope, scopeCommand, unshareCommand } from '../process/tiers.ts';
import { type Limits, readContainment, type Sandbox } from '../protocol/containment.ts';
import { worktreePath } from '../protocol/layout.ts';
import { makeBlank, sandboxCommand } from './sandbox.ts';

/** What a command is put into. */
export type Enclosure = {
  mark: ScopeMark;
  /** `containment` of the record: what the launcher chose. */
  text: string;
  limits: Limits | null;
  sandbox: Extract<Sandbox, { kind: 'bwrap' }> | null;
  envFile: string | null;
};

/**
 * Makes of a command one that runs contained. It writes one byte to descriptor 3 right before the command itself
 * begins: without it nothing of the command has run.
 */
export type Enclose = (
  command: readonly string[],
  place: { cwd: string; env: Record<string, string>; scratch?: string },
) => Promise<string[]>;

/** The folder first, since to enter a mount namespace leads to its top. */
const BEGIN = 'cd "$1" || exit; shift; printf . >&3 || exit; exec 3>&-; exec "$@"';

/** How the commands of one attempt are contained. */
export function makeEnclose({ mark, text, limits, sandbox, envFile }: Enclosure): Enclose {
  const { root, workstream, token } = mark;
  const { tier, proofs } = readContainment(text);
  const limit = proofs.includes('limit') ? limitMark(token) : null;
  let number = 0;
  let holder: Holder | null = null;

  const outer = async (env: Record<string, string>): Promise<string[]> => {
    number += 1;
    if (tier === 'scope') return inScope(mark, number, limits);
    // A sandbox has a namespace of its own, which dies with the worker too.
    if (tier !== 'pid_namespace' || sandbox !== null) return [];
    if (holder === null || holder.hasEnded()) holder = await holdNamespace(root, env);
    return holder.enter;
  };

  return async (command, { cwd, env, scratch }) => {
    const branded = limit === null ? [] : ['prlimit', `--rttime=${limit}:`, '--'];
    const around = await outer(env);
    const inner = sandbox === null ? [] : await confined(sandbox, root, workstream, envFile, scratch ?? null);
    return [...branded, ...around, ...inner, '/bin/sh', '-c', BEGIN, 'sh', cwd, ...command];
  };
}

async function inScope(mark: ScopeMark, number: number, limits: Limits | null): Promise<string[]> {
  const offer = await probeScope();
  if (!offer.offered) {
    throw new OrchError('SPAWN_FAILED', `no scope can be made any more: ${offer.why}`, {
      hint: 'Did the systemd manager of the user end? `loginctl enable-linger` keeps it.',
    });
  }
  const { memoryBytes = null, cpuPercent = null } = limits ?? {};
  return scopeCommand(offer.manager, scopeUnit(mark, number), [
    ...(memoryBytes !== null && offer.bounds.includes('memory') ? [`MemoryMax=${memoryBytes}`] : []),
    ...(cpuPercent !== null && offer.bounds.includes('cpu') ? [`CPUQuota=${cpuPercent}%`] : []),
  ]);
}

async function confined(
  sandbox: Extract<Sandbox, { kind: 'bwrap' }>,
  root: string,
  id: string,
  envFile: string | null,
  scratch: string | null,
): Promise<string[]> {
  const confines = await confinesOf(root, id);
  const worktree = worktreePath(root, id);
  return sandboxCommand(sandbox, { root, worktree, confines, envFile, scratch, blank: makeBlank(root) });
}

type Holder = { enter: string[]; hasEnded(): boolean };

/** Its first process adopts what loses its parent, and takes all with it when it ends. */
const HOLD = 'printf . >&3; exec 3>&-; sleep infinity & wait $!';

/**
 * Makes a PID namespace that lasts as long as this process and no longer: one for all commands of an attempt, so that
 * what `setup` starts is still there for its tasks. The kernel ends it when this process is gone, however it went.
 */
async function holdNamespace(root: string, env: Record<string, string>): Promise<Holder> {
  const { execa } = await import('execa');
  const [file = '', ...args] = unshareCommand();
  const child = execa(file, [...args, '/bin/sh', '-c', HOLD], {
    cwd: root,
    env,
    extendEnv: false,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const begun = await firstByte(child);
  const first = listStats().find(({ ppid }) => ppid === child.pid);
  const enter = begun && first !== undefined ? entrance(first.pid, child.pid) : null;
  if (enter === null) {
    child.kill('SIGKILL');
    throw new OrchError('SPAWN_FAILED', 'no PID namespace can be made any more', {
      hint: 'The log of the workstream (`orch logs --stderr`) says what unshare said.',
    });
  }
  child.unref();
  return { enter, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

/** The open files stay bound to these namespaces, whoever gets the number of the process; null if it is gone. */
function entrance(pid: number, parent: number | undefined): string[] | null {
  const isRoot = process.getuid?.() === 0;
  const kinds = isRoot ? ['pid', 'mnt'] : ['user', 'pid', 'mnt'];
  try {
    const files = kinds.map((kind) => `/proc/${process.pid}/fd/${openSync(`/proc/${pid}/ns/${kind}`, 'r')}`);
    if (readStat(pid)?.ppid !== parent) return null;
    const [mount, ids, user] = files.reverse();
    const asUser = user === undefined ? [] : [`--user=${user}`, '--preserve-credentials'];
    return ['nsenter', ...asUser, `--pid=${ids}`, `--mount=${mount}`, '--'];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return null;
    throw error;
  }
}

/** True once the byte comes, false when descriptor 3 is closed without one. */
export function firstByte(child: Pick<ChildProcess, 'stdio'>): Promise<boolean> {
  const pipe = child.stdio[3];
  return new Promise((resolve) => {
    if (pipe === null || pipe === undefined || !('on' in pipe)) return resolve(false);
    pipe.on('data', () => resolve(true));
    pipe.on('error', () => resolve(false));
    pipe.on('close', () => resolve(false));
  });
}
