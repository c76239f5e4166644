import { OrchError } from '../errors.ts';
import { type Fault, formatFaults } from '../plan/fault.ts';
import { type Locations, readPlan } from '../plan/read.ts';
import type { PlannedWorkstream, PlanOptions } from '../protocol/plan.ts';
import { earlierWork } from './earlier-work.ts';
import { unusableFromHere } from './tool-sources.ts';
import { warn } from './warn.ts';

export type Selection = {
  plan: string[];
  only: string[];
  skip: string[];
  /** Where the details of an analysis in Markdown are looked up. */
  workstreams?: string | undefined;
  /** Warnings come as JSON. */
  json?: boolean;
  /** The fallback chain, tried where a workstream names no tool, and after a tool that it names. */
  tool: string[] | null;
  /** Words that begin a command, beside those that orch knows. */
  programs: readonly string[];
  /** What the config says of tools, and of the environment of workers. */
  config: Pick<Partial<PlanOptions>, 'tools' | 'envFile'>;
};

export type CheckedPlan = { workstreams: PlannedWorkstream[]; places: Locations; warnings: Fault[] };

/**
 * The workstreams to launch, read, checked and selected.
 * @throws OrchError PLAN_INVALID with every fault, NO_WORKSTREAM, NO_TOOL.
 */
export async function planForLaunch(root: string, selection: Selection): Promise<PlannedWorkstream[]> {
  const hint = 'Nothing was launched. Mend the plan and try again.';
  const { workstreams, places, warnings } = await soundPlan(root, selection, hint);
  // What a task names may be what it reads: `orch plan` tells of it, and whoever launches has seen it there.
  tellWarnings(
    warnings.filter(({ code }) => code !== 'outside_scope'),
    selection.json ?? false,
  );
  const [unusable] = unusableFromHere(workstreams, selection.tool, selection.config, places);
  if (unusable !== undefined) throw new OrchError('NO_TOOL', unusable.message, { hint: unusable.hint });
  return workstreams;
}

/**
 * The plan if it is sound: as `planForLaunch`, but it says nothing and asks for no tool; writes nothing, runs nothing but git.
 * @throws OrchError PLAN_INVALID, PLAN_NOT_FOUND, NO_WORKSTREAM, USAGE where nothing is left.
 */
export async function soundPlan(root: string, selection: Selection, hint: string): Promise<CheckedPlan> {
  const { plan, only, skip, tool, programs, workstreams: folder } = selection;
  const result = await readPlan(root, plan, {
    cwd: process.cwd(),
    only,
    skip,
    satisfied: earlierWork(root),
    extraPrograms: programs,
    ...(folder === undefined ? {} : { workstreams: folder }),
    ...(tool === null ? {} : { toolChain: tool }),
  });
  if (!result.ok) {
    const { faults } = result;
    const isMissing = faults.length === 1 && faults[0]?.code === 'not_found';
    const message = `the plan has faults\n${formatFaults(faults).join('\n')}`;
    throw new OrchError(isMissing ? 'PLAN_NOT_FOUND' : 'PLAN_INVALID', message, { hint });
  }
  refuseUnknown(result.ids, [...only, ...skip]);
  if (result.workstreams.length === 0) {
    throw new OrchError('USAGE', '--only and --skip leave nothing to launch', {
      hint: 'Skip fewer of them.',
    });
  }
  return result;
}

/** Warnings on stderr: a line or two each, the first 50; with `json` a line of JSON each, all of them. */
export function tellWarnings(warnings: readonly Fault[], json: boolean): void {
  if (json) for (const warning of warnings) warn(warning, true);
  else for (const text of formatFaults(warnings)) process.stderr.write(`orch: warning: ${text}\n`);
}

function refuseUnknown(ids: readonly string[], asked: readonly string[]): void {
  const known = new Set(ids);
  const unknown = asked.find((id) => !known.has(id));
  if (unknown === undefined) return;
  const hint = `The plan has ${ids.slice(0, 20).join(', ')}${ids.length > 20 ? ', …' : ''}.`;
  throw new OrchError('NO_WORKSTREAM', `the plan has no workstream ${JSON.stringify(unknown)}`, { hint });
}
