import { failpoint } from '../failpoint.ts';
import type { CheckpointState } from '../git/chain.ts';
import { excludeUntracked, restoreTracked } from '../git/tidy.ts';
import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { Outcome, Reason, ToolRun } from '../protocol/status.ts';
import { cutText } from '../protocol/text.ts';
import { audit } from '../store/events.ts';
import { adapterNamed, toolsFor } from '../tools/registry.ts';
import { supervise } from '../tools/supervise.ts';
import { type Attempt, environmentOf, supervisionOf, taskTimeoutMs } from './attempt.ts';
import { headNow, runChecks } from './check.ts';
import { logSizes } from './log.ts';
import { prepare } from './prepare.ts';
import { noteRun, saveTask } from './save-task.ts';
import { scopeReason } from './scope.ts';
import { toolRequest } from './tool-request.ts';

/** How the work of an attempt ended, interruptions aside. */
export type Conclusion =
  | { status: 'completed'; head: string; reason: Reason | null }
  | { status: 'failed' | 'timed_out'; exitCode: number | null; signal: string | null; reason: Reason }
  | { status: 'interrupted' };

/** A prompt can fill a page; what came of it stands behind it and must fit in the record too. */
const quote = (text: string): string => JSON.stringify(cutText(text, 80));

const retryHint = ({ id }: { id: string }): string =>
  `Look at \`orch logs ${id}\` (and --stderr), mend it, then run \`orch retry ${id}\`.`;

/** Does what is left of a workstream: worktree, setup, tasks with a checkpoint after each, acceptance tests. */
export async function carryOut(attempt: Attempt, fresh: boolean): Promise<Conclusion> {
  const { root, plan, workstream, reporter, number } = attempt;
  await reporter.progress({ current_task: 'preparing the worktree' });
  const prepared = await prepare(root, plan, workstream, number, fresh);
  failpoint('worker.worktree.ready');
  if (prepared.salvaged !== null) {
    const why = 'what the attempt before left behind';
    audit(root, attempt.actor, {
      event: 'salvage',
      workstream: workstream.id,
      why,
      commit: prepared.salvaged,
    });
  }
  let state = prepared.checkpoint;
  const { base, head } = prepared;
  await reporter.progress({ base, head, fresh: false, progress: progressOf(attempt, state) });
  const failed = await setUp(attempt, prepared.path);
  if (failed !== null) return failed;

  const lastDone = workstream.tasks.findLastIndex(({ digest }) => state.done.includes(digest));
  for (const [index, task] of workstream.tasks.entries()) {
    if (attempt.life.interruption() !== null) return { status: 'interrupted' };
    const finished = state.done.includes(task.digest);
    if (!finished) {
      const done = await doTask(attempt, task, index, prepared.path, state, base);
      if ('status' in done) return done;
      state = done;
    }
    // The tests of a step may have been cut off after its last checkpoint: those of the last finished one run again.
    if (!finished || index === lastDone) {
      const failure = await stepChecks(attempt, index + 1, prepared.path);
      if (failure !== null) return failure;
    }
  }
  return conclude(attempt, state, prepared.path);
}

function progressOf(attempt: Attempt, state: CheckpointState): string {
  const { tasks } = attempt.workstream;
  return `${tasks.filter(({ digest }) => state.done.includes(digest)).length}/${tasks.length}`;
}

/** Runs `setup`; what it leaves untracked is kept out of every commit. */
async function setUp(attempt: Attempt, worktree: string): Promise<Conclusion | null> {
  const { workstream, reporter } = attempt;
  attempt.excluded.push(...workstream.copy);
  for (const run of workstream.setup) {
    await reporter.progress({ current_task: `setup: ${run}` });
    process.stdout.write(`orch: setup: ${run}\n`);
    failpoint('worker.setup.before');
    const supervision = supervisionOf(attempt, taskTimeoutMs(attempt, null));
    const ended = await supervise(
      '/bin/sh',
      ['-c', run],
      { cwd: worktree, env: environmentOf(attempt) },
      supervision,
    );
    if (ended.how === 'killed') return { status: 'interrupted' };
    if (ended.exitCode !== 0) {
      const { exitCode, signal } = ended;
      const status = ended.how === 'timeout' || ended.how === 'stalled' ? 'timed_out' : 'failed';
      const reason = {
        code: 'setup_failed',
        message: `setup ${quote(run)}: ${ended.message}`,
        hint: retryHint(attempt.workstream),
      };
      return { status, exitCode, signal, reason };
    }
  }
  if (workstream.setup.length > 0) {
    failpoint('worker.setup.after');
    attempt.excluded = await excludeUntracked(attempt.root, workstream.id, attempt.excluded);
    const changed = await restoreTracked(attempt.root, workstream.id, attempt.excluded, headNow(attempt));
    if (changed.length > 0) {
      const names = `${changed.slice(0, 10).join(', ')}${changed.length > 10 ? ', …' : ''}`;
      process.stderr.write(`orch: setup changed files that are tracked; they are put back: ${names}\n`);
    }
  }
  return null;
}

