import { readWorkerEnvironment } from '../config/environment.ts';
import type { Locations } from '../plan/read.ts';
import type { PlannedWorkstream, PlanOptions } from '../protocol/plan.ts';
import { type ToolSources, type Unusable, unusableTools } from '../tools/usable.ts';

/** Where tools come from: the config, and the environment that workers will have if they are started from here. */
export function toolSources({
  tools = {},
  envFile = null,
}: Pick<Partial<PlanOptions>, 'tools' | 'envFile'>): ToolSources {
  return { tools, env: { ...process.env, ...readWorkerEnvironment({ envFile }).values } };
}

/** As `unusableTools`, from here; where the env_file cannot be read, that is the first thing to mend. */
export function unusableFromHere(
  workstreams: readonly PlannedWorkstream[],
  chain: string[] | null,
  config: Pick<Partial<PlanOptions>, 'tools' | 'envFile'>,
  places?: Locations,
): Unusable[] {
  const { fault } = readWorkerEnvironment(config);
  const unusable = unusableTools(workstreams, chain, toolSources(config), places);
  if (fault === null) return unusable;
  const sentence = `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`;
  return unusable.map((one) => ({ ...one, hint: `${sentence} ${one.hint}` }));
}
