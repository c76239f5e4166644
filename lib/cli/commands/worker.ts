import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { errnoOf, OrchError } from '../../errors.ts';
import { launchWorker } from '../../executors/launch.ts';
import { openRepository, resolveCommit, trackedUnder } from '../../git/repository.ts';
import { applyJoinings, join } from '../../orchestrate/join.ts';
import { PERMISSIONS, pass, throwFault } from '../../orchestrate/loop.ts';
import { newMemory } from '../../orchestrate/observe.ts';
import { pollStatus } from '../../orchestrate/poll.ts';
import { leftToBegin } from '../../protocol/anew.ts';
import { ENV, STATE_FOLDERS, worktreePath } from '../../protocol/layout.ts';
import { DEFAULT_OPTIONS, type FrozenPlan } from '../../protocol/plan.ts';
import type { Actor } from '../../store/events.ts';
import { makeFolders, refuseTracked } from '../../store/folders.ts';
import { plannedWorkstream, readPlan, writePlan } from '../../store/plans.ts';
import { leaseOf, readRecord } from '../../store/records.ts';
import { configOf } from '../config.ts';
import { tellChange } from '../follow.ts';
import { interruptSignal } from '../interrupt.ts';
import { observeWithoutLeavers, takeRoleSoon } from '../leaving.ts';
import type { GlobalOptions } from '../options.ts';
import { planForLaunch, type Selection } from '../plan-for-launch.ts';
import { stopWorkstream } from '../stop-workstream.ts';
import { tailLogs } from '../tail-logs.ts';
import type { Verb } from '../verb.ts';

type Args = { workstream: string; worktree?: string | undefined; plan?: string[] | undefined };

const STOP_GRACE_MS = 10_000;

/** `orch worker`: one worker in the foreground, for debugging. It stops within 5 s of losing this process. */
export const verb: Verb<Args> = {
  command: 'worker [plan..]',
  describe: 'Carry out one workstream in the foreground, for debugging',
  builder: (yargs) =>
    yargs
      .positional('plan', {
        type: 'string',
        array: true,
        describe: 'Where its plan is, if nothing was launched yet',
      })
      .option('workstream', { type: 'string', demandOption: true, describe: 'Its id' })
      .option('worktree', { type: 'string', describe: 'Its worktree; always .worktrees/<id>' })
      .example('$0 worker --workstream WS-001', 'see what it does')
      .example(
        '$0 worker --workstream WS-001 plans/night.yaml',
        'of a plan that was not launched yet',
      ) as never,
  handle: async (args) => {
    const { root } = await openRepository(args.root ?? process.env[ENV.root] ?? '.');
    const id = args.workstream;
    refuseOtherWorktree(root, id, args.worktree);
    const actor: Actor = { role: 'worker-command', pid: process.pid };
    refuseTracked(await trackedUnder(root, STATE_FOLDERS));
    makeFolders(root);
    const role = await takeRoleSoon(root, actor);
    try {
      const memory = newMemory();
      const repair = await pass({ root, permissions: PERMISSIONS.repair, mode: 'attached', actor, memory });
      throwFault(repair.done);
      await queue(root, id, { plan: args.plan ?? [], json: args.json }, actor);
      return await carryOut(root, id, args, actor);
    } finally {
      await role.release();
    }
  },
};

function refuseOtherWorktree(root: string, id: string, worktree: string | undefined): void {
  if (worktree === undefined) return;
  const own = worktreePath(root, id);
  const named = resolve(worktree);
  const above = realPath(resolve(worktree, '..', '..'));
  if (named === own || (above !== null && worktreePath(above, id) === own)) return;
  const hint = `Leave --worktree away, or give ${own}.`;
  throw new OrchError('USAGE', `the worktree of ${id} is ${own}, not ${named}`, { hint });
}

/** Null where a path leads nowhere, for whatever reason: then it does not lead to the worktree. */
function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** Where the plan on paper is, and whether what is odd about it is told as JSON. */
type Paper = Pick<Selection, 'plan' | 'json'>;

/** Makes the workstream pending: of the frozen plan, or where there is none, of the plan on paper. */
async function queue(root: string, id: string, paper: Paper, actor: Actor): Promise<void> {
  const frozen = readPlan(root);
  const plan = plannedWorkstream(frozen, id) === null ? await freeze(root, id, paper, frozen) : frozen;
  const planned = plannedWorkstream(plan, id);
  if (plan === null || planned === null)
    throw new OrchError('NO_WORKSTREAM', `the plan has no workstream ${id}`);
  const world = await observeWithoutLeavers(root, [id]);
  const read = world.byId.get(id)?.read;
  const isLeft = read?.kind === 'record' && leftToBegin(plan.run, planned, read.record) !== null;
  if (read?.kind === 'record' && read.record.status === 'pending' && !isLeft) return;
  // Only this one: what else is in the plan is not looked at.
  const [joining] = join({ ...world, views: [] }, [planned], false);
  if (joining === undefined || joining.how === 'adopt') {
    throw new OrchError('BUSY', `${id} is at work already`, { hint: 'Look at it with `orch logs -f`.' });
  }
  if (joining.how === 'keep') {
    throw new OrchError('BUSY', `${id} is completed already`, {
      hint: 'Start it over with `orch launch --fresh --only`.',
    });
  }
  await applyJoinings(world, plan, [joining], actor);
}

async function freeze(
  root: string,
  id: string,
  paper: Paper,
  frozen: FrozenPlan | null,
): Promise<FrozenPlan> {
  const config = await configOf(root);
  const options = frozen?.options ?? { ...DEFAULT_OPTIONS, ...config.options };
  const { acceptancePrograms: programs } = config;
  const selection = { ...paper, only: [id], skip: [], tool: options.tool, programs, config: options };
  const workstreams = await planForLaunch(root, selection);
  const base = await resolveCommit(root, 'HEAD');
  const earlier = frozen?.workstreams ?? [];
  const plan: FrozenPlan = {
    schema: 'orch.plan-frozen/1',
    run: frozen?.run ?? crypto.randomUUID(),
    created_at: Date.now() / 1000,
    base: frozen?.base ?? base,
    mode: 'attached',
    options,
    workstreams: [...earlier, ...workstreams],
  };
  await writePlan(root, plan);
  return plan;
}

async function carryOut(root: string, id: string, output: GlobalOptions, actor: Actor): Promise<number> {
  const read = readRecord(root, id);
  if (read.kind !== 'record') throw new OrchError('NO_WORKSTREAM', `${id} has no record`);
  const signal = interruptSignal();
  const tail = tailLogs(root, id, output);
  try {
    const launched = await launchWorker(root, id, leaseOf(read.record), 'attached', actor);
    if (!launched.ok) throw new OrchError('BUSY', `${id} was not started: ${launched.why}`);
    signal.addEventListener('abort', () => {
      void stopWorkstream(root, id, { graceMs: STOP_GRACE_MS, presumeDead: false, actor });
    });
    // The child does not keep this process alive by itself.
    const alive = setInterval(() => undefined, 1_000);
    await launched.child.exited;
    clearInterval(alive);
    await launched.child.abandon();
  } finally {
    // Else it would keep this process alive for ever.
    await tail.end();
  }
  const last = readRecord(root, id);
  const status = last.kind === 'record' ? last.record.status : last.kind;
  if (!output.json) process.stderr.write(`orch: ${id} ${status}\n`);
  else {
    const { at, workstreams } = await pollStatus(root, { ids: [id] });
    for (const one of workstreams) tellChange(one, at, output);
  }
  if (signal.aborted) return 130;
  return status === 'completed' ? 0 : 1;
}
