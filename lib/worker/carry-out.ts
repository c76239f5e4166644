import { failpoint } from '../failpoint.ts';
import { treeOf } from '../git/commit.ts';
import { excludeUntracked, restoreTracked } from '../git/tidy.ts';
import type { Reason } from '../protocol/status.ts';
import { audit } from '../store/events.ts';
import type { Attempt } from './attempt.ts';
import { type Bench, progressOf } from './bench.ts';
import { headNow } from './check.ts';
import { type Conclusion, quote, retryHint } from './conclusion.ts';
import { doTask } from './do-task.ts';
import { earlierChecks, lastFinished } from './earlier-checks.ts';
import { tellOf } from './moved-refs.ts';
import { prepare } from './prepare.ts';
import { runShell } from './shell.ts';
import { sideReason } from './side-reason.ts';
import { verify } from './verify.ts';

/** Does what is left of a workstream: worktree, setup, tasks with a checkpoint after each, acceptance tests. */
export async function carryOut(attempt: Attempt, fresh: boolean): Promise<Conclusion> {
  const { root, plan, workstream, reporter, number } = attempt;
  await reporter.progress({ current_task: 'preparing the worktree' });
  const prepared = await prepare(root, plan, workstream, number, fresh, tellOf(attempt));
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
  const { base, head } = prepared;
  attempt.excluded.push(...prepared.excluded);
  const bench: Bench = {
    attempt,
    worktree: prepared.path,
    base,
    state: prepared.checkpoint,
    barred: new Map(),
    runs: new Map(),
    limits: new Map(),
  };
  const checks = await earlierChecks(bench);
  await reporter.progress({ base, head, fresh: false, progress: progressOf(bench), checks });
  return (await setUp(attempt, prepared.path)) ?? (await doTasks(bench)) ?? (await conclude(bench));
}

/** The tasks that have no checkpoint, and the tests of each step; null once all are done. */
async function doTasks(bench: Bench): Promise<Conclusion | null> {
  const { life, workstream } = bench.attempt;
  const lastDone = lastFinished(bench);
  for (const [index, { digest }] of workstream.tasks.entries()) {
    if (life.interruption() !== null) return { status: 'interrupted' };
    const finished = bench.state.done.includes(digest);
    const ended = finished ? null : await doTask(bench, index);
    if (ended !== null) return ended;
    // The tests of a step may have been cut off after its last checkpoint: those of the last finished one run again.
    if (finished && index !== lastDone) continue;
    for (const group of workstream.checks) {
      if (group.step === null || group.afterTask !== index + 1) continue;
      const failure = await verify(bench, group);
      if (failure !== null) return failure;
    }
  }
  return null;
}

/** Runs `setup`; what it leaves untracked is kept out of every commit. */
async function setUp(attempt: Attempt, worktree: string): Promise<Conclusion | null> {
  const { workstream, reporter } = attempt;
  for (const run of workstream.setup) {
    await reporter.progress({ current_task: `setup: ${run}` });
    process.stdout.write(`orch: setup: ${run}\n`);
    failpoint('worker.setup.before');
    const ended = await runShell(attempt, run, worktree);
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

async function conclude(bench: Bench): Promise<Conclusion> {
  const { attempt } = bench;
  for (const group of attempt.workstream.checks.filter(({ step }) => step === null)) {
    if (attempt.life.interruption() !== null) return { status: 'interrupted' };
    const failure = await verify(bench, group);
    if (failure !== null) return failure;
  }
  const head = headNow(attempt);
  const verified = attempt.reporter.record().checks.some(({ passed }) => passed === true);
  const outside = await sideReason(attempt);
  if (verified) return { status: 'completed', head, reason: outside };
  if (await isUnchanged(bench, head)) return nothingDone(attempt, outside);
  const hint = 'Give it an acceptance test `{run: "…"}` to be sure.';
  const more = outside === null ? '' : `; ${outside.code}: ${outside.message}`;
  const message = `no acceptance test that is a command passed${more}`;
  return { status: 'completed', head, reason: { code: 'unverified', message, hint } };
}

/** True where agents were asked for changes and the files are those of the base. */
async function isUnchanged({ attempt, base }: Bench, head: string): Promise<boolean> {
  if (attempt.workstream.tasks.every(({ kind }) => kind === 'run')) return false;
  return (await treeOf(attempt.root, head)) === (await treeOf(attempt.root, base));
}

function nothingDone(attempt: Attempt, outside: Reason | null): Conclusion {
  const more = outside === null ? '' : `; ${outside.message}`;
  const message = `no task changed anything, and no acceptance test that is a command says that this is right${more}`;
  const hint = `Look at \`orch logs ${attempt.workstream.id}\` for what the tools said; reword the tasks, or give it an acceptance test \`{run: "…"}\`.`;
  return { status: 'failed', exitCode: 1, signal: null, reason: { code: 'no_change', message, hint } };
}
