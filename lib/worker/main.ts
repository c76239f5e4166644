import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codedFault, EXIT_CODE, messageOf, OrchError } from '../errors.ts';
import { failpoint, playRole } from '../failpoint.ts';
import { killedGitOf } from '../git/run.ts';
import { passGate, watchParent } from '../process/gate.ts';
import { killKin } from '../process/kill.ts';
import { ENV, heartbeatPath, stopPath } from '../protocol/layout.ts';
import { DEFAULT_LOG_LIMITS } from '../protocol/log-parts.ts';
import { hintOfCrash, type Reason } from '../protocol/status.ts';
import type { RecordEvent } from '../protocol/transitions.ts';
import { type Actor, audit, recordHistory } from '../store/events.ts';
import { planInForce, plannedWorkstream, readPlan } from '../store/plans.ts';
import type { Lease } from '../store/records.ts';
import { currentOrchestrator } from '../store/role.ts';
import { removeFile, removePid } from '../store/signs.ts';
import { startSuccessor } from '../store/successor.ts';
import { tolerateLog } from '../store/tolerate-log.ts';
import { isWorkLeft } from '../store/work-left.ts';
import { limitsFor, sandboxFor } from '../tools/choose.ts';
import { makeEnclose } from '../tools/enclose.ts';
import { orchestratorEnvironment } from '../tools/environment.ts';
import { type Attempt, kinOf } from './attempt.ts';
import { beginAttempt } from './begin.ts';
import { carryOut } from './carry-out.ts';
import type { Conclusion } from './conclusion.ts';
import { salvageHalfDone } from './half-done.ts';
import { beginLife, type Interruption, type Life } from './life.ts';
import { logSizes } from './log.ts';
import { beginNews } from './news.ts';
import { endAtLastMoment, PARENT_LOST_REASON } from './parent-lost.ts';
import { makeReporter } from './report.ts';
import { keepLogsBounded } from './rotation.ts';

/**
 * The detached program: `node worker.js <id> <attempt> <token>`. It waits at the gate until its record is written,
 * carries out its workstream, writes its last word, and then makes sure that somebody orchestrates what is left.
 */

const PARENT_LOST_GRACE_MS = 4_000;

async function main(): Promise<number> {
  playRole('worker');
  tolerateLog();
  // Before anything else: write-file-atomic and others may swallow a signal that nobody listens to.
  let early: NodeJS.Signals | null = null;
  const onEarly = (signal: NodeJS.Signals): void => {
    early = signal;
  };
  process.on('SIGTERM', onEarly);
  process.on('SIGINT', onEarly);
  if (passGate() === 'closed') return 0;

  const [id = '', attemptText = '', token = ''] = process.argv.slice(2);
  const root = process.env[ENV.root] ?? '';
  const run = process.env[ENV.run] ?? '';
  const number = Number(attemptText);
  const lease: Lease = { run, attempt: number, token };
  const actor: Actor = { role: `worker:${id}:${number}`, pid: process.pid };
  const plan = readPlan(root);
  const workstream = plannedWorkstream(plan, id);
  if (plan === null || workstream === null) {
    throw new OrchError('NO_WORKSTREAM', `the frozen plan has no workstream ${id}`);
  }
  const begun = await beginAttempt(root, id, lease, actor);
  if (begun === null) throw new OrchError('LEASE_LOST', `${id} is not this worker's to run`);
  failpoint('worker.life.begun');

  const timeoutMs = workstream.timeoutMs ?? plan.options.timeoutMs;
  const { heartbeatMs } = plan.options;
  const startedAt = begun.started_at ?? 0;
  const life = beginLife(root, id, lease, { heartbeatMs, timeoutMs, startedAt });
  if (early !== null) life.interrupt({ cause: 'terminated', signal: early });
  const isAttached = begun.mode === 'attached';
  const onParentLost = (): void => life.interrupt({ cause: 'parent_lost' });
  if (isAttached) watchParent(onParentLost);
  const news = isAttached ? beginNews(onParentLost) : null;
  news?.record(begun);
  const logs = keepLogsBounded(root, id, plan.options.logs ?? DEFAULT_LOG_LIMITS, actor);
  const sizes = logSizes();
  recordHistory(root, id, {
    entry: 'attempt',
    attempt: number,
    run,
    pid: process.pid,
    log: sizes.out,
    err: sizes.err,
  });
  process.stdout.write(`orch: ${id}, attempt ${number}, pid ${process.pid}, ${new Date().toISOString()}\n`);

  const onLost = (): void => life.interrupt({ cause: 'lease_lost' });
  const reporter = makeReporter(root, begun, lease, actor, onLost, news?.record);
  const attempt: Attempt = {
    root,
    run,
    number,
    token,
    actor,
    plan,
    workstream,
    life,
    reporter,
    excluded: [],
    enclose: makeEnclose({
      mark: { root, workstream: id, attempt: number, token },
      text: begun.containment,
      limits: limitsFor(plan.options, workstream),
      sandbox: sandboxFor(plan.options, workstream),
      envFile: plan.options.envFile,
    }),
  };
  onParentLoss(life, () => void endAtLastMoment(attempt, () => endOf(life.interruption(), attempt)));
  const fresh = begun.fresh;
  const event = await lastWord(attempt, fresh);
  life.end();
  if (event === null) return EXIT_CODE.LEASE_LOST;
  failpoint('worker.rest.end');
  await endWhatIsLeft(attempt);
  await logs.end();
  failpoint('worker.word.before');
  await reporter.end(event);
  failpoint('worker.word.after');
  process.stdout.write(`orch: ${id}: ${reporter.record().status}\n`);
  removeSigns(attempt);
  failpoint('worker.signs.removed');
  if (begun.mode === 'detached') await passOn(root, actor);
  return reporter.record().status === 'completed' ? 0 : 1;
}

