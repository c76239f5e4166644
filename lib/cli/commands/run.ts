import { OrchError } from '../../errors.ts';
import { attend } from '../attend.ts';
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
    if (!args.detached) return runAttached(request);
    const code = await launchPlan(request);
    return args.wait && !request.dryRun && code === 0 ? watch(request) : code;
  },
};

async function watch(request: LaunchRequest): Promise<number> {
  const root = await findRoot(request.root);
  const signal = interruptSignal();
  const tick = (): Promise<void> => ensureOrchestrator(root, false);
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
  return tellEnd(list, request);
}

async function runAttached(request: LaunchRequest): Promise<number> {
  const { root, plan } = await freezePlan(request, 'attached');
  if (request.dryRun) return showDryRun(root, plan, request.json);
  let code = 1;
  await startRun(root, plan, request.fresh, async (role) => {
    const { end, list } = await attend(root, plan, role, request);
    code = end === 'interrupted' ? 130 : tellEnd(list, request);
  });
  return code;
}