/** Runs one task and commits its checkpoint: the next state, or how the workstream ended. */
async function doTask(
  attempt: Attempt,
  task: PlannedTask,
  index: number,
  worktree: string,
  previous: CheckpointState,
  base: string,
): Promise<CheckpointState | Conclusion> {
  const { workstream, reporter, plan } = attempt;
  const [tool] = toolsFor(task, workstream.tool, plan.options.tool);
  const adapter = adapterNamed(tool ?? '');
  await reporter.progress({ current_task: taskText(task), tool: tool ?? null });
  if (adapter === null) {
    const hint = 'This version of orch carries out `{run: …}` tasks; agents come next.';
    const reason = { code: 'not_installed', message: `there is no tool ${JSON.stringify(tool)}`, hint };
    return { status: 'failed', exitCode: null, signal: null, reason };
  }
  process.stdout.write(`orch: task ${index + 1}/${workstream.tasks.length}: ${taskText(task)}\n`);
  const before = logSizes();
  const begun = performance.now();
  const supervision = supervisionOf(attempt, taskTimeoutMs(attempt, task.timeoutMs));
  failpoint('worker.tool.before');
  const result = await adapter.run(toolRequest(attempt, task, worktree, supervision));
  failpoint('worker.tool.after');
  const after = logSizes();
  const toolRun: ToolRun = {
    task: index + 1,
    tool: adapter.name,
    outcome: result.outcome,
    seconds: Math.round(performance.now() - begun) / 1000,
    exit_code: result.exitCode,
    tokens: result.usage === null ? null : result.usage.tokensIn + result.usage.tokensOut,
    cost: result.usage?.costUsd ?? null,
    log: [before.out, after.out],
    err: [before.err, after.err],
  };
  if (result.outcome !== 'done' && result.outcome !== 'no_change') {
    await noteRun(attempt, toolRun);
    if (result.outcome === 'killed') return { status: 'interrupted' };
    const { exitCode, signal } = result;
    const message = `task ${index + 1}, ${quote(taskText(task))}: ${result.message}`;
    return {
      status: endOf(result.outcome),
      exitCode,
      signal,
      reason: { code: result.outcome, message, hint: retryHint(attempt.workstream) },
    };
  }
  const { head, state } = await saveTask(attempt, { task, toolRun, worktree, previous, base });
  failpoint('worker.checkpoint.made');
  // The commit is durable before the record names it.
  await reporter.progress({ head, progress: progressOf(attempt, state) });
  failpoint('worker.checkpoint.told');
  return state;
}

const endOf = (outcome: Outcome): 'failed' | 'timed_out' =>
  outcome === 'timeout' || outcome === 'stalled' ? 'timed_out' : 'failed';

async function stepChecks(attempt: Attempt, afterTask: number, worktree: string): Promise<Conclusion | null> {
  const groups = attempt.workstream.checks.filter(
    (group) => group.step !== null && group.afterTask === afterTask,
  );
  for (const group of groups) {
    const failure = await judgeChecks(attempt, group, worktree);
    if (failure !== null) return failure;
  }
  return null;
}

async function judgeChecks(
  attempt: Attempt,
  group: Attempt['workstream']['checks'][number],
  worktree: string,
): Promise<Conclusion | null> {
  const failures = await runChecks(attempt, group, worktree);
  const [first] = failures;
  if (first === undefined) return null;
  if (first.code === 'killed') return { status: 'interrupted' };
  const code = failures.every((failure) => failure.code === 'not_installed')
    ? 'not_installed'
    : 'verify_failed';
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  const message = `acceptance test ${quote(first.text)}: ${first.message}${more}`;
  const outside = attempt.workstream.scope === 'enforce' ? scopeReason(attempt) : null;
  const hint = outside === null ? retryHint(attempt.workstream) : `${outside.message}. ${outside.hint}`;
  return { status: 'failed', exitCode: 1, signal: null, reason: { code, message, hint } };
}

async function conclude(attempt: Attempt, state: CheckpointState, worktree: string): Promise<Conclusion> {
  for (const group of attempt.workstream.checks.filter(({ step }) => step === null)) {
    if (attempt.life.interruption() !== null) return { status: 'interrupted' };
    const failure = await judgeChecks(attempt, group, worktree);
    if (failure !== null) return failure;
  }
  const head = state.tip ?? attempt.reporter.record().head;
  if (head === null) throw new Error(`${attempt.workstream.id} has no head`);
  const verified = attempt.reporter.record().checks.some(({ passed }) => passed === true);
  const outside = scopeReason(attempt);
  if (verified) return { status: 'completed', head, reason: outside };
  const hint = 'Give it an acceptance test `{run: "…"}` to be sure.';
  const more = outside === null ? '' : `; ${outside.code}: ${outside.message}`;
  const message = `no acceptance test that is a command passed${more}`;
  return { status: 'completed', head, reason: { code: 'unverified', message, hint } };
}
