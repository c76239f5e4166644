import { OrchError } from '../../errors.ts';
import type { StatusList } from '../../orchestrate/poll.ts';
import { planInForce } from '../../store/plans.ts';
import { attend } from '../attend.ts';
import { terminalBell } from '../bell.ts';
import { beginCiReport, type CiReport } from '../ci/report.ts';
import { ensureOrchestrator, untilResigned } from '../ensure-orchestrator.ts';
import { followOnScreen } from '../follow-on-screen.ts';
import { interruptSignal } from '../interrupt.ts';
import { type LaunchArgs, launchOptions, launchRequest } from '../launch-options.ts';
import { freezePlan, type LaunchRequest, launchPlan, showDryRun, startRun } from '../launch-plan.ts';
import { findRoot } from '../root.ts';
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
    const report = beginCiReport(request);
    try {
      if (!args.detached) return await runAttached(request, report);
      // From the start: a launch that has begun is carried to its end, and then nobody watches.
      const signal = args.wait ? interruptSignal() : null;
      const code = await launchPlan(request);
      // One that could not start is no reason to leave the others: the end of all says how it went.
      return signal !== null && !request.dryRun ? await watch(request, report, signal) : code;
    } finally {
      report.close();
    }
  },
};

async function watch(request: LaunchRequest, report: CiReport, signal: AbortSignal): Promise<number> {
  const root = await findRoot(request.root);
  const plan = planInForce(root);
  const ring = terminalBell(plan);
  const tick = async (list: StatusList): Promise<void> => {
    ring(list);
    await report.seen(list);
    await ensureOrchestrator(root, false);
  };
  const { end, list } = await followOnScreen(root, {
    json: request.json,
    quiet: request.quiet,
    ...(request.color === undefined ? {} : { color: request.color }),
    signal,
    tick,
  });
  if (end === 'aborted') {
    if (!request.json) process.stderr.write('orch: stopped watching; the work goes on\n');
    return 130;
  }
  await untilResigned(root, signal);
  ring(list);
  return conclude(list, request, report);
}

/** In CI the end is told by annotations, on the stream where nothing that a text says can be a command. */
async function conclude(list: StatusList, request: LaunchRequest, report: CiReport): Promise<number> {
  const code = tellEnd(list, report.tellsEnd ? { json: true, quiet: true } : request);
  await report.end(list);
  return code;
}

async function runAttached(request: LaunchRequest, report: CiReport): Promise<number> {
  const { root, plan } = await freezePlan(request, 'attached');
  if (request.dryRun) return showDryRun(root, plan, request.json);
  let code = 1;
  await startRun(root, plan, request, async (role) => {
    const ring = terminalBell(plan);
    const tick = async (seen: StatusList): Promise<void> => {
      ring(seen);
      await report.seen(seen);
    };
    const { end, list } = await attend(root, plan, role, { ...request, tick });
    ring(list);
    code = end === 'interrupted' ? 130 : await conclude(list, request, report);
  });
  return code;
}
