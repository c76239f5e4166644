import { judge } from '../process/identity.ts';
import { hasWord, type ProcessInfo } from '../process/info.ts';
import { isSameStart, listProcesses, probe } from '../process/system.ts';
import { ENV, worktreesDir } from '../protocol/layout.ts';
import { lockHolder } from '../store/lock.ts';
import type { Bystander, RemainingProcess } from './evidence.ts';
import type { LedgerEntry } from './ledger.ts';

/** Looks at the process table for a checker: what lives and has to do with one repository. */

const BACKGROUND_VERB = '_orchestrate';

/** Notes a process that orch must never touch. Throws where it is not there to begin with. */
export async function bystander(pid: number, what: string): Promise<Bystander> {
  const info = await probe(pid);
  if (info === 'gone' || info === 'unknown') throw new Error(`the bystander ${what} (${pid}) is ${info}`);
  return { pid, startTime: info.startTime, since: info.startedAt, what, alive: true };
}

/** The same bystanders as they are now. */
export async function lookAgain(bystanders: readonly Bystander[]): Promise<Bystander[]> {
  return Promise.all(
    bystanders.map(async (one) => {
      const info = await probe(one.pid);
      if (info === 'unknown') return { ...one, alive: null };
      return { ...one, alive: info !== 'gone' && isSameStart(info.startTime, one.startTime) };
    }),
  );
}

/** True if the process is a worker of `root`, before its gate or behind it. */
export function isWorker(root: string, info: ProcessInfo): boolean {
  const { environ, command, zombie } = info;
  return !zombie && environ?.[ENV.root] === root && hasWord(command, environ[ENV.token] ?? '');
}

/** All that lives of `root`, bystanders left out. */
export async function remainingOf(
  root: string,
  ledger: readonly LedgerEntry[],
  bystanders: readonly Bystander[],
): Promise<RemainingProcess[]> {
  const known = new Map(ledger.filter(isBirth).map((entry) => [entry.pid, entry]));
  const spared = new Set([process.pid, ...bystanders.map(({ pid }) => pid)]);
  const processes = await listProcesses({ detail: true });
  return processes.flatMap((info) => {
    if (info.zombie || spared.has(info.pid)) return [];
    const noted = known.get(info.pid);
    const isNoted = noted !== undefined && noted.startTime === info.startTime;
    const isMarked = info.environ?.[ENV.root] === root && info.environ[ENV.workstream] !== undefined;
    const isInside = info.cwd !== null && `${info.cwd}/`.startsWith(`${worktreesDir(root)}/`);
    const orchestrates = hasWord(info.command, BACKGROUND_VERB) && info.command.includes(root);
    if (!isNoted && !isMarked && !isInside && !orchestrates) return [];
    const { pid, command } = info;
    const workstream = info.environ?.[ENV.workstream] ?? noted?.workstream ?? null;
    const token = info.environ?.[ENV.token] ?? noted?.token ?? null;
    const kind = orchestrates ? 'orchestrator' : isWorker(root, info) ? 'worker' : 'tool';
    return [{ pid, command, kind, workstream, token }];
  });
}

const isBirth = ({ what }: LedgerEntry): boolean => what === 'start' || what === 'forked';

/** True unless the lock is free or its holder is proved dead. */
export async function isHeldByLiving(path: string): Promise<boolean> {
  const holder = lockHolder(path);
  if (holder === 'free') return false;
  return holder === 'unknown' || (await judge(holder.pid, holder.identity)) !== 'dead';
}
