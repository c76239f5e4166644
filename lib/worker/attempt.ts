import { identify } from '../process/identity.ts';
import { findKin, type Kin } from '../process/kin.ts';
import { DEFAULT_OPTIONS, type FrozenPlan, type PlannedWorkstream } from '../protocol/plan.ts';
import type { ToolSettings } from '../protocol/tools.ts';
import { type Actor, audit } from '../store/events.ts';
import type { Enclose } from '../tools/enclose.ts';
import { agentEnvironment, commandEnvironment, type Marks } from '../tools/environment.ts';
import type { Supervision } from '../tools/supervise.ts';
import type { Life } from './life.ts';
import type { Reporter } from './report.ts';

/** Everything that one attempt of a workstream is made of. */
export type Attempt = {
  root: string;
  run: string;
  number: number;
  token: string;
  actor: Actor;
  plan: FrozenPlan;
  workstream: PlannedWorkstream;
  life: Life;
  reporter: Reporter;
  /** Paths in the worktree that enter no commit: copied files and what `setup` made. */
  excluded: string[];
  /** Puts what the plan runs into what contains it. */
  enclose: Enclose;
};

/** The environment of the commands of a plan. */
export function environmentOf(attempt: Attempt): Record<string, string> {
  return commandEnvironment(marksIn(attempt), attempt.workstream.env);
}

/** The environment of an agent, with the keys that the worker has. */
export function agentEnvironmentOf(attempt: Attempt, settings: ToolSettings): Record<string, string> {
  return agentEnvironment(marksIn(attempt), attempt.workstream.env, settings.env);
}

function marksIn({ root, run, number, token, workstream }: Attempt): Marks {
  return { root, run, workstream: workstream.id, attempt: number, token };
}

const LOST_GRACE_MS = 1_000;

/** How a command of this attempt is watched, with at most `timeoutMs` of time. */
export function supervisionOf(attempt: Attempt, timeoutMs: number): Supervision {
  const { root, plan, life, actor, workstream } = attempt;
  return {
    timeoutMs,
    stallMs: plan.options.stallTimeoutMs,
    // Asked when a kill begins: an attached worker that has lost its parent has 5 s for all that is to be done.
    get graceMs() {
      return life.parentLost.aborted ? LOST_GRACE_MS : plan.options.stopGraceMs / 2;
    },
    stop: life.stop,
    enclose: attempt.enclose,
    kin: () => kinOf(attempt),
    onStart: (pid) => noteSession(attempt, pid),
    onSignal: (kin, signal) => {
      const why = `left by a tool of this worker (${kin.proof}): ${kin.command}`;
      audit(root, actor, { event: 'signal', workstream: workstream.id, why, signal, pid: kin.pid });
    },
  };
}

/** The live processes of this attempt, the worker itself left out. */
export async function kinOf(attempt: Attempt): Promise<Kin[]> {
  const { pid, identity, tool_session: toolSession, worktree } = attempt.reporter.record();
  const { id } = attempt.workstream;
  const trace = { id, pid, identity, toolSession, worktree, lastSignAt: Date.now() / 1000 };
  const { kin } = await findKin(attempt.root, [trace]);
  const isOurs = ({ workstream, token }: Kin): boolean =>
    workstream === id && (token ?? attempt.token) === attempt.token;
  return kin.filter((one) => isOurs(one) && one.proof !== 'worker');
}

/** Writes down the session of a command that was just started. */
async function noteSession(attempt: Attempt, pid: number): Promise<void> {
  const identity = await identify(pid, attempt.token);
  if (identity === null) return;
  await attempt.reporter.progress({ tool_session: { pid, start_time: identity.start_time } });
}

/** The time that a task may take: its own, the workstream's, the run's, the built-in bound. */
export function taskTimeoutMs(attempt: Attempt, own: number | null): number {
  const { plan, workstream } = attempt;
  return own ?? workstream.taskTimeoutMs ?? plan.options.taskTimeoutMs ?? DEFAULT_OPTIONS.taskTimeoutMs;
}
