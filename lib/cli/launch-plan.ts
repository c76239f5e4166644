import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { OrchError } from '../errors.ts';
import { builtFile } from '../executors/launch.ts';
import { FOREIGN_WORKTREE_HINT, findWorktree } from '../git/admin.ts';
import { branchFaults } from '../git/branches.ts';
import {
  commonDirOf,
  hasTrackedChanges,
  openRepository,
  resolveCommit,
  trackedUnder,
} from '../git/repository.ts';
import { applyJoinings, type Joining, join, withJoinings } from '../orchestrate/join.ts';
import { PERMISSIONS, pass, throwFault } from '../orchestrate/loop.ts';
import { newMemory } from '../orchestrate/observe.ts';
import { recordOf, type View } from '../orchestrate/world.ts';
import { wavesOf } from '../plan/graph.ts';
import { startOrchestrator } from '../process/background.ts';
import { logoutFate } from '../process/logout.ts';
import {
  branchOf,
  ENV,
  holdPath,
  orchestratorLogPath,
  STATE_FOLDERS,
  worktreePath,
} from '../protocol/layout.ts';
import {
  DEFAULT_OPTIONS,
  type FrozenPlan,
  type PlannedWorkstream,
  type PlanOptions,
  taskText,
} from '../protocol/plan.ts';
import { isSuccess } from '../protocol/status.ts';
import { escapeControls, jsonLine } from '../protocol/text.ts';
import { type Actor, audit } from '../store/events.ts';
import { makeFolders, refuseTracked } from '../store/folders.ts';
import { writePlan } from '../store/plans.ts';
import { readRecord } from '../store/records.ts';
import type { Role } from '../store/role.ts';
import { markOfHold, removeFile } from '../store/signs.ts';
import { asksForContainment, chooseContainment, limitsFor } from '../tools/choose.ts';
import { orchestratorEnvironment } from '../tools/environment.ts';
import { toolsFor } from '../tools/registry.ts';
import { configOf } from './config.ts';
import { firstReports } from './first-reports.ts';
import { observeWithoutLeavers, takeRoleSoon } from './leaving.ts';
import { logoutRisk } from './logout-risk.ts';
import { planForLaunch } from './plan-for-launch.ts';
import { warn } from './warn.ts';

export type LaunchRequest = {
  root: string | undefined;
  plan: string[];
  only: string[];
  skip: string[];
  workstreams?: string | undefined;
  base: string;
  fresh: boolean;
  dryRun: boolean;
  allowDirty: boolean;
  json: boolean;
  quiet: boolean;
  /** `--no-color`; absent: as the terminal is. */
  color?: boolean;
  /** Given on the command line; over them nothing, under them the config and the defaults. */
  options: Partial<PlanOptions>;
};

/** Everything from a plan on paper to workers that have begun: exit code 0, or 1 if one could not start. */
export async function launchPlan(request: LaunchRequest): Promise<number> {
  const { root, plan } = await freezePlan(request, 'detached');
  if (request.dryRun) return showDryRun(root, plan, request.json);
  const fate = logoutFate();
  await startRun(root, plan, request, async (role) => {
    await startOrchestrator({
      script: builtFile('orch.js'),
      root,
      env: orchestratorEnvironment(process.env),
      logPath: orchestratorLogPath(root),
      beforeOpen: (pid) => role.bequeath(pid),
    });
  });
  const risk = logoutRisk(await fate);
  if (risk !== null) warn({ code: 'logout', message: risk.found, hint: risk.hint }, request.json);
  return firstReports(root, plan, request);
}

/** Reads and checks everything that can be checked; nothing is written, but for a real launch the folders. */
export async function freezePlan(
  request: LaunchRequest,
  mode: 'attached' | 'detached',
): Promise<{ root: string; plan: FrozenPlan }> {
  const { root } = await openRepository(request.root ?? process.env[ENV.root] ?? '.');
  const { plan: files, only, skip, workstreams: folder, dryRun } = request;
  const config = await configOf(root);
  const options = { ...DEFAULT_OPTIONS, ...config.options, ...request.options };
  const { acceptancePrograms: programs } = config;
  const workstreams = await planForLaunch(root, {
    plan: files,
    only,
    skip,
    workstreams: folder,
    tool: options.tool,
    programs,
    config: options,
    json: request.json,
  });
  const base = await resolveCommit(root, request.base);
  if (!dryRun) {
    await refuseUncontained(options, workstreams, request.json);
    await refuseDirty(root, request.allowDirty);
    refuseTracked(await trackedUnder(root, STATE_FOLDERS));
    makeFolders(root);
  }
  const plan: FrozenPlan = {
    schema: 'orch.plan-frozen/1',
    run: randomUUID(),
    created_at: Date.now() / 1000,
    base,
    mode,
    options,
    workstreams,
  };
  return { root, plan };
}

/**
 * Freezes the plan and joins it with what is there, then goes on with `next`, all while holding the role. Killed
 * on the way: a plan that says what of it is not done yet, which any orchestrator makes up for.
 */
