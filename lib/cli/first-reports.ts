import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../errors.ts';
import { orchestratorLogPath, pidPath } from '../protocol/layout.ts';
import type { FrozenPlan } from '../protocol/plan.ts';
import { isAliveState, type StatusRecord } from '../protocol/status.ts';
import { escapeControls, jsonLine } from '../protocol/text.ts';
import { readRecord } from '../store/records.ts';
import { currentOrchestrator } from '../store/role.ts';
import { readPid } from '../store/signs.ts';

const BOUND_MS = 30_000;
const LOOK_MS = 50;

/** Waits until the first workers have passed the gate and reported, and prints them; 1 if one could not start. */
export async function firstReports(
  root: string,
  plan: FrozenPlan,
  output: { json: boolean; quiet: boolean },
): Promise<number> {
  const { records, enough } = await waitForFirst(root, plan);
  const mine = records.filter((record) => isOfRun(record, plan));
  const begun = mine.filter(({ status }) => status !== 'pending' && status !== 'blocked');
  const lacking = mine.filter(lacksEnvironment);
  // With enough of them at work, one that is starting is the next in turn.
  const failed = begun.filter(({ status }) => status === 'crashed' || (status === 'starting' && !enough));
  if (output.json) {
    const workstreams = [...begun, ...lacking].map((record) => ({
      workstream: record.workstream,
      status: record.status,
      pid: record.pid,
      worktree: record.worktree,
      branch: record.branch,
      attempt: record.attempt,
      reason: record.reason,
    }));
    process.stdout.write(jsonLine({ schema: 'orch.launch/1', run: plan.run, workstreams }));
  } else if (!output.quiet) {
    for (const { workstream, status, pid, worktree } of begun) {
      process.stdout.write(`${workstream}  ${status}${pid === null ? '' : `  pid ${pid}`}  ${worktree}\n`);
    }
    tellLacking(lacking);
    const waiting = mine.length - begun.length - lacking.length;
    const kept = records.length - mine.length;
    if (kept > 0) process.stdout.write(`${kept} had completed before and are kept.\n`);
    if (waiting > 0)
      process.stdout.write(`${waiting} more ${waiting === 1 ? 'waits for its' : 'wait for their'} turn.\n`);
    process.stdout.write('You may close this terminal. `orch status` polls, `orch reattach` watches.\n');
  }
  return failed.length + lacking.length > 0 ? 1 : 0;
}

/** Held back by what its environment lacks. */
function lacksEnvironment({ status, reason }: StatusRecord): boolean {
  return status === 'pending' && reason?.code === 'environment';
}

/** One message a reason: a missing key holds all of a plan back. */
function tellLacking(lacking: readonly StatusRecord[]): void {
  const messages = new Map(lacking.map(({ reason }) => [reason?.message ?? '', reason?.hint ?? null]));
  for (const [message, hint] of messages) {
    const ids = lacking
      .filter(({ reason }) => reason?.message === message)
      .map(({ workstream }) => workstream);
    const names = `${ids.slice(0, 10).join(', ')}${ids.length > 10 ? ', …' : ''}`;
    const more = hint === null ? '' : `\n${escapeControls(hint)}`;
    process.stderr.write(`orch: ${names} pending: ${escapeControls(message)}${more}\n`);
  }
}

/** True for what this launch starts or adopts; what had completed before keeps the run it completed in. */
function isOfRun(record: StatusRecord, plan: FrozenPlan): boolean {
  return record.run === plan.run || isAliveState(record);
}

/** How many may begin at once: those whose dependencies are done, up to the limit. */
function firstCount(plan: FrozenPlan, records: readonly StatusRecord[]): number {
  const done = new Set(
    records.filter((record) => !isOfRun(record, plan)).map(({ workstream }) => workstream),
  );
  const ready = plan.workstreams.filter(
    ({ id, depends_on }) => !done.has(id) && depends_on.every((dependency) => done.has(dependency)),
  );
  return Math.min(plan.options.maxParallel, ready.length);
}

/** A live worker writes its PID file next after its record, if it can; who launched may read it at once. */
function isSigned(root: string, { status, workstream, pid, current_task }: StatusRecord): boolean {
  return status !== 'running' || current_task !== null || readPid(pidPath(root, workstream))?.pid === pid;
}

/** The records once as many have reported as may begin at once; not `enough` at the bound, or if nobody goes on. */
async function waitForFirst(
  root: string,
  plan: FrozenPlan,
): Promise<{ records: StatusRecord[]; enough: boolean }> {
  const bound = performance.now() + BOUND_MS;
  for (;;) {
    const records = plan.workstreams
      .map(({ id }) => readRecord(root, id))
      .flatMap((read) => (read.kind === 'record' ? [read.record] : []));
    const begun = records.filter(
      (record) =>
        isOfRun(record, plan) &&
        (lacksEnvironment(record) || !['pending', 'blocked', 'starting'].includes(record.status)) &&
        isSigned(root, record),
    );
    if (begun.length >= firstCount(plan, records)) return { records, enough: true };
    const orchestrator = await currentOrchestrator(root);
    if (orchestrator?.alive === false && orchestrator.ended_at === null) {
      const hint = `Look at ${orchestratorLogPath(root)}, then run \`orch reattach\`.`;
      throw new OrchError(
        'START_FAILED',
        `the background orchestrator (pid ${orchestrator.pid}) ended at once`,
        { hint },
      );
    }
    if (orchestrator?.ended_at !== null && orchestrator !== null) return { records, enough: false };
    if (performance.now() > bound) return { records, enough: false };
    await sleep(LOOK_MS);
  }
}
