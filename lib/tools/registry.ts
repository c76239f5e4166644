import type { PlannedTask } from '../protocol/plan.ts';
import { isBuiltInTool, type ToolSettings } from '../protocol/tools.ts';
import type { Adapter } from './adapter.ts';
import { aider } from './aider.ts';
import { claude } from './claude.ts';
import { codex } from './codex.ts';
import { command } from './command.ts';
import { copilot } from './copilot.ts';
import { gemini } from './gemini.ts';
import { llm } from './llm.ts';
import { opencode } from './opencode.ts';
import { registeredTool } from './registered.ts';

const ADAPTERS: readonly Adapter[] = [command, aider, llm, claude, codex, opencode, gemini, copilot];

/** What a config says of tools, by name. */
export type ToolTable = Readonly<Record<string, ToolSettings>>;

/** The adapter of that name: one of orch's own, or one that the config registers; null where there is none. */
export function adapterNamed(name: string, tools: ToolTable = {}): Adapter | null {
  const own = ADAPTERS.find((adapter) => adapter.name === name);
  if (own !== undefined) return own;
  return isBuiltInTool(name) || settingsOf(name, tools).registered === undefined
    ? null
    : registeredTool(name);
}

/** What the config says of a tool. */
export function settingsOf(name: string, tools: ToolTable = {}): ToolSettings {
  return Object.hasOwn(tools, name) ? (tools[name] ?? {}) : {};
}

/** The names of all agents, orch's own first. */
export function agentNames(tools: ToolTable = {}): string[] {
  const own = ADAPTERS.filter(({ isAgent }) => isAgent).map(({ name }) => name);
  return [
    ...own,
    ...Object.keys(tools).filter((name) => !own.includes(name) && adapterNamed(name, tools) !== null),
  ];
}

/** The tools that may do a task, first choice first. A command needs no agent. */
export function toolsFor(
  task: PlannedTask,
  workstreamTools: string[] | null,
  defaultTools: string[] | null,
): string[] {
  if (task.kind === 'run') return [command.name];
  return task.tool ?? workstreamTools ?? defaultTools ?? ['aider', 'llm'];
}
