import { readWorkerEnvironment } from '../config/environment.ts';
import type { PlanOptions } from '../protocol/plan.ts';
import type { ToolSources } from '../tools/usable.ts';

/** Where tools come from: the config, and the environment that workers will have if they are started from here. */
export function toolSources({
  tools = {},
  envFile = null,
}: Pick<Partial<PlanOptions>, 'tools' | 'envFile'>): ToolSources {
  return { tools, env: { ...process.env, ...readWorkerEnvironment({ envFile }).values } };
}
