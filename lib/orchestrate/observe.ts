import { lackOf, readWorkerEnvironment } from '../config/environment.ts';
import { failpoint } from '../failpoint.ts';
import { judge } from '../process/identity.ts';
import { type Bystander, findKin, type Kin, type WorkerTrace } from '../process/kin.ts';
import { origin } from '../process/system.ts';
import { heartbeatPath, pidPath, stopPath, worktreePath } from '../protocol/layout.ts';
import type { FrozenPlan, PlannedWorkstream } from '../protocol/plan.ts';
import { isAliveState, type Reason, type StatusRecord } from '../protocol/status.ts';
import { planInForce } from '../store/plans.ts';
import { leaseOf, listRecordIds, type RecordRead, readRecord } from '../store/records.ts';
import { type Heartbeat, isHeld, meansAttempt, readHeartbeat, readPid, readStop } from '../store/signs.ts';
import { asksForContainment, chooseContainment } from '../tools/choose.ts';
import { lookAtForeign } from './foreign.ts';
import type { Liveness, StaleFile, View, World } from './world.ts';

/**
 * What a long-lived observer remembers between looks: since when, on its own monotonic clock, something has been as
 * it is. Losing it delays a restart or a timeout, and changes nothing else.
 */
export type Memory = Map<string, { what: string; since: number }>;

export function newMemory(): Memory {
  return new Map();
}

function heldSince(memory: Memory, key: string, what: string): number {
  const now = performance.now();
  const known = memory.get(key);
  if (known?.what === what) return now - known.since;
  memory.set(key, { what, since: now });
  return 0;
}

export type Observation = World & { bystanders: Bystander[] };

/** Looks at everything once: records, signs and, in one scan, the process table. */
export async function observe(root: string, memory: Memory): Promise<Observation> {
  const plan = planInForce(root);
  const planned = new Map(plan?.workstreams.map((workstream) => [workstream.id, workstream]));
  const ids = [...planned.keys(), ...listRecordIds(root).filter((id) => !planned.has(id))];
  const reads = new Map(ids.map((id) => [id, readRecord(root, id)]));
  failpoint('orchestrate.records.read');
  const { kin, bystanders } = await findKin(root, tracesOf(root, reads));
  const kinById = new Map<string, Kin[]>();
  for (const one of kin) kinById.set(one.workstream, [...(kinById.get(one.workstream) ?? []), one]);
  const views: View[] = [];
  for (const id of ids) {
    const read = reads.get(id) ?? { kind: 'missing', mtimeMs: null };
    views.push(await look(root, id, read, planned.get(id) ?? null, kinById.get(id) ?? [], memory));
  }
  const byId = new Map(views.map((view) => [view.id, view]));
  const strays = kin.filter(({ workstream, ofLiveWorker }) => !byId.has(workstream) && !ofLiveWorker);
  return {
    root,
    plan,
    held: isHeld(root, plan),
    views,
    byId,
    lacking: await lackingIn(plan),
    strays,
    bystanders,
  };
}

/** What a worker that this process started would lack. */
async function lackingIn(plan: FrozenPlan | null): Promise<Map<string, Reason>> {
  const lacking = new Map<string, Reason>();
  if (plan === null) return lacking;
  const environment = readWorkerEnvironment(plan.options);
  for (const workstream of plan.workstreams) {
    const { id, env } = workstream;
    const reason = lackOf(plan.options, environment, env, process.env);
    if (reason !== null) lacking.set(id, reason);
    else if (asksForContainment(plan.options, workstream)) {
      const choice = await chooseContainment(plan.options, workstream);
      if (!choice.ok) lacking.set(id, choice.reason);
    }
  }
  return lacking;
}

/** What is known of each worker, for finding what it started. */
function tracesOf(root: string, reads: ReadonlyMap<string, RecordRead>): WorkerTrace[] {
  return [...reads].map(([id, read]) => traceOf(root, id, read.kind === 'record' ? read.record : null));
}

export function traceOf(root: string, id: string, record: StatusRecord | null): WorkerTrace {
  // The worktree's place follows from the id: a record cannot claim another folder.
  const worktree = worktreePath(root, id);
  const nobody = { pid: null, identity: null, toolSession: null, lastSignAt: null };
  if (record === null) return { id, worktree, ...nobody };
  const beat = readHeartbeat(root, id);
  // Who settles a record writes it too, perhaps a night later: only what its worker wrote is a sign of its life.
  const signs = [
    ...(isWritersOwn(record) ? [record.last_update] : []),
    ...(beat === null ? [] : [beat.mtimeMs / 1000]),
  ];
  const lastSignAt = signs.length === 0 ? null : Math.max(...signs);
  const { pid, identity, tool_session: toolSession } = record;
  return { id, pid, identity, toolSession, worktree, lastSignAt };
}

