import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Finished, isAlive, type Rig, signal, until } from './repository.ts';

/** Tasks that note each of their runs outside of the repository, and what must hold for all of them. */

const TOOLS = join(import.meta.dirname, '../fixtures/tools');

export const tool = (name: string): string => join(TOOLS, name);
/** A coding agent of the fixtures. */
export const agent = (name: string): string => join(TOOLS, '../agents', name);

/** A workstream of tasks of `step.sh`: `two:go` waits until `release(rig, 'go')`. */
export function stepsOf(id: string, steps: readonly string[], fields: Record<string, unknown> = {}) {
  const tasks = steps.map((step) => ({ run: `sh ${tool('step.sh')} ${step.split(':').join(' ')}` }));
  const last = steps.at(-1)?.split(':')[0];
  return { id, tasks, acceptance_tests: [{ run: `grep -q whole ${last}.txt` }], ...fields };
}

/** Lets the tasks that wait for `name` go on. */
export function release(rig: Rig, name: string): void {
  writeFileSync(join(rig.aside, name), '');
}

/** One execution of a task, in nanoseconds of the wall clock; `end` null: it did not reach its end. */
export type Run = {
  workstream: string;
  task: string;
  attempt: number;
  pid: number;
  start: bigint;
  end: bigint | null;
  /** Whether it had a checkpoint before it began; null where the task does not look. */
  wasDone: boolean | null;
};

/** All executions so far, in the order in which they began. */
export function runsOf(rig: Rig, workstream?: string): Run[] {
  const path = join(rig.aside, 'ledger');
  const runs: Run[] = [];
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const [what, id = '', task = '', attempt, pid, at = '0', done] = line.split(' ');
    const wasDone = done === undefined ? null : Number(done) > 0;
    const run = { workstream: id, task, attempt: Number(attempt), pid: Number(pid), wasDone };
    if (what === 'start') runs.push({ ...run, start: BigInt(at), end: null });
    const begun = runs.findLast((one) => one.pid === run.pid && one.task === task && one.workstream === id);
    if (what === 'end' && begun !== undefined) begun.end = BigInt(at);
  }
  return runs.filter((run) => workstream === undefined || run.workstream === workstream);
}

/** Waits until `task` of a workstream runs, in that attempt. */
export async function untilRuns(rig: Rig, workstream: string, task: string, attempt = 1): Promise<Run> {
  const what = `attempt ${attempt} of ${workstream} to begin ${task}`;
  const find = (): Run | undefined =>
    runsOf(rig, workstream).find((run) => run.task === task && run.attempt === attempt);
  return until(find, { what, boundMs: BOUND_MS });
}

/** The session of a process. */
export function sessionOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
}

/** Waits until a worker has noted the session of that run of its task: it writes nothing more while that waits. */
export async function untilNoted(rig: Rig, { workstream, pid }: Run): Promise<void> {
  const isNoted = (): boolean =>
    rig.read(`.status/${workstream}.json`).includes(`"tool_session":{"pid":${sessionOf(pid)},`);
  await until(isNoted, { what: `${workstream} to note the session of its task`, boundMs: BOUND_MS });
}

/** Long, for machines that are busy with other things: a wait that is in vain is a failure in any case. */
export const BOUND_MS = 60_000;

/** What `orch … --json` printed. */
export function json<T>({ stdout }: Finished): T {
  return JSON.parse(stdout) as T;
}

export type Shown = {
  orchestrator: { pid: number; alive: boolean | null } | null;
  summary: Record<string, number>;
  workstreams: {
    workstream: string;
    status: string;
    verdict: string;
    alive: boolean | null;
    attempt: number;
    progress: string;
    reason: { code: string } | null;
  }[];
};

/** `orch status --json`, which must succeed whatever has died. */
export async function statusOf(rig: Rig, cwd = rig.root): Promise<Shown> {
  const finished = await rig.orch(['status', '--json', '--root', rig.root], { cwd });
  expect(finished).toMatchObject({ code: 0, stderr: '' });
  return json(finished);
}

/** Status, verdict and aliveness of each workstream, by id. */
export function verdictsOf(shown: Shown): Record<string, unknown> {
  const rows = shown.workstreams.map(({ workstream, status, verdict, alive }) => {
    return [workstream, { status, verdict, alive }] as const;
  });
  return Object.fromEntries(rows);
}

