import { failpoint } from '../failpoint.ts';
import type { PlannedTask } from '../protocol/plan.ts';
import { boundsOf, fingerprintOf, nextStep, type Situation, type Step } from '../tools/policy.ts';
import type { Feedback } from '../tools/prompt.ts';
import { toolsFor } from '../tools/registry.ts';
import { type Bench, type BenchRun, runsOf, type Turn } from './bench.ts';
import type { Conclusion } from './conclusion.ts';
import { commitTask, noteRun } from './save-task.ts';
import { failureOf } from './tool-failure.ts';
import { takeTurn } from './turn.ts';
import { undoTurn } from './undo.ts';
import { heedTurn, limitsFor, pause, waitOut } from './wait-limit.ts';

/** What is wrong with the work of a task that has a checkpoint, and which repair of it this is, from 1. */
export type Repair = { number: number; feedback: Feedback; failed: string };

/**
 * Runs one tool after the other, as `lib/tools/policy.ts` says, until the work of one is accepted and committed: null,
 * or how the workstream ended. What a run left that is not accepted is salvaged and cleaned before the next begins.
 */
export async function runAgents(
  bench: Bench,
  task: PlannedTask,
  index: number,
  repair: Repair | null,
): Promise<Conclusion | null> {
  const { attempt } = bench;
  const runs = runsOf(bench, index);
  /** The last run, until it is written down and its work is saved or undone. */
  let open: BenchRun | null = null;
  for (;;) {
    if (attempt.life.interruption() !== null && open === null) return { status: 'interrupted' };
    const situation = situationOf(bench, task, runs);
    const step = nextStep(situation);
    if (step.step === 'accept') {
      const accepted = runs[step.run];
      if (open !== null && accepted !== open) await close(bench, open);
      await accept(bench, task, accepted?.turn ?? null, { repair, isNoted: accepted !== open });
      return null;
    }
    if (open !== null) {
      await close(bench, open);
      open = null;
    }
    if (step.step === 'interrupted') return { status: 'interrupted' };
    if (step.step === 'fail')
      return failureOf(bench, { task, index, runs, step, failed: repair?.failed ?? null });
    if (step.step === 'wait') {
      await waitOut(bench, step, index);
      continue;
    }
    if (step.step === 'retry' && !(await pause(attempt.life.stop, step.afterMs))) continue;
    tell(step, runs.at(-1));
    const feedback = feedbackOf(step, runs.at(-1), repair);
    const turn = await takeTurn(bench, { task, index, tool: step.tool, feedback });
    open = { ...pastOf(turn), turn };
    runs.push(open);
    if (turn.outcome === 'auth' || turn.outcome === 'not_installed')
      bench.barred.set(step.tool, { outcome: turn.outcome, message: turn.message, hint: turn.hint });
    await heedTurn(bench, turn);
  }
}

function situationOf(bench: Bench, task: PlannedTask, runs: readonly BenchRun[]): Situation {
  const { plan, workstream } = bench.attempt;
  const chain = toolsFor(task, workstream.tool, plan.options.tool);
  const barred = new Map([...bench.barred].map(([tool, { outcome }]) => [tool, outcome]));
  const bounds = boundsOf(workstream.circuit_breaker);
  return { runs, chain, barred, limits: limitsFor(bench, chain), bounds, now: Date.now() / 1000 };
}

type RunStep = Extract<Step, { step: 'retry' | 'retry_with_feedback' | 'next_tool' }>;

function tell({ step, tool }: RunStep, last: BenchRun | undefined): void {
  if (last === undefined) return;
  const { outcome, turn } = last;
  // Of work that failed its tests these are named already; the tool itself ended well. So it did where it changed nothing.
  const endedWell = outcome === 'verify_failed' || outcome === 'no_change';
  const said = endedWell || turn === null || turn.message === '' ? '' : `: ${turn.message}`;
  const why = `${last.tool}: ${outcome}${said}`;
  process.stdout.write(`orch: ${why}; ${step.replaceAll('_', ' ')}: ${tool}\n`);
}

function pastOf({ toolRun, outcome, message }: Turn): BenchRun {
  return { tool: toolRun.tool, outcome, fingerprint: fingerprintOf(message), tree: null, turn: null };
}

/** Writes down a run that is not accepted, and undoes what it left; what an interruption cut off is the worker's. */
async function close(bench: Bench, { turn, outcome }: BenchRun): Promise<void> {
  if (turn === null) return;
  await noteRun(bench.attempt, turn.toolRun, {}, turn);
  failpoint('worker.turn.noted');
  if (outcome === 'killed' || !turn.hasRun) return;
  await undoTurn(bench, `${turn.toolRun.tool} ended with ${outcome} in task ${turn.toolRun.task}`);
}

async function accept(
  bench: Bench,
  task: PlannedTask,
  turn: Turn | null,
  { repair, isNoted }: { repair: Repair | null; isNoted: boolean },
): Promise<void> {
  if (turn === null) throw new Error('a run of an earlier attempt cannot be accepted');
  await commitTask(bench, task, turn.toolRun, { said: turn, repair: repair?.number ?? null, isNoted });
}

/** What the tool is told of the run before. */
function feedbackOf({ step }: RunStep, last: BenchRun | undefined, repair: Repair | null): Feedback | null {
  const why = step === 'retry_with_feedback' ? whyAgain(last) : null;
  const failures = why === null || last?.turn == null ? [] : [{ what: last.tool, output: last.turn.message }];
  if (repair === null) return why === null ? null : { why, failures };
  if (why === null) return repair.feedback;
  return { why: `${repair.feedback.why} Then ${why}`, failures: [...failures, ...repair.feedback.failures] };
}

function whyAgain(last: BenchRun | undefined): string | null {
  switch (last?.outcome) {
    case 'no_change':
      return 'nothing was changed. If nothing needs to change, say so and change nothing.';
    case 'bad_edit':
      return 'the edits that you gave could not be applied; nothing of them was kept.';
    default:
      return null;
  }
}