export async function startRun(
  root: string,
  plan: FrozenPlan,
  { fresh, json }: Pick<LaunchRequest, 'fresh' | 'json'>,
  next: (role: Role) => Promise<void>,
): Promise<void> {
  const actor: Actor = { role: 'launch', pid: process.pid };
  const role = await takeRoleSoon(root, actor);
  try {
    const lifts = markOfHold(root);
    // First settle what died, so that nobody is adopted who is not there.
    const options = { root, permissions: PERMISSIONS.repair, mode: plan.mode, actor, memory: newMemory() };
    throwFault((await pass(options)).done);
    const world = await observeWithoutLeavers(root, 'all');
    const joinings = join(world, plan.workstreams, fresh);
    await refuseTakenBranches(root, joinings);
    await refuseTakenWorktrees(root, joinings);
    warnOfOthers(
      world.views.filter((view) => isLeftBehind(view, joinings)).map(({ id }) => id),
      json,
    );
    await writePlan(root, { ...withJoinings(plan, joinings), lifts });
    await applyJoinings(world, plan, joinings, actor);
    // Not one that a person has given since.
    if (lifts !== null && markOfHold(root) === lifts && removeFile(holdPath(root)))
      audit(root, actor, { event: 'hold', workstream: null, why: 'lifted by a launch' });
    await next(role);
  } finally {
    await role.release();
  }
}

async function refuseTakenBranches(root: string, joinings: readonly Joining[]): Promise<void> {
  const ids = joinings.map(({ id }) => id);
  const [fault] = await branchFaults(root, ids, (id) => readRecord(root, id).kind === 'record');
  if (fault !== undefined) throw new OrchError('BRANCH_TAKEN', fault.message, { hint: fault.hint });
}

/** Planned until now, not in the new plan, and not finished. */
function isLeftBehind(view: View, joinings: readonly Joining[]): boolean {
  const record = recordOf(view);
  return (
    view.planned !== null &&
    record !== null &&
    !isSuccess(record) &&
    !joinings.some(({ id }) => id === view.id)
  );
}

/** Found out now, and not by a worker in the night. */
async function refuseTakenWorktrees(root: string, joinings: readonly Joining[]): Promise<void> {
  const begun = joinings.filter(({ how, id }) => how !== 'adopt' && existsSync(worktreePath(root, id)));
  if (begun.length === 0) return;
  const commonDir = await commonDirOf(root);
  for (const { id } of begun) {
    const found = await findWorktree(root, commonDir, id);
    if (found.kind === 'foreign')
      throw new OrchError('WORKTREE_TAKEN', found.why, { hint: FOREIGN_WORKTREE_HINT });
  }
}

function warnOfOthers(ids: readonly string[], json: boolean): void {
  if (ids.length === 0) return;
  const names = `${ids.slice(0, 10).join(', ')}${ids.length > 10 ? ', …' : ''}`;
  const message = `the plan before had ${names}; they stay as they are and do not go on`;
  warn({ code: 'left_behind', message, hint: null }, json);
}

/** What a person asked for is given or refused, before anything is launched. */
async function refuseUncontained(
  options: PlanOptions,
  workstreams: readonly PlannedWorkstream[],
  json: boolean,
): Promise<void> {
  const warnings = new Set<string>();
  for (const workstream of workstreams) {
    if (!asksForContainment(options, workstream) && limitsFor(options, workstream) === null) continue;
    const choice = await chooseContainment(options, workstream);
    if (!choice.ok) {
      const { message, hint } = choice.reason;
      throw new OrchError('NO_CONTAINMENT', `${workstream.id}: ${message}`, { hint: hint ?? '' });
    }
    if (choice.unenforced !== null) warnings.add(`limits are not enforced: ${choice.unenforced}`);
  }
  for (const message of warnings) warn({ code: 'not_enforced', message, hint: null }, json);
}

async function refuseDirty(root: string, allowed: boolean): Promise<void> {
  if (allowed) return;
  const changed = await hasTrackedChanges(root);
  if (changed.length === 0) return;
  const names = `${changed.slice(0, 3).map(escapeControls).join(', ')}${changed.length > 3 ? `, … (${changed.length})` : ''}`;
  const hint = 'The workstreams would not see them. Commit or stash them, or add --allow-dirty.';
  throw new OrchError('DIRTY_CHECKOUT', `there are uncommitted changes: ${names}`, { hint });
}

export function showDryRun(root: string, plan: FrozenPlan, json: boolean): number {
  const { workstreams, base, options } = plan;
  const waves = wavesOf(workstreams);
  if (json) {
    const list = workstreams.map(({ id, tasks, depends_on }) => ({
      workstream: id,
      branch: branchOf(id),
      worktree: worktreePath(root, id),
      depends_on,
      tasks: tasks.map(taskText),
    }));
    process.stdout.write(jsonLine({ schema: 'orch.dry-run/1', base, options, waves, workstreams: list }));
    return 0;
  }
  process.stdout.write(`Base ${base}. Nothing is touched; a launch would do this:\n`);
  for (const [index, wave] of waves.entries()) {
    process.stdout.write(`\nWave ${index + 1}\n`);
    for (const id of wave) {
      const workstream = workstreams.find((one) => one.id === id);
      const worktree = escapeControls(worktreePath(root, id));
      process.stdout.write(`  ${id}  git worktree add ${worktree} ${branchOf(id)}\n`);
      for (const task of workstream?.tasks ?? []) {
        const tools = toolsFor(task, workstream?.tool ?? null, options.tool).join(', else ');
        const by = task.kind === 'prompt' ? `  by ${escapeControls(tools)}` : '';
        // JSON leaves C1 controls, DEL and bidi marks as they are.
        process.stdout.write(`    ${escapeControls(JSON.stringify(taskText(task)))}${by}\n`);
      }
    }
  }
  return 0;
}