/** Kills a process with SIGKILL and waits until it is gone. */
export async function killHard(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1);
  signal(pid, 'SIGKILL');
  await until(() => !isAlive(pid), { what: `${pid} to end` });
}

/** The PID of the orchestrator that is at work now; 0 where there is none. */
export function liveOrchestrator(rig: Rig): number {
  try {
    const pid = rig.pid('_orchestrator');
    return pid > 1 && isAlive(pid) ? pid : 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** The background orchestrator that is at work now. */
export async function orchestratorOf(rig: Rig): Promise<number> {
  return until(() => liveOrchestrator(rig), { what: 'a live orchestrator', boundMs: BOUND_MS });
}

/**
 * Whatever happened before: all is completed; each task has one checkpoint, was never begun again once it had
 * it, and no two attempts overlapped; nothing runs any more, and no file of a live worker is left.
 */
export async function expectAllDone(rig: Rig, ids: readonly string[]): Promise<void> {
  // A worker's last word comes before it takes its small files away.
  await until(() => rig.processes().length === 0, { what: `no process of ${rig.root} to be left` });
  for (const id of ids) {
    expect(rig.record(id)).toMatchObject({ status: 'completed', exit_code: 0, current_task: null });
    expectEachTaskOnce(rig, id);
    expectAttemptsInOrder(rig, id);
    for (const file of [`.pids/${id}.pid`, `.status/${id}.heartbeat`, `.status/${id}.stop`]) {
      expect([file, existsSync(join(rig.root, file))]).toEqual([file, false]);
    }
  }
}

/** One checkpoint a task, all on the branch; no task began again once it had one. */
export function expectEachTaskOnce(rig: Rig, id: string): void {
  const runs = runsOf(rig, id);
  expect(runs.filter(({ wasDone }) => wasDone === true)).toEqual([]);
  const tasks = new Set(runs.map(({ task }) => task));
  for (const task of tasks) expect(runs.findLast((run) => run.task === task)?.end).not.toBeNull();
  const digests = checkpointsOf(rig, id);
  expect(digests).toEqual([...new Set(digests)]);
  expect(digests).toHaveLength(tasks.size);
  expect(rig.git('rev-parse', `refs/orch/checkpoint/${id}`)).toBe(rig.git('rev-parse', `orch/${id}`));
}

/** The digests of the tasks that have a checkpoint on the branch of a workstream. */
export function checkpointsOf(rig: Rig, id: string): string[] {
  const format =
    '%(trailers:key=Orch-Workstream,valueonly,separator=%x2C) %(trailers:key=Orch-Task,valueonly)';
  const lines = rig.git('log', `--format=${format}`, `main..orch/${id}`).split('\n');
  return lines.flatMap((line) => (line.startsWith(`${id} `) ? [line.slice(id.length + 1)] : []));
}

/** Attempts are numbered upwards, and none begins before the one before it has ended, by stamps and by events. */
function expectAttemptsInOrder(rig: Rig, id: string): void {
  const runs = runsOf(rig, id);
  for (const [index, run] of runs.entries()) {
    const before = runs[index - 1];
    if (before === undefined) continue;
    expect(run.attempt).toBeGreaterThanOrEqual(before.attempt);
    // One that was cut off has no end: that its attempt had ended is in the events.
    if (before.end !== null) expect(run.start).toBeGreaterThan(before.end);
  }
  let attempt = 0;
  let isAtWork = false;
  for (const event of rig.events()) {
    if (event['event'] !== 'state' || event['workstream'] !== id) continue;
    if (event['to'] === 'starting') {
      expect(isAtWork).toBe(false);
      expect(event['attempt']).toBeGreaterThan(attempt);
      attempt = Number(event['attempt']);
    }
    isAtWork = event['to'] === 'starting' || event['to'] === 'running';
  }
}

/** The text of a file on the salvage ref of an attempt, or null if it is not there. */
export function salvagedText(rig: Rig, id: string, attempt: number, path: string): string | null {
  const ref = `refs/orch/salvage/${id}/${attempt}`;
  if (rig.git('for-each-ref', ref) === '') return null;
  const listed = rig.git('ls-tree', '--name-only', ref, '--', path);
  return listed === '' ? null : rig.git('show', `${ref}:${path}`);
}
