import type { Config } from '../../config/read.ts';
import { programOnPath } from '../../tools/on-path.ts';
import { adapterNamed, agentNames, settingsOf } from '../../tools/registry.ts';
import { findTool, type ToolSources } from '../../tools/usable.ts';
import { toolSources } from '../tool-sources.ts';
import { type Check, fail, ok } from './check.ts';

/** What may do tasks: where each tool is, its version, or why it cannot be used. Runs `--version` of those that can. */
export async function checkTools(config: Config | null): Promise<Check[]> {
  const sources = toolSources(config?.options ?? {});
  const names = agentNames(sources.tools);
  return [checkShell(), ...(await Promise.all(names.map((name) => checkTool(name, sources))))];
}

function checkShell(): Check {
  const shell = programOnPath('sh');
  return shell === null
    ? fail('tool command', 'there is no sh on PATH', 'Tasks {run: ...} need one.')
    : ok('tool command', `${shell}, for tasks {run: ...}`);
}

/** A tool that is not there is no fault: a launch asks only for those that its tasks name. */
async function checkTool(name: string, sources: ToolSources): Promise<Check> {
  const found = findTool(name, sources);
  const title = `tool ${name}`;
  if (found === null || !found.usable)
    return {
      name: title,
      level: 'none',
      found: `not usable: ${found?.why ?? 'unknown'}`,
      hint: found?.hint ?? null,
    };
  const settings = settingsOf(name, sources.tools);
  const env = { ...sources.env, ...settings.env };
  const version = (await adapterNamed(name, sources.tools)?.version(env, settings)) ?? null;
  const model = settings.model === undefined ? '' : `, model ${settings.model}`;
  if (name === 'llm')
    return ok(title, `${found.file}, model ${settings.model ?? env['ORCH_LLM_MODEL'] ?? '-'}`);
  const isOwn = settings.registered !== undefined;
  const told = version ?? (isOwn ? 'registered by the config' : 'does not tell its version');
  // The CLIs have logins of their own, and most have no way to ask for that which asks no model.
  const login = isOwn || name === 'aider' ? '' : '; whether it is logged in is not looked at';
  return ok(title, `${found.file}, ${told}${model}${login}`);
}
