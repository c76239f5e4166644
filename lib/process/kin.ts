import { ENV } from '../protocol/layout.ts';
import type { Identity } from '../protocol/status.ts';
import { addCwdKin } from './cwd.ts';
import { carriesToken, locate } from './identity.ts';
import type { ProcessInfo } from './info.ts';
import {
  type Bystander,
  claim,
  isOrchestrator,
  isOwnUser,
  isWorkerItself,
  type Kin,
  lineOf,
  markerOf,
  type Scene,
  survey,
  traceByArguments,
  type WorkerTrace,
} from './scene.ts';
import { limitMark, scopeOf } from './scope-unit.ts';
import { isSameStart, listProcesses, origin, probe } from './system.ts';

export type { Bystander, Kin, WorkerTrace } from './scene.ts';

/** Beyond the last sign of life: heartbeats come every 5 s, and a busy worker may miss some before it dies. */
const SIGN_GAP_SECONDS = 20;

/** By the environment that workers hand down, or by the arguments of the worker itself. */
function addMarked(scene: Scene): void {
  for (const info of scene.candidates) {
    const marker = markerOf(scene.root, info);
    if (marker !== null) {
      claim(scene, info, { ...marker, proof: isWorkerItself(scene, info) ? 'worker' : 'marker' });
    }
    const trace = traceByArguments(scene, info);
    if (trace !== null) claim(scene, info, { ...trace, proof: 'worker' });
  }
}

/** A worker that may not be looked at is in no list, and yet may live: what it started is not left over. */
async function noteUnseen(scene: Scene, { id, pid, identity }: WorkerTrace): Promise<void> {
  if (pid === null || identity === null || scene.listing.has(pid)) return;
  if ((await probe(pid)) !== 'unknown') return;
  scene.liveTokens.add(identity.token);
  scene.liveIds.add(id);
}

/** True unless the environment names another worker or another root. */
function mayBelong(scene: Scene, info: ProcessInfo, token: string | null): boolean {
  const itsToken = info.environ?.[ENV.token];
  const itsRoot = info.environ?.[ENV.root];
  return (itsRoot === undefined || itsRoot === scene.root) && (itsToken === undefined || itsToken === token);
}

type Owner = { workstream: string; token: string };

/** The scope or the limit of a worker, whose it is by `owners`; null for who has neither. */
function brandOf(
  scene: Scene,
  info: ProcessInfo,
  owners: ReadonlyMap<string, Owner>,
): (Owner & { proof: 'scope' | 'limit' }) | null {
  const scoped = scopeOf(scene.root, info.cgroup);
  if (scoped !== null) return { ...scoped, proof: 'scope' };
  const limited = info.limitMark === null ? undefined : owners.get(info.limitMark);
  return limited === undefined ? null : { ...limited, proof: 'limit' };
}

/**
 * By what no command sheds by accident: the scope it was started in, and the limit that workers hand down. Who was
 * started by another worker, in the middle of this one's commands, is that one's.
 */
function addBranded(scene: Scene): void {
  const owners = new Map<string, Owner>();
  const note = (workstream: string, token: string | null): void => {
    const mark = token === null ? null : limitMark(token);
    if (token !== null && mark !== null) owners.set(mark, { workstream, token });
  };
  for (const { workstream, token } of scene.kin.values()) note(workstream, token);
  for (const { id, identity } of scene.traces) note(id, identity?.token ?? null);
  for (const info of scene.candidates) {
    const brand = brandOf(scene, info, owners);
    if (brand === null || !mayBelong(scene, info, brand.token)) continue;
    // An orphan that another worker marked.
    if (info.limitMark !== null && info.limitMark !== limitMark(brand.token)) continue;
    const isBranded = (elder: ProcessInfo): boolean => brandOf(scene, elder, owners)?.token === brand.token;
    if (!isOfAnother(scene, info, brand.token, isBranded)) claim(scene, info, brand);
  }
}

/**
 * True if another worker or an orchestrator, which a command of this one started, stands between: what those run by
 * themselves, such as a probe of systemd, has no token, and yet the scope and the limit of the command. The nearest
 * of the branded ancestors decides.
 */
function isOfAnother(
  scene: Scene,
  info: ProcessInfo,
  token: string,
  isBranded: (elder: ProcessInfo) => boolean,
): boolean {
  for (const pid of lineOf(scene.listing, info.ppid)) {
    const elder = scene.listing.get(pid);
    if (elder === undefined || !isBranded(elder)) return false;
    if (isOrchestrator(elder) || !mayBelong(scene, elder, token)) return true;
    if (elder.environ?.[ENV.token] === token) return false;
    if (pid === process.pid) return true;
  }
  return false;
}

