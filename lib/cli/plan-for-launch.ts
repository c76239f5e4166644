import { OrchError } from '../errors.ts';
import { formatFault } from '../plan/fault.ts';
import { readPlan } from '../plan/read.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import { isSuccess } from '../protocol/status.ts';
import { readRecord } from '../store/records.ts';
import { adapterNamed, toolsFor } from '../tools/registry.ts';

export type Selection = {
  plan: string[];
  only: string[];
  skip: string[];
  tool: string[] | null;
  /** Words that begin a command, beside those that orch knows. */
  programs: readonly string[];
};

/**
 * The workstreams to launch, read, checked and selected.
 * @throws OrchError PLAN_INVALID with every fault, NO_WORKSTREAM, NO_TOOL.
 */
export async function planForLaunch(root: string, selection: Selection): Promise<PlannedWorkstream[]> {
  const result = await readPlan(root, selection.plan, {
    cwd: process.cwd(),
    extraPrograms: selection.programs,
  });
  for (const warning of result.warnings) process.stderr.write(`orch: warning: ${formatFault(warning)}\n`);
  if (!result.ok) {
    const [first] = result.faults;
    const code =
      result.faults.length === 1 && first?.code === 'not_found' ? 'PLAN_NOT_FOUND' : 'PLAN_INVALID';
    const hint = 'Nothing was launched. Mend the plan and try again.';
    throw new OrchError(code, `the plan has faults\n${result.faults.map(formatFault).join('\n')}`, { hint });
  }
  const workstreams = select(result.workstreams, selection);
  refuseUnmet(root, workstreams);
  refuseUnusable(workstreams, selection.tool);
  return workstreams;
}

function select(all: PlannedWorkstream[], { only, skip }: Selection): PlannedWorkstream[] {
  const known = new Set(all.map(({ id }) => id));
  const unknown = [...only, ...skip].find((id) => !known.has(id));
  if (unknown !== undefined) {
    const hint = `The plan has ${all
      .map(({ id }) => id)
      .slice(0, 20)
      .join(', ')}.`;
    throw new OrchError('NO_WORKSTREAM', `the plan has no workstream ${JSON.stringify(unknown)}`, { hint });
  }
  const chosen = all.filter(({ id }) => (only.length === 0 || only.includes(id)) && !skip.includes(id));
  if (chosen.length === 0)
    throw new OrchError('USAGE', '--only and --skip leave nothing to launch', {
      hint: 'Skip fewer of them.',
    });
  return chosen;
}

/** A dependency outside the selection must have been completed by an earlier run. */
function refuseUnmet(root: string, workstreams: readonly PlannedWorkstream[]): void {
  const ids = new Set(workstreams.map(({ id }) => id));
  for (const { id, depends_on, source } of workstreams) {
    for (const dependency of depends_on) {
      if (ids.has(dependency)) continue;
      const read = readRecord(root, dependency);
      if (read.kind === 'record' && isSuccess(read.record)) continue;
      const hint = `Take ${dependency} into the selection, or complete it first.`;
      throw new OrchError(
        'PLAN_INVALID',
        `${source}: ${id} depends on ${dependency}, which is not completed`,
        { hint },
      );
    }
  }
}

/** A prompt needs an agent: without one the night would be lost at its first task. */
function refuseUnusable(workstreams: readonly PlannedWorkstream[], tool: string[] | null): void {
  for (const { id, tasks, tool: own, source } of workstreams) {
    for (const task of tasks) {
      const tools = toolsFor(task, own, tool);
      if (tools.some((name) => adapterNamed(name) !== null)) continue;
      const hint = 'This version carries out tasks of the form `{run: "command"}`; agents come next.';
      throw new OrchError(
        'NO_TOOL',
        `${source}: ${id} needs one of ${tools.join(', ')}, none of which can be used`,
        { hint },
      );
    }
  }
}
