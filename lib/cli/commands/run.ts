import { OrchError } from '../../errors.ts';
import { orchestrate, PERMISSIONS } from '../../orchestrate/loop.ts';
import { newMemory } from '../../orchestrate/observe.ts';
import type { FrozenPlan } from '../../protocol/plan.ts';
import { isAliveState } from '../../protocol/status.ts';
import type { Actor } from '../../store/events.ts';
import { readRecord } from '../../store/records.ts';
import type { Role } from '../../store/role.ts';
import { ensureOrchestrator, untilResigned } from '../ensure-orchestrator.ts';
import { followUntilFinal } from '../follow.ts';
import { interruptSignal } from '../interrupt.ts';
import { type LaunchArgs, launchOptions, launchRequest } from '../launch-options.ts';
import { freezePlan, type LaunchRequest, launchPlan, showDryRun, startRun } from '../launch-plan.ts';
import { findRoot } from '../root.ts';
import { stopWorkstream } from '../stop-workstream.ts';
import { tellEnd } from '../tell-end.ts';
import type { Verb } from '../verb.ts';

type Args = LaunchArgs & { detached: boolean; wait: boolean };

/** `orch run`: this process orchestrates, its workers are its children. */
export const verb: Verb<Args> = {
  command: 'run [plan..]',
  describe: 'Run workstreams as children of this process, with live progress',
  builder: (yargs) =>
    launchOptions(yargs)
      .option('detached', { type: 'boolean', default: false, describe: 'As `orch launch`' })
      .option('wait', { type: 'boolean', default: false, describe: 'With --detached: watch until the end' })
      .example('$0 run', 'Ctrl+C stops the workers at the next safe point, twice at once')
      .example('$0 run --detached --wait', 'outlives this terminal; Ctrl+C only stops watching') as never,
  handle: async (args) => {
    const request = launchRequest(args);
    if (args.wait && !args.detached) {
      throw new OrchError('USAGE', '--wait goes with --detached', { hint: 'A plain run waits by itself.' });
    }
    if (!args.detached) return runAttached(request);
    const code = await launchPlan(request);
    return args.wait && !request.dryRun && code === 0 ? watch(request) : code;
  },
};

async function watch(request: LaunchRequest): Promise<number> {
  const root = await findRoot(request.root);
  const signal = interruptSignal();
  const tick = (): Promise<void> => ensureOrchestrator(root, false);
  const { end, list } = await followUntilFinal(root, {
    json: request.json,
    quiet: request.quiet,
    signal,
    tick,
  });
  if (end === 'aborted') {
    if (!request.json) process.stderr.write('orch: stopped watching; the work goes on\n');
    return 130;
  }
  await untilResigned(root, signal);
  return tellEnd(list, request);
}

async function runAttached(request: LaunchRequest): Promise<number> {
  const { root, plan } = await freezePlan(request, 'attached');
  if (request.dryRun) return showDryRun(root, plan, request.json);
  let code = 1;
  await startRun(root, plan, request.fresh, async (role) => {
    code = await attend(root, plan, role, request);
  });
  return code;
}

/** Orchestrates and shows progress until all is final, or until Ctrl+C has stopped the workers. */
async function attend(root: string, plan: FrozenPlan, role: Role, output: LaunchRequest): Promise<number> {
  const actor: Actor = { role: 'run', pid: process.pid };
  const leave = new AbortController();
  const stopped = onInterrupt(root, plan, actor, leave);
  const loop = orchestrate(
    { root, permissions: PERMISSIONS.orchestrate, mode: 'attached', actor, memory: newMemory() },
    role,
    leave.signal,
  );
  const ids = plan.workstreams.map(({ id }) => id);
  const { json, quiet } = output;
  const shown = followUntilFinal(root, { ids, json, quiet, signal: leave.signal });
  // Whichever fails ends the other.
  const fail = (error: unknown): never => {
    leave.abort();
    throw error;
  };
  const [followed] = await Promise.all([shown.catch(fail), loop.catch(fail)]);
  if (stopped.asked) {
    // Once more: one may have been on its way when the others were stopped.
    await stopped.stopAll();
    await role.resign();
    return 130;
  }
  return tellEnd(followed.list, output);
}

type Interruption = { asked: boolean; stopAll: () => Promise<void> };

/** The first Ctrl+C stops the workers within the grace, a second one at once; both are a person's word. */
function onInterrupt(root: string, plan: FrozenPlan, actor: Actor, leave: AbortController): Interruption {
  const running: Promise<void>[] = [];
  const stopLive = async (graceMs: number): Promise<void> => {
    const live = plan.workstreams.filter(({ id }) => {
      const read = readRecord(root, id);
      return read.kind === 'record' && isAliveState(read.record);
    });
    await Promise.all(live.map(({ id }) => stopWorkstream(root, id, { graceMs, presumeDead: false, actor })));
  };
  const stopAll = async (): Promise<void> => {
    await Promise.all(running);
    await stopLive(plan.options.stopGraceMs);
  };
  const state: Interruption = { asked: false, stopAll };
  process.on('SIGINT', () => {
    const graceMs = state.asked ? 0 : plan.options.stopGraceMs;
    if (!state.asked) {
      process.stderr.write('orch: stopping at the next safe point; Ctrl+C again stops at once\n');
    }
    state.asked = true;
    // Nothing is launched any more from here on.
    leave.abort();
    const stopping = stopLive(graceMs);
    // Its failure is met where all are awaited.
    stopping.catch(() => undefined);
    running.push(stopping);
  });
  return state;
}