/** The session of a command, as if it were a worker's: the same proofs hold for it. */
function toolTrace(trace: WorkerTrace): WorkerTrace[] {
  const { identity, toolSession } = trace;
  if (identity === null || toolSession === null || toolSession === undefined) return [];
  const { pid, start_time } = toolSession;
  return [{ ...trace, pid, identity: { ...identity, session: pid, start_time } }];
}

/** True if the process that now has the worker's number is proven to be another one. */
function isStranger(leader: ProcessInfo, identity: Identity): boolean {
  if (!isSameStart(leader.startTime, identity.start_time)) return true;
  if (leader.zombie || leader.opaque || leader.environ === null) return false;
  return !carriesToken(leader, identity.token);
}

/**
 * Members of the session and group that a worker led, for those that cleared their environment.
 *
 * The kernel does not reuse a PID that is in use as the id of a session or group. So a process that was forked
 * with this id while the worker lived is in the worker's session; and while one such member lives, the
 * number has never been free, and every member is the worker's. Without one, it may be a stranger's.
 */
function addSession(scene: Scene, trace: WorkerTrace): void {
  const { pid, identity, lastSignAt } = trace;
  if (pid === null || pid <= 1 || identity === null || identity.session !== pid) return;
  const leader = scene.listing.get(pid);
  if (leader !== undefined && isStranger(leader, identity)) return;
  const isMember = (info: ProcessInfo): boolean =>
    (info.session === pid || info.pgrp === pid) &&
    (info.startTime >= identity.start_time || isSameStart(info.startTime, identity.start_time)) &&
    isOwnUser(info) &&
    mayBelong(scene, info, identity.token);
  const members = [...scene.candidates].filter(isMember);
  const isFromItsLife = (info: ProcessInfo): boolean =>
    carriesToken(info, identity.token) ||
    (lastSignAt !== null && info.startedAt <= lastSignAt + SIGN_GAP_SECONDS);
  if (!members.some(isFromItsLife)) return;
  for (const info of members) {
    claim(scene, info, { workstream: trace.id, token: identity.token, proof: 'session' });
  }
}

/**
 * Children of kin, and members of a session whose living leader is kin, until nothing is added. A session is
 * inherited by fork alone, so all of its members descend from its leader.
 */
function addDescendants(scene: Scene): void {
  for (let before = -1; before !== scene.kin.size; ) {
    before = scene.kin.size;
    for (const info of scene.candidates) {
      if (scene.kin.has(info.pid)) continue;
      const parent = scene.kin.get(info.ppid);
      const elder = parent ?? (info.session === null ? undefined : scene.kin.get(info.session));
      if (elder === undefined || !mayBelong(scene, info, elder.token)) continue;
      const proof = parent === undefined ? 'session' : 'descendant';
      claim(scene, info, { workstream: elder.workstream, token: elder.token, proof });
    }
  }
}

/**
 * Every process that belongs to workers of `root`, living or dead, with its proof, from one listing; and the
 * bystanders in their worktrees. Never this process, its ancestors, init or an orchestrator. `root` is compared
 * as text with what workers inherit. The portable backend sees neither environment nor cwd: its proofs are
 * `worker`, `session` (group too) and `descendant`. Throws IO if processes cannot be listed: no list is no
 * evidence that nobody is there.
 */
export async function findKin(
  root: string,
  traces: readonly WorkerTrace[],
  processes?: readonly ProcessInfo[],
): Promise<{ kin: Kin[]; bystanders: Bystander[] }> {
  const here = await origin();
  const local = traces.filter(({ identity }) => identity === null || locate(identity, here) === 'here');
  const scene = survey(root, traces, local, processes ?? (await listProcesses({ detail: true })));
  for (const trace of local) await noteUnseen(scene, trace);
  addMarked(scene);
  // Latest first: where two records name one number, the earlier session ended before the later one began.
  const startOf = (trace: WorkerTrace): number => trace.identity?.start_time ?? 0;
  const sessions = local.flatMap((trace) => [trace, ...toolTrace(trace)]);
  for (const trace of sessions.sort((a, b) => startOf(b) - startOf(a))) addSession(scene, trace);
  addDescendants(scene);
  addBranded(scene);
  const bystanders = addCwdKin(scene, new Set(local));
  addDescendants(scene);
  return { kin: [...scene.kin.values()], bystanders };
}

/** True if `pid` is this process or one that it descends from, such as the user's shell. */
export async function isAncestor(pid: number): Promise<boolean> {
  const processes = await listProcesses();
  return lineOf(new Map(processes.map((info) => [info.pid, info])), process.pid).has(pid);
}
