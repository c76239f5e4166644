import { treeOf } from '../git/commit.ts';
import type { CheckGroup } from '../protocol/plan.ts';
import { recordHistory } from '../store/events.ts';
import { fingerprintOf } from '../tools/policy.ts';
import { toolsFor } from '../tools/registry.ts';
import { type Bench, runsOf } from './bench.ts';
import { type CheckFailure, headNow, runChecks } from './check.ts';
import { type Conclusion, quote, retryHint } from './conclusion.ts';
import { runAgents } from './run-agents.ts';
import { whatDidNotCount } from './side-reason.ts';

/**
 * Runs the acceptance tests of a group. Where they fail and an agent did the last prompt task before them, it is told
 * what failed and mends it, and all of the group run again, until they pass or the policy ends it: null where they
 * pass, or how the workstream ended. The repair is a checkpoint of its own: killed anywhere, the next attempt runs the
 * tests of the last checkpoint and goes on from there.
 */
export async function verify(bench: Bench, group: CheckGroup): Promise<Conclusion | null> {
  for (;;) {
    const failures = await runChecks(bench.attempt, group, bench.worktree);
    const [first] = failures;
    if (first === undefined) return null;
    if (first.code === 'killed' || bench.attempt.life.interruption() !== null)
      return { status: 'interrupted' };
    const index = whoseWork(bench, group, failures);
    if (index === null) return await failed(bench, first, failures);
    const conclusion = await repair(bench, index, failures);
    if (conclusion !== null) return conclusion;
  }
}

/** The index of the prompt task whose work is judged, or null where no agent can mend what failed. */
function whoseWork(bench: Bench, group: CheckGroup, failures: readonly CheckFailure[]): number | null {
  // No edit brings a program onto PATH.
  if (failures.some(({ code }) => code === 'not_installed')) return null;
  const before = bench.attempt.workstream.tasks.slice(0, group.afterTask);
  const index = before.findLastIndex(({ kind }) => kind === 'prompt');
  return index === -1 ? null : index;
}

async function failed(
  bench: Bench,
  first: CheckFailure,
  failures: readonly CheckFailure[],
): Promise<Conclusion> {
  const { attempt } = bench;
  const code = failures.every((failure) => failure.code === 'not_installed')
    ? 'not_installed'
    : 'verify_failed';
  const message = textOf(first, failures);
  const outside = await whatDidNotCount(attempt);
  const hint = outside === null ? retryHint(attempt.workstream) : `${outside.message}. ${outside.hint}`;
  return { status: 'failed', exitCode: 1, signal: null, reason: { code, message, hint } };
}

function textOf(first: CheckFailure, failures: readonly CheckFailure[]): string {
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return `acceptance test ${quote(first.text)}: ${first.message}${more}`;
}

/** Has the tool that did the task mend its work: null once the repair is committed. */
async function repair(
  bench: Bench,
  index: number,
  failures: readonly CheckFailure[],
): Promise<Conclusion | null> {
  const { attempt, state } = bench;
  const task = attempt.workstream.tasks[index];
  const [first] = failures;
  if (task === undefined || first === undefined) throw new Error('there is nothing to repair');
  await markFailed(bench, index, failures);
  const number = (state.work.get(task.digest)?.repairs ?? 0) + 1;
  const many = failures.length === 1 ? 'an acceptance test' : `${failures.length} acceptance tests`;
  const feedback = {
    why: `${many} failed on what it left.`,
    failures: failures.map(({ text, message, output }) => ({
      what: text,
      output: `${output}\n[${message}]`,
    })),
  };
  process.stdout.write(`orch: ${textOf(first, failures)}; repair ${number} of task ${index + 1}\n`);
  return runAgents(bench, task, index, { number, feedback, failed: textOf(first, failures) });
}

/** Says of the run whose work was judged that it did not verify: in the record, the history and the policy's view. */
async function markFailed(bench: Bench, index: number, failures: readonly CheckFailure[]): Promise<void> {
  const { attempt, state } = bench;
  const { root, number, workstream, reporter, plan } = attempt;
  const fingerprint = fingerprintOf(failures.map(({ text, output }) => `${text}\n${output}`).join('\n'));
  const tree = await treeOf(root, headNow(attempt));
  const runs = runsOf(bench, index);
  const judged = runs.findLast(({ outcome }) => ACCEPTED.has(outcome));
  if (judged === undefined) {
    const task = workstream.tasks[index];
    const chain = task === undefined ? [] : toolsFor(task, workstream.tool, plan.options.tool);
    const tool = state.work.get(task?.digest ?? '')?.tool ?? chain[0] ?? '';
    runs.push({ tool, outcome: 'verify_failed', fingerprint, tree, isEarlier: true, turn: null });
  } else {
    Object.assign(judged, { outcome: 'verify_failed', fingerprint, tree });
  }
  const tests = failures.map(({ text, message }) => ({ text, message }));
  recordHistory(root, workstream.id, {
    entry: 'verify_failed',
    attempt: number,
    task: index + 1,
    tool: judged?.tool ?? runs.at(-1)?.tool ?? null,
    tree,
    tests,
  });
  const told = reporter.record().tool_runs;
  const at = told.findLastIndex((run) => run.task === index + 1 && ACCEPTED.has(run.outcome));
  if (at === -1) return;
  const tool_runs = told.map((run, place) =>
    place === at ? { ...run, outcome: 'verify_failed' as const } : run,
  );
  await reporter.progress({ tool_runs });
}

const ACCEPTED: ReadonlySet<string> = new Set(['done', 'no_change', 'scope_violation']);