/** Calls `act` once the parent is lost, also if that was before. */
function onParentLoss({ parentLost }: Life, act: () => void): void {
  if (parentLost.aborted) act();
  else parentLost.addEventListener('abort', act, { once: true });
}

/** Takes its small files away. Where that fails they are stale, and whoever orchestrates removes them. */
function removeSigns({ root, workstream, life }: Attempt): void {
  try {
    removePid(root, workstream.id, process.pid);
    removeFile(heartbeatPath(root, workstream.id));
    if (life.interruption()?.cause === 'stop') removeFile(stopPath(root, workstream.id));
  } catch (error) {
    process.stderr.write(`orch: ${messageOf(error)}\n`);
  }
}

type LastWord = Extract<RecordEvent, { type: 'end' | 'complete' }>;

/** Does the work and says how it ended; null where the record is not ours any more. */
async function lastWord(attempt: Attempt, fresh: boolean): Promise<LastWord | null> {
  let conclusion: Conclusion;
  try {
    conclusion = await carryOut(attempt, fresh);
  } catch (error) {
    const interruption = attempt.life.interruption();
    if (interruption?.cause === 'lease_lost') return null;
    if (interruption === null) return ended(attempt, killed(error, attempt) ?? failure(error));
    // The interruption is the reason; what failed under it may be why.
    process.stderr.write(`${stackOf(error)}\n`);
    conclusion = { status: 'interrupted' };
  }
  if (conclusion.status === 'interrupted') return interrupted(attempt, attempt.life);
  if (conclusion.status === 'completed')
    return { type: 'complete', head: conclusion.head, reason: conclusion.reason };
  // Whatever interrupted it may be what made its tool fail: a shutdown signals both, in any order.
  if (attempt.life.interruption() !== null) return interrupted(attempt, attempt.life);
  const { status, exitCode, signal, reason } = conclusion;
  return ended(attempt, { type: 'end', status, exitCode, signal, reason });
}

