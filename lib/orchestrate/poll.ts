import { errnoOf, messageOf, OrchError } from '../errors.ts';
import { isFrozen } from '../process/system.ts';
import { type Usage, usageOf } from '../process/usage.ts';
import { DEFAULT_OPTIONS, type FrozenPlan, type PlannedWorkstream } from '../protocol/plan.ts';
import { isHeldBack, type Reason } from '../protocol/status.ts';
import { readPlan } from '../store/plans.ts';
import { listRecordIds, type RecordRead, readRecord } from '../store/records.ts';
import { currentOrchestrator } from '../store/role.ts';
import { isHeld } from '../store/signs.ts';
import { LAUNCH_LEFT, type Setting, verdictOf, type WorkstreamStatus } from './verdict.ts';

/** What `orch status --json` prints. */
export type StatusList = {
  schema: 'orch.status-list/1';
  root: string;
  /** Unix seconds. */
  at: number;
  orchestrator: { pid: number; alive: boolean | null; mode: 'attached' | 'detached' } | null;
  /** `total`, and how many there are of each verdict that occurs. */
  summary: { total: number; [verdict: string]: number };
  workstreams: WorkstreamStatus[];
  /** Files beside the records that could not be read, and an orchestrator that is stopped; absent where there are none. */
  faults?: Reason[];
};

/** Reasons of workstreams that are not final and yet go nowhere until a person acts. */
export const HOLDS = [
  'held',
  'not_planned',
  'dependency_unknown',
  'environment',
  'containment',
  'spawn_failed',
] as const;

const STALE_LEAST_SECONDS = 15;
const LOOKS = 3;

/** The ids that a plan or a record names: in plan order, then by name. */
export function knownIds(root: string): string[] {
  return inOrder(root, readPlanOr(root, []));
}

function inOrder(root: string, plan: FrozenPlan | null): string[] {
  const planned = new Set(plan?.workstreams.map(({ id }) => id));
  return [...planned, ...listRecordIds(root).filter((id) => !planned.has(id))];
}

/**
 * One look at all workstreams, or at those of `ids` that are known. Writes nothing and signals nobody; liveness is
 * judged record by record. With `usage`, CPU and memory of the live ones. With `current`, and no `ids`, what is left
 * of earlier plans is passed over.
 */
export async function pollStatus(
  root: string,
  options: { ids?: readonly string[]; usage?: boolean; current?: boolean } = {},
): Promise<StatusList> {
  const faults: Reason[] = [];
  const plan = readPlanOr(root, faults);
  const planned = new Map(plan?.workstreams.map((workstream) => [workstream.id, workstream]));
  const { restart, heartbeatMs } = plan?.options ?? DEFAULT_OPTIONS;
  const setting = {
    restartLimit: restart,
    staleSeconds: Math.max((3 * heartbeatMs) / 1000, STALE_LEAST_SECONDS),
    run: plan?.run ?? null,
  };
  const byId = new Map<string, WorkstreamStatus>();
  for (const id of inOrder(root, plan)) {
    const status = await look(root, id, planned.get(id) ?? null, setting);
    if (status !== null) byId.set(id, status);
  }
  // With a plan that cannot be read nobody can tell what waits for what.
  if (faults.length === 0) explainHolds(byId, planned, isHeld(root, plan));
  const asked = options.ids === undefined || options.ids.length === 0 ? null : new Set(options.ids);
  const workstreams = [...byId.values()].filter((status) =>
    asked === null
      ? options.current !== true || plan === null || isCurrent(status)
      : asked.has(status.workstream),
  );
  if (options.usage === true) await addUsage(workstreams);
  const orchestrator = await orchestratorOr(root, faults);
  const at = Date.now() / 1000;
  const summary = countVerdicts(workstreams);
  const list: StatusList = { schema: 'orch.status-list/1', root, at, orchestrator, summary, workstreams };
  return faults.length === 0 ? list : { ...list, faults };
}

/** In the plan in force, or at work, or nobody can tell; foreign workers have no plan. */
function isCurrent({ planned, alive, ...status }: WorkstreamStatus): boolean {
  return planned || alive !== false || !('schema' in status);
}

/** Null for a record that was removed between the listing and the look. */
async function look(
  root: string,
  id: string,
  planned: PlannedWorkstream | null,
  setting: Setting,
): Promise<WorkstreamStatus | null> {
  for (let looks = 1; ; looks += 1) {
    const read = readRecord(root, id);
    if (read.kind === 'missing' && planned === null) return null;
    const status = await verdictOf(root, id, read, planned, setting);
    status.planned = planned !== null;
    if (status.evidence === null || looks === LOOKS) return status;
    // A worker may have had its last word and ended after we read its record: that is no crash.
    if (versionOf(readRecord(root, id)) === versionOf(read)) return status;
  }
}

