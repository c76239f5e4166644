import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { orchestratorLogPath, pidPath } from '../protocol/layout.ts';
import type { FrozenPlan } from '../protocol/plan.ts';
import { isAliveState, isHeldBack, type StatusRecord } from '../protocol/status.ts';
import { readRecord } from '../store/records.ts';
import { currentOrchestrator } from '../store/role.ts';
import { readPid } from '../store/signs.ts';

const BOUND_MS = 30_000;
const LOOK_MS = 50;
/** At the bound, none begun for so long means that none can; else they only take their time. */
const STANDSTILL_MS = 10_000;

/** True for what this launch starts or adopts; what had completed before keeps the run it completed in. */
export function isOfRun(record: StatusRecord, plan: FrozenPlan): boolean {
  return record.run === plan.run || isAliveState(record);
}

/** Those that may begin at once: their dependencies are done, and nothing holds them back. */
function readyIds(plan: FrozenPlan, records: readonly StatusRecord[]): string[] {
  const idsOf = (some: readonly StatusRecord[]): Set<string> =>
    new Set(some.map(({ workstream }) => workstream));
  const done = idsOf(records.filter((record) => !isOfRun(record, plan)));
  const held = idsOf(records.filter(isHeldBack));
  return plan.workstreams
    .filter(({ id, depends_on }) => !done.has(id) && depends_on.every((dependency) => done.has(dependency)))
    .map(({ id }) => id)
    .filter((id) => !held.has(id));
}

/** A live worker writes its PID file next after its record, if it can; who launched may read it at once. */
function isSigned(root: string, { status, workstream, pid, current_task }: StatusRecord): boolean {
  return status !== 'running' || current_task !== null || readPid(pidPath(root, workstream))?.pid === pid;
}

type First = { records: StatusRecord[]; enough: boolean; late: string[] };

/**
 * The records once as many have reported as may begin at once; not `enough` at the bound, or if nobody goes on.
 * `late`: those that should have begun by then, while nothing does.
 */
export async function waitForFirst(root: string, plan: FrozenPlan): Promise<First> {
  const bound = performance.now() + BOUND_MS;
  let last = { count: 0, at: performance.now() };
  for (;;) {
    // First: where it has resigned, what is read after that is how all ended.
    const orchestrator = await currentOrchestrator(root);
    failpoint('cli.first-reports.look');
    const records = plan.workstreams
      .map(({ id }) => readRecord(root, id))
      .flatMap((read) => (read.kind === 'record' ? [read.record] : []));
    const begun = records.filter(
      (record) =>
        isOfRun(record, plan) &&
        !['pending', 'blocked', 'starting'].includes(record.status) &&
        isSigned(root, record),
    );
    const ready = readyIds(plan, records);
    const most = Math.min(plan.options.maxParallel, ready.length);
    if (begun.length >= most) return { records, enough: true, late: [] };
    if (begun.length > last.count) last = { count: begun.length, at: performance.now() };
    if (orchestrator?.alive === false && orchestrator.ended_at === null) {
      const hint = `Look at ${orchestratorLogPath(root)}, then run \`orch reattach\`.`;
      throw new OrchError(
        'START_FAILED',
        `the background orchestrator (pid ${orchestrator.pid}) ended at once`,
        { hint },
      );
    }
    const isOver = orchestrator !== null && orchestrator.ended_at !== null;
    if (isOver || performance.now() > bound) {
      const isStill = isOver || performance.now() - last.at > STANDSTILL_MS;
      const late = ready.filter(
        (id) => !records.some((one) => one.workstream === id && one.status !== 'pending'),
      );
      return { records, enough: false, late: isStill ? late.slice(0, most - begun.length) : [] };
    }
    await sleep(LOOK_MS);
  }
}
