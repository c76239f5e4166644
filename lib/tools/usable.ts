import { nearNames } from '../protocol/near.ts';
import type { PlannedWorkstream } from '../protocol/plan.ts';
import { isBuiltInTool } from '../protocol/tools.ts';
import type { Found } from './adapter.ts';
import { adapterNamed, agentNames, settingsOf, type ToolTable, toolsFor } from './registry.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the config says of tools, and the environment of workers. */
export type ToolSources = { tools: ToolTable; env: Environment };

/** `source`: the place in the plan; `message` begins with it. */
export type Unusable = { source: string; message: string; hint: string };

/** Whether a tool can be used by a workstream with the variables `planned`; runs nothing. Null: there is no such tool. */
export function findTool(name: string, { tools, env }: ToolSources, planned: Environment = {}): Found | null {
  const settings = settingsOf(name, tools);
  return adapterNamed(name, tools)?.find({ ...env, ...settings.env, ...planned }, settings) ?? null;
}

/**
 * Why a prompt task could not be done, one for each workstream at most: a name that no tool has, since a slip of the pen
 * would be found out in the night; or no usable tool at all. `places`: where a person finds a workstream, by id; else as
 * the frozen plan says it.
 */
export function unusableTools(
  workstreams: readonly PlannedWorkstream[],
  chain: string[] | null,
  sources: ToolSources,
  places: ReadonlyMap<string, string> = new Map(),
): Unusable[] {
  return workstreams.flatMap((workstream) => {
    const { id } = workstream;
    const source = places.get(id) ?? workstream.source;
    const lists = workstream.tasks.map((task) => toolsFor(task, workstream.tool, chain));
    const unknown = lists
      .flat()
      .find((name) => !isBuiltInTool(name) && adapterNamed(name, sources.tools) === null);
    if (unknown !== undefined)
      return [{ source, ...unknownTool(`${source}: ${id}`, unknown, sources.tools, chain) }];
    const lacking = lists.find((names) =>
      names.every((name) => findTool(name, sources, workstream.env)?.usable !== true),
    );
    if (lacking === undefined) return [];
    const found = lacking.map((name) => ({ name, found: findTool(name, sources, workstream.env) }));
    const whys = found.map(
      ({ name, found }) => `${name}: ${found?.usable === false ? found.why : 'unknown'}`,
    );
    const hints = found.flatMap(({ found }) => (found?.usable === false ? [found.hint] : []));
    const message = `${source}: ${id} needs one of ${lacking.join(', ')}, none of which can be used (${whys.join('; ')})`;
    const hint = `${hints[0] ?? ''} \`orch doctor\` lists all tools; --tool NAME takes others.`.trim();
    return [{ source, message, hint }];
  });
}

function unknownTool(
  place: string,
  name: string,
  tools: ToolTable,
  chain: readonly string[] | null,
): Omit<Unusable, 'source'> {
  const known = agentNames(tools);
  const near = nearNames(name, known);
  const hint =
    near.length > 0
      ? `Did you mean ${near.join(' or ')}?`
      : `There are ${known.join(', ')}; "tools" in the config registers others.`;
  // The plan has it of there; a person who looks for the name in the file finds nothing.
  const by = chain?.includes(name) ? ' (by --tool, or "tool" in the config)' : '';
  return { message: `${place} names ${JSON.stringify(name)}${by}, and there is no such tool`, hint };
}