function versionOf(read: RecordRead): string {
  if (read.kind !== 'record' && read.kind !== 'foreign') return read.kind;
  const { status, last_update } = read.record;
  return `${read.kind} ${status} ${last_update} ${read.mtimeMs}`;
}

/** Says why what is not final waits for a person: the same cases in which an orchestrator resigns. */
function explainHolds(
  byId: ReadonlyMap<string, WorkstreamStatus>,
  planned: ReadonlyMap<string, PlannedWorkstream>,
  held: boolean,
): void {
  const culpritOf = (id: string, seen: Set<string>): string | null => {
    for (const dependency of planned.get(id)?.depends_on ?? []) {
      if (seen.has(dependency)) continue;
      seen.add(dependency);
      const status = byId.get(dependency);
      if (status === undefined) continue;
      // What a foreign worker made has no commit to start from.
      const isForeign = !('schema' in status) && status.status !== 'missing';
      if (status.verdict === 'unknown' || isForeign || isHeldBack(status)) return dependency;
      const further = culpritOf(dependency, seen);
      if (further !== null) return further;
    }
    return null;
  };
  for (const status of byId.values()) {
    const { workstream: id } = status;
    if (status.final) continue;
    const isWaiting = status.status === 'pending' || status.status === 'crashed';
    if (!isLaunchLeft(status) && (!isWaiting || status.verdict !== status.status)) continue;
    if (held) {
      const hint = 'The next `orch launch` or `orch retry` lifts it.';
      status.reason = { code: 'held', message: '`orch stop --all` forbids launches', hint };
    } else if (!planned.has(id)) {
      const hint = '`orch launch` with a plan that has it takes it up again.';
      status.reason = { code: 'not_planned', message: 'the plan in force does not have it', hint };
    } else {
      const culprit = culpritOf(id, new Set());
      if (culprit === null) continue;
      const lack = byId.get(culprit);
      const cause = lack !== undefined && isHeldBack(lack) ? lack.reason : null;
      if (cause !== null) {
        status.reason = { ...cause, message: `it waits for ${culprit}: ${cause.message}` };
        continue;
      }
      const hint = `If you know that it is gone, \`orch stop ${culprit} --presume-dead\` settles it.`;
      status.reason = {
        code: 'dependency_unknown',
        message: `it waits for ${culprit}, which cannot be judged`,
        hint,
      };
    }
  }
}

const isLaunchLeft = ({ planned, reason }: WorkstreamStatus): boolean =>
  planned && reason?.code === LAUNCH_LEFT;

async function addUsage(workstreams: readonly WorkstreamStatus[]): Promise<void> {
  const pids = workstreams.flatMap(({ alive, pid }) => (alive === true && pid !== null ? [pid] : []));
  let usage: Map<number, Usage>;
  try {
    usage = await usageOf(pids);
  } catch (error) {
    // It informs, and a look that fails must not hide the states.
    if (error instanceof OrchError || errnoOf(error) !== null) return;
    throw error;
  }
  for (const status of workstreams) {
    const used = status.alive === true && status.pid !== null ? usage.get(status.pid) : undefined;
    if (used === undefined) continue;
    status.cpu_percent = Math.round(used.cpuPercent * 10) / 10;
    status.memory_bytes = Math.round(used.memoryBytes);
  }
}

function countVerdicts(workstreams: readonly WorkstreamStatus[]): StatusList['summary'] {
  const summary: StatusList['summary'] = { total: workstreams.length };
  for (const { verdict } of workstreams) summary[verdict] = (summary[verdict] ?? 0) + 1;
  return summary;
}

function asFault(error: unknown): Reason {
  if (!(error instanceof OrchError)) throw error;
  return { code: error.code.toLowerCase(), message: messageOf(error), hint: error.hint };
}

/** A plan that cannot be read costs the order, not the sight of the records. */
function readPlanOr(root: string, faults: Reason[]): FrozenPlan | null {
  try {
    return readPlan(root);
  } catch (error) {
    faults.push(asFault(error));
    return null;
  }
}

/** It lives, so nobody may take its place: only a person knows why it was stopped. */
function frozenOrchestrator(pid: number): Reason {
  const message = `the orchestrator (pid ${pid}) is stopped by a signal: nothing is launched or settled meanwhile`;
  const hint = `\`kill -CONT ${pid}\` lets it go on; \`kill -KILL ${pid}\` and then \`orch reattach\` replaces it.`;
  return { code: 'frozen', message, hint };
}

async function orchestratorOr(root: string, faults: Reason[]): Promise<StatusList['orchestrator']> {
  try {
    const current = await currentOrchestrator(root);
    if (current === null) return null;
    const { pid, alive, mode } = current;
    if (alive === true && (await isFrozen(pid))) faults.push(frozenOrchestrator(pid));
    return { pid, alive, mode };
  } catch (error) {
    faults.push(asFault(error));
    return null;
  }
}
