import type { PlannedTask } from '../protocol/plan.ts';
import type { Adapter } from './adapter.ts';
import { command } from './command.ts';
import { llm } from './llm.ts';

const ADAPTERS: readonly Adapter[] = [command, llm];

/** The adapter of that name, or null. */
export function adapterNamed(name: string): Adapter | null {
  return ADAPTERS.find((adapter) => adapter.name === name) ?? null;
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
