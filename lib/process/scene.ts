import { isId } from '../protocol/ids.ts';
import { ENV } from '../protocol/layout.ts';
import type { Identity } from '../protocol/status.ts';
import { hasWord, type ProcessInfo } from './info.ts';
import { scopeFolder, scopeOf } from './scope-unit.ts';
import { isSameStart } from './system.ts';

/** What the records tell of a workstream's latest worker. */
export type WorkerTrace = {
  id: string;
  pid: number | null;
  identity: Identity | null;
  worktree: string;
  /** The session of the command that the worker ran last, if it is known. */
  toolSession?: { pid: number; start_time: number } | null;
  /** Heartbeat or last write of the record by the worker, Unix seconds. */
  lastSignAt: number | null;
};

export type Kin = {
  pid: number;
  startTime: number;
  command: string;
  workstream: string;
  /** The launch token of its worker; null where only the worktree is known. */
  token: string | null;
  /** `pid file`: of a foreign worker, and only for a person who asked for it. */
  proof: 'worker' | 'marker' | 'scope' | 'limit' | 'session' | 'descendant' | 'cwd' | 'pid file';
  /** The cgroup of the scope that it is in, whatever the proof. */
  scope?: string | null;
  ofLiveWorker: boolean;
};

/** In a worktree, but not proven to be a worker's: never signalled, and the worktree is kept. */
export type Bystander = { pid: number; command: string; workstream: string; cwd: string };

/** One look at the system, and what is proven so far. */
export type Scene = {
  root: string;
  traces: readonly WorkerTrace[];
  /** Those of them whose PIDs are numbers of here and now. */
  local: readonly WorkerTrace[];
  listing: ReadonlyMap<number, ProcessInfo>;
  /** Processes that may be kin: not zombies, this process, its ancestors, init, or an orchestrator. */
  candidates: ReadonlySet<ProcessInfo>;
  liveTokens: Set<string>;
  /** Workstreams with a live worker of this root. */
  liveIds: Set<string>;
  kin: Map<number, Kin>;
};

const KTHREADD = 2;

/** The background orchestrator: workers start it in a session of its own, and it is nobody's kin. */
export function isOrchestrator(info: ProcessInfo): boolean {
  return info.command.includes('_orchestrate') && info.environ?.[ENV.token] === undefined;
}

export function isOwnUser(info: ProcessInfo): boolean {
  return info.uid !== null && info.uid === process.getuid?.();
}

/** The process `pid` and its ancestors. */
export function lineOf(listing: ReadonlyMap<number, ProcessInfo>, pid: number): Set<number> {
  const line = new Set<number>();
  for (let at = pid; at > 0 && !line.has(at); at = listing.get(at)?.ppid ?? 0) line.add(at);
  return line;
}

/** The scene before anything but the live workers is known. */
export function survey(
  root: string,
  traces: readonly WorkerTrace[],
  local: readonly WorkerTrace[],
  processes: readonly ProcessInfo[],
): Scene {
  const listing = new Map(processes.map((info) => [info.pid, info]));
  const own = lineOf(listing, process.pid);
  const isCandidate = (info: ProcessInfo): boolean =>
    !info.zombie &&
    info.pid > 1 &&
    !own.has(info.pid) &&
    !isKernelThread(info) &&
    !isOrchestrator(info) &&
    !isFadingWorker(traces, info);
  const candidates = new Set(processes.filter(isCandidate));
  const scene: Scene = {
    root,
    traces,
    local,
    listing,
    candidates,
    liveTokens: new Set(),
    liveIds: new Set(),
    kin: new Map(),
  };
  // Among all, not the candidates: a worker that looks around, or whose tool runs orch, is alive too.
  for (const info of processes) noteLiveWorker(scene, info);
  return scene;
}

function isKernelThread(info: ProcessInfo): boolean {
  return info.opaque && (info.pid === KTHREADD || info.ppid === KTHREADD);
}

/**
 * A worker in the middle of its exit: nothing of its program is there any more, and in a moment it is gone. It is
 * no leftover, and a signal would only look as if somebody had killed it.
 */
function isFadingWorker(traces: readonly WorkerTrace[], info: ProcessInfo): boolean {
  if (!info.opaque) return false;
  const isIt = ({ pid, identity }: WorkerTrace): boolean =>
    pid === info.pid && identity !== null && isSameStart(info.startTime, identity.start_time);
  return traces.some(isIt);
}

/**
 * True if the process is the worker itself, and not something that was started with the worker's token among its
 * words: where a record knows the worker of this token, and its PID means something here, that decides.
 */
export function isWorkerItself({ local }: Scene, info: ProcessInfo): boolean {
  const { command, environ, pid, startTime } = info;
  const token = environ?.[ENV.token] ?? '';
  if (!hasWord(command, token)) return false;
  const known = local.find(({ identity }) => identity?.token === token);
  if (known?.identity != null && known.pid !== null)
    return known.pid === pid && isSameStart(startTime, known.identity.start_time);
  // Of another attempt or another repository: whoever may be a worker is left alone.
  return true;
}

/** What the records say is not needed: a worker shows by itself that it is one. */
function noteLiveWorker(scene: Scene, info: ProcessInfo): void {
  if (info.zombie) return;
  const own = info.environ?.[ENV.token];
  if (own !== undefined && isWorkerItself(scene, info)) {
    scene.liveTokens.add(own);
    const marker = markerOf(scene.root, info);
    if (marker !== null) scene.liveIds.add(marker.workstream);
  }
  const trace = traceByArguments(scene, info);
  if (trace === null) return;
  scene.liveTokens.add(trace.token);
  scene.liveIds.add(trace.workstream);
}

type Mark = { workstream: string; token: string };

/** Workstream and token that a process of a worker of `root` inherits; null for any other. */
export function markerOf(root: string, info: ProcessInfo): Mark | null {
  const workstream = info.environ?.[ENV.workstream] ?? '';
  const token = info.environ?.[ENV.token] ?? '';
  return info.environ?.[ENV.root] === root && isId(workstream) && token !== '' ? { workstream, token } : null;
}

/** Where the environment is unreadable, a token that the records know, among the arguments, marks a worker. */
export function traceByArguments(scene: Scene, info: ProcessInfo): Mark | null {
  if (info.environ !== null) return null;
  for (const { id, pid, identity } of scene.traces) {
    const mayBeIt = pid === null || pid === info.pid;
    if (mayBeIt && identity !== null && hasWord(info.command, identity.token)) {
      return { workstream: id, token: identity.token };
    }
  }
  return null;
}

/** Notes a process as kin, unless a stronger proof already did. */
export function claim(
  scene: Scene,
  info: ProcessInfo,
  owner: { workstream: string; token: string | null; proof: Kin['proof'] },
): void {
  if (scene.kin.has(info.pid)) return;
  const { workstream, token, proof } = owner;
  // Without a token nobody can tell which attempt's it is: while the workstream has a worker, that one's.
  const ofLiveWorker = token === null ? scene.liveIds.has(workstream) : scene.liveTokens.has(token);
  const { pid, startTime, command } = info;
  const scope = scopeOf(scene.root, info.cgroup) === null ? null : scopeFolder(info.cgroup ?? '');
  scene.kin.set(pid, { pid, startTime, command, workstream, token, proof, ofLiveWorker, scope });
}
