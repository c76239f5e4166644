import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { killScope } from './cgroup.ts';
import { isPid } from './info.ts';
import type { Kin } from './kin.ts';
import { isZombie, parseStat } from './proc.ts';
import { backend, isSameStart, probe } from './system.ts';

const STAT_BYTES = 4_096;

/** ESRCH: gone; EPERM: another user's. */
function send(pid: number, signal: NodeJS.Signals): 'sent' | 'gone' | 'refused' {
  try {
    failpoint('process.*.send', signal.toLowerCase());
    process.kill(pid, signal);
    failpoint('process.*.sent', signal.toLowerCase());
    return 'sent';
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return 'gone';
    if (errnoOf(error) === 'EPERM') return 'refused';
    throw error;
  }
}

/** The open file stays bound to the process that it was opened for: reads fail with ESRCH once that is gone. */
function isStill(fd: number, startTime: number): boolean {
  const bytes = Buffer.allocUnsafe(STAT_BYTES);
  const stat = parseStat(bytes.toString('latin1', 0, readSync(fd, bytes, 0, STAT_BYTES, 0)));
  return stat.startTime === startTime && !isZombie(stat);
}

function signalLinux(pid: number, startTime: number, signal: NodeJS.Signals): 'sent' | 'gone' | 'refused' {
  let fd: number | null = null;
  try {
    fd = openSync(`/proc/${pid}/stat`, 'r');
    // Twice: the first look binds the file to the right process, the second is right before the signal.
    if (!isStill(fd, startTime) || !isStill(fd, startTime)) return 'gone';
    return send(pid, signal);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return 'gone';
    if (errno === 'EACCES' || errno === 'EPERM') return 'refused';
    throw error;
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/**
 * Signals exactly the process that has had `pid` since `startTime` (unit of the backend). `gone`: it has ended,
 * whoever has the number now. `refused`: nothing was sent, since the system forbids it, the process cannot be
 * verified, or it is this one or init.
 */
export async function signalVerified(
  pid: number,
  startTime: number,
  signal: NodeJS.Signals,
): Promise<'sent' | 'gone' | 'refused'> {
  // kill(2) takes 0 for the own group, -1 for everybody and other negative numbers for groups.
  if (!isPid(pid) || pid === 1 || pid === process.pid) return 'refused';
  failpoint('process.signal.verify');
  if (backend() === 'linux') return signalLinux(pid, startTime, signal);
  const info = await probe(pid);
  if (info === 'unknown') return 'refused';
  return info === 'gone' || !isSameStart(info.startTime, startTime) ? 'gone' : send(pid, signal);
}

export type KillOptions = {
  /** From SIGTERM to SIGKILL; 0: SIGKILL at once. */
  graceMs: number;
  /** From the first SIGKILL until what still lives is given up. */
  boundMs: number;
  /** Told of each signal after it was sent. What it throws is thrown once the kill is over. */
  onSignal?: (kin: Kin, signal: NodeJS.Signals) => void | Promise<void>;
};

type Hunt = {
  options: KillOptions;
  select: () => Promise<Kin[]>;
  /**
   * All that were ever selected, by PID and start. They stay targets, since to kill a parent or leader destroys
   * the proof for what it leaves behind.
   */
  targets: Map<string, Kin>;
  /** The last signal sent to a target, or that it may not be sent any. */
  sent: Map<string, NodeJS.Signals | 'refused'>;
  auditError: { cause: unknown } | null;
};

const keyOf = (kin: Kin): string => `${kin.pid}:${kin.startTime}`;

async function look(hunt: Hunt): Promise<Kin[]> {
  for (const kin of await hunt.select()) {
    if (!hunt.targets.has(keyOf(kin))) hunt.targets.set(keyOf(kin), kin);
  }
  return living(hunt);
}

/** Targets that are not proven gone. */
async function living(hunt: Hunt): Promise<Kin[]> {
  const looked = await Promise.all(
    [...hunt.targets.values()].map(async (kin) => {
      const info = await probe(kin.pid);
      const isGone = info === 'gone' || (info !== 'unknown' && !isSameStart(info.startTime, kin.startTime));
      return isGone ? [] : [kin];
    }),
  );
  return looked.flat();
}

async function tell(hunt: Hunt, kin: Kin, signal: NodeJS.Signals): Promise<void> {
  const result = await signalVerified(kin.pid, kin.startTime, signal);
  if (result === 'gone') return;
  if (result === 'refused') hunt.sent.set(keyOf(kin), 'refused');
  else await note(hunt, kin, signal);
}

async function note(hunt: Hunt, kin: Kin, signal: NodeJS.Signals): Promise<void> {
  hunt.sent.set(keyOf(kin), signal);
  try {
    await hunt.options.onSignal?.(kin, signal);
  } catch (cause) {
    // A full disk under the audit trail must not leave a tree half killed, or frozen.
    hunt.auditError ??= { cause };
  }
}

async function terminate(hunt: Hunt, alive: readonly Kin[]): Promise<void> {
  for (const kin of alive) {
    const last = hunt.sent.get(keyOf(kin));
    if (last === undefined) await tell(hunt, kin, 'SIGTERM');
    if (last === 'refused') continue;
    const info = await probe(kin.pid);
    // A stopped process sees its SIGTERM only once it is continued; in each round, as a stop may take effect late.
    if (info !== 'gone' && info !== 'unknown' && info.stopped) await tell(hunt, kin, 'SIGCONT');
  }
}

/**
 * Kills whole scopes at once, which no fork escapes. Only where all that is in one is a target: a command may have
 * started an orchestrator there, which is nobody's leftover.
 */
async function destroyScopes(hunt: Hunt, alive: readonly Kin[]): Promise<void> {
  const scopes = new Set(
    alive.flatMap(({ scope }) => (scope === null || scope === undefined ? [] : [scope])),
  );
  for (const scope of scopes) {
    const isOurs = async (pids: readonly number[]): Promise<boolean> => {
      const found = new Map((await look(hunt)).map((kin) => [kin.pid, kin]));
      return pids.every((pid) => found.get(pid)?.scope === scope);
    };
    const killed = await killScope(scope, isOurs);
    for (const kin of hunt.targets.values()) {
      if (killed.has(kin.pid) && kin.scope === scope) await note(hunt, kin, 'SIGKILL');
    }
  }
}

const FREEZE_ROUNDS = 5;

/**
 * Stops the whole set before it kills any, and looks again until nothing new turns up: a child forked meanwhile,
 * with an environment and session of its own, could not be found any more once its parent is dead.
 */
async function destroy(hunt: Hunt, alive: readonly Kin[]): Promise<void> {
  const isLoose = (kin: Kin): boolean => {
    const last = hunt.sent.get(keyOf(kin));
    return last !== 'SIGSTOP' && last !== 'SIGKILL' && last !== 'refused';
  };
  await destroyScopes(hunt, alive);
  try {
    let loose = (await living(hunt)).filter(isLoose);
    for (let round = 0; loose.length > 0 && round < FREEZE_ROUNDS; round += 1) {
      for (const kin of loose) await tell(hunt, kin, 'SIGSTOP');
      loose = (await look(hunt)).filter(isLoose);
    }
  } finally {
    // Even if a look fails: what is frozen must not stay so.
    for (const kin of await living(hunt)) {
      const last = hunt.sent.get(keyOf(kin));
      if (last !== 'SIGKILL' && last !== 'refused') await tell(hunt, kin, 'SIGKILL');
    }
  }
}

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 250;
const EMPTY_PASSES = 2;

/**
 * Ends all that `select` finds: SIGTERM, the grace, SIGKILL, with a new `select` in each round, until two rounds
 * in a row find nobody alive, or the bound. `killed` got a signal and are gone; `left` would not die (state D,
 * another user's) or cannot be seen. Throws what `select` throws.
 */
export async function killKin(
  select: () => Promise<Kin[]>,
  options: KillOptions,
): Promise<{ killed: Kin[]; left: Kin[] }> {
  const hunt: Hunt = { options, select, targets: new Map(), sent: new Map(), auditError: null };
  let graceEnd: number | null = null;
  let lastTry: number | null = null;
  let alive: Kin[] = [];
  let pauseMs = FIRST_PAUSE_MS;
  for (let empty = 0; ; ) {
    alive = await look(hunt);
    empty = alive.length === 0 ? empty + 1 : 0;
    if (empty === EMPTY_PASSES) break;
    const now = performance.now();
    // From the first look on, which may take long where much is going on: nobody is killed unasked.
    graceEnd ??= now + options.graceMs;
    const isRefused = (kin: Kin): boolean => hunt.sent.get(keyOf(kin)) === 'refused';
    const isLate = lastTry !== null && now > lastTry;
    if (alive.length > 0 && (isLate || alive.every(isRefused))) break;
    const isGrace = now < graceEnd;
    await (isGrace ? terminate(hunt, alive) : destroy(hunt, alive));
    // Not from the grace on: where this process itself stood still, nobody was killed yet.
    if (!isGrace && alive.length > 0) lastTry ??= performance.now() + options.boundMs;
    const restMs = isGrace ? graceEnd - performance.now() : pauseMs;
    await sleep(Math.max(1, Math.min(pauseMs, restMs)));
    pauseMs = empty > 0 ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
  if (hunt.auditError !== null) throw hunt.auditError.cause;
  const left = new Set(alive.map(keyOf));
  const killed = [...hunt.targets].filter(([key]) => !left.has(key) && hunt.sent.has(key));
  return { killed: killed.map(([, kin]) => kin), left: alive };
}