/** Nobody may ever retry it: commits beside the branch must not hang on a reflog until somebody does. */
async function ended(attempt: Attempt, word: LastWord): Promise<LastWord> {
  await salvageHalfDone(attempt);
  return word;
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** Where somebody ended its git, it is no worse than one who was ended: it may be started again. */
function killed(thrown: unknown, { reporter, plan }: Attempt): LastWord | null {
  const error = killedGitOf(thrown);
  if (error === null) return null;
  process.stderr.write(`${stackOf(thrown)}\n`);
  const hint = hintOfCrash(reporter.record(), plan.options.restart);
  const reason: Reason = { code: 'terminated', message: error.message, hint };
  return { type: 'end', status: 'crashed', exitCode: null, signal: error.signal, reason };
}

function failure(thrown: unknown): LastWord {
  process.stderr.write(`${stackOf(thrown)}\n`);
  const error = codedFault(thrown);
  const coded = error instanceof OrchError;
  const hint = coded
    ? error.hint
    : 'This is a fault of orch; the stack is in the log (`orch logs --stderr`).';
  const reason: Reason = {
    code: coded ? error.code.toLowerCase() : 'internal',
    message: messageOf(error),
    hint,
  };
  return { type: 'end', status: 'failed', exitCode: coded ? 1 : EXIT_CODE.INTERNAL, signal: null, reason };
}

/** Half-done edits go to a salvage ref; they are never checkpointed. */
async function interrupted(attempt: Attempt, life: Life): Promise<LastWord | null> {
  const interruption = life.interruption();
  if (interruption?.cause === 'lease_lost') return null;
  const kept = await salvageHalfDone(attempt);
  const end = endOf(interruption, attempt);
  const message =
    kept === null ? end.reason.message : `${end.reason.message}; half-done edits are in ${kept.slice(0, 12)}`;
  return { ...end, reason: { ...end.reason, message } };
}

function endOf(interruption: Interruption | null, attempt: Attempt): Extract<LastWord, { type: 'end' }> {
  const end = { type: 'end', exitCode: null, signal: null } as const;
  const again = `\`orch retry ${attempt.workstream.id}\` goes on from the last checkpoint.`;
  const crash = hintOfCrash(attempt.reporter.record(), attempt.plan.options.restart);
  switch (interruption?.cause) {
    case 'stop':
      return {
        ...end,
        status: 'stopped',
        reason: { code: 'stopped', message: 'a person stopped it', hint: again },
      };
    case 'timeout': {
      const reason = { code: 'timeout', message: 'the workstream ran longer than its time', hint: again };
      return { ...end, status: 'timed_out', reason };
    }
    case 'parent_lost':
      return { ...end, status: 'crashed', reason: PARENT_LOST_REASON };
    case 'terminated': {
      const { signal } = interruption;
      const reason = { code: 'terminated', message: `${signal} from somebody else than orch`, hint: crash };
      return { ...end, status: 'crashed', signal, reason };
    }
    default:
      throw new OrchError('INTERNAL', `interrupted without a cause: ${JSON.stringify(interruption)}`);
  }
}

/** Ends every process that this attempt started and that still runs, servers of `setup` included. */
async function endWhatIsLeft(attempt: Attempt): Promise<void> {
  const { root, actor, plan, workstream } = attempt;
  const graceMs = attempt.life.parentLost.aborted ? 0 : Math.min(plan.options.stopGraceMs, 2_000);
  const { left } = await killKin(() => kinOf(attempt), {
    graceMs,
    boundMs: graceMs + PARENT_LOST_GRACE_MS,
    onSignal: (kin, signal) => {
      const why = `left over when its worker ended: ${kin.command}`;
      audit(root, actor, { event: 'signal', workstream: workstream.id, why, signal, pid: kin.pid });
    },
  });
  for (const kin of left) process.stderr.write(`orch: pid ${kin.pid} would not end: ${kin.command}\n`);
}

/** Starts another orchestrator where work is left and nobody lives to give it out. */
async function passOn(root: string, actor: Actor): Promise<void> {
  // Read again: a launch may have written another plan meanwhile, and died before it had an orchestrator.
  if (!isWorkLeft(root, planInForce(root)) || (await currentOrchestrator(root))?.alive === true) return;
  failpoint('worker.successor.before');
  const script = join(dirname(realpathSync(process.argv[1] ?? '')), 'orch.js');
  const env = orchestratorEnvironment(process.env);
  const pid = await startSuccessor(root, actor, { script, env });
  audit(root, actor, { event: 'spawn', workstream: null, why: 'nobody orchestrated and work was left', pid });
  failpoint('worker.successor.after');
}

main().then(
  (code) => {
    process.exit(code);
  },
  (error: unknown) => {
    process.stderr.write(`orch: ${stackOf(error)}\n`);
    process.exit(error instanceof OrchError ? EXIT_CODE[error.code] : EXIT_CODE.INTERNAL);
  },
);