/** True where the worker itself, or who launched it, wrote the record last. */
function isWritersOwn(record: StatusRecord): boolean {
  return isAliveState(record) || record.status === 'completed' || record.status === 'failed';
}

/** Whether the worker that a record names lives; null where it names none. */
export async function livenessOf(record: StatusRecord): Promise<Liveness | null> {
  if (!isAliveState(record)) return null;
  const verdict = await judge(record.pid, record.identity);
  return verdict === 'same' ? 'alive' : verdict;
}

/**
 * A worker has its last word before it dies: what was read while it lived is read again once it is dead. Else one that
 * completed in between would look crashed, and its slot go to another before its dependents are ready.
 */
async function withLastWord(
  root: string,
  id: string,
  read: RecordRead,
): Promise<{ read: RecordRead; liveness: Liveness | null }> {
  const liveness = read.kind === 'record' ? await livenessOf(read.record) : null;
  if (liveness !== 'dead') return { read, liveness };
  const again = readRecord(root, id);
  return { read: again, liveness: again.kind === 'record' ? await livenessOf(again.record) : null };
}

async function look(
  root: string,
  id: string,
  first: RecordRead,
  planned: PlannedWorkstream | null,
  kin: Kin[],
  memory: Memory,
): Promise<View> {
  const { read, liveness } = await withLastWord(root, id, first);
  const record = read.kind === 'record' ? read.record : null;
  const beat = readHeartbeat(root, id);
  const asked = record !== null && isStopAsked(root, id, record);
  const worker = kin.find(({ proof }) => proof === 'worker') ?? null;
  const foreign = read.kind === 'foreign' ? await lookAtForeign(root, id, read.record) : null;
  const state =
    record === null ? read.kind : `${record.run} ${record.attempt} ${record.status} ${record.restarts}`;
  return {
    id,
    read,
    planned,
    liveness,
    rebooted: record?.identity != null && record.identity.boot_id !== (await origin()).boot_id,
    launcherGone: record !== null && (await isLauncherGone(record)),
    liveWorker: worker === null ? null : { pid: worker.pid, token: worker.token },
    leftovers: kin.filter(({ ofLiveWorker }) => !ofLiveWorker),
    stopAskedMs: asked ? heldSince(memory, `stop ${id}`, state) : null,
    heartbeatAgeSeconds: beat === null ? null : Math.max(0, (Date.now() - beat.mtimeMs) / 1000),
    awakeMs: awakeMs(id, beat, state, memory),
    sinceMs: heldSince(memory, `state ${id}`, state),
    foreignEnd: foreign?.end ?? null,
    stale: record === null ? (foreign?.stale ?? []) : staleFiles(root, id, record, worker !== null),
  };
}

/** True if whoever started the worker of a `starting` record is proved dead; false where that is not known. */
export async function isLauncherGone(record: StatusRecord): Promise<boolean> {
  if (record.status !== 'starting' || record.launcher === null) return false;
  const { pid, start_time } = record.launcher;
  // Same machine, boot and namespace as its child.
  const identity = { ...record.identity, start_time, session: null, token: '' };
  return (await judge(pid, identity)) === 'dead';
}

/** True if a person asked for the attempt of `record` to stop. */
export function isStopAsked(root: string, id: string, record: StatusRecord): boolean {
  return meansAttempt(readStop(root, id), leaseOf(record), record.started_at);
}

function awakeMs(id: string, beat: Heartbeat | null, state: string, memory: Memory): number {
  const quietMs = heldSince(memory, `beat ${id}`, `${state} ${beat?.mtimeMs}`);
  return (beat?.awakeSeconds ?? 0) * 1000 + quietMs;
}

/** Files beside a record whose worker is not there any more. */
function staleFiles(root: string, id: string, record: StatusRecord, workerLives: boolean): StaleFile[] {
  if (workerLives || isAliveState(record)) return [];
  const files: StaleFile[] = [];
  const pid = readPid(pidPath(root, id));
  if (pid !== null)
    files.push({ path: pidPath(root, id), why: `no worker of ${id} lives (it names pid ${pid.pid})` });
  if (readHeartbeat(root, id) !== null)
    files.push({ path: heartbeatPath(root, id), why: `no worker of ${id} lives` });
  const stop = readStop(root, id);
  const isOver = record.status !== 'crashed' && record.status !== 'pending';
  if (stop !== null && (isOver || !isStopAsked(root, id, record))) {
    files.push({ path: stopPath(root, id), why: `the attempt that it means is over` });
  }
  return files;
}
