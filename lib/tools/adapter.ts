import type { PlannedTask } from '../protocol/plan.ts';
import type { Outcome } from '../protocol/status.ts';
import type { Supervision } from './supervise.ts';

/** What an adapter is given to do one task in one worktree. */
type ToolRequest = {
  task: PlannedTask;
  worktree: string;
  env: Record<string, string>;
  supervision: Supervision;
};

type ToolResult = {
  outcome: Outcome;
  exitCode: number | null;
  signal: string | null;
  /** What happened, for a person: one line. */
  message: string;
  tokens: number | null;
  cost: number | null;
};

/** One coding tool. Expected ends are outcomes; an exception means that orch itself cannot go on. */
export type Adapter = {
  name: string;
  /** The version where it can be used on this machine, else why it cannot. */
  probe(
    env: Record<string, string>,
  ): Promise<{ usable: true; version: string } | { usable: false; why: string }>;
  run(request: ToolRequest): Promise<ToolResult>;
};
