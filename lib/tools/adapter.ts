import type { PlannedTask } from '../protocol/plan.ts';
import type { Outcome } from '../protocol/status.ts';
import type { ToolSettings } from '../protocol/tools.ts';
import type { Supervision } from './supervise.ts';

/** What the task is about, for tools that take names of files; paths are relative to the worktree. */
export type TaskFiles = {
  /** Files in `files_scope` and `files_create` that are there now, in plan order; empty where the plan sets no scope. */
  present: readonly string[];
  /** Paths of `files_create` that are not there yet. */
  toCreate: readonly string[];
  /** True for what the task may change; true for everything where no scope is enforced. */
  isInside: (path: string) => boolean;
};

/** What the programs of one run have printed so far: read back from the log, so that no pipe stands in between. */
export type Transcript = {
  /** UTF-8 with replacements, the last 4 MiB of each stream at most. */
  read(): { out: string; err: string };
};

/** What an adapter is given for one run of one task in one worktree. */
export type ToolRequest = {
  task: PlannedTask;
  /** All that an agent is told, in Markdown: task, scope, acceptance tests, earlier tasks, what failed before. */
  prompt: string;
  worktree: string;
  /** A private folder (0700) outside the worktree, empty at the start and removed after the run. */
  scratch: string;
  /** The whole environment: without model keys for `command`, with them for agents. */
  env: Record<string, string>;
  settings: ToolSettings;
  files: TaskFiles;
  transcript: Transcript;
  supervision: Supervision;
};

export type ToolUsage = { tokensIn: number; tokensOut: number; costUsd: number | null };

export type ToolResult = {
  outcome: Outcome;
  exitCode: number | null;
  signal: string | null;
  /** What happened, for a person: one line, without keys. */
  message: string;
  /** Null where the tool does not tell. */
  usage: ToolUsage | null;
  /** Of `rate_limited` and `quota`, where the provider said when to try again: seconds from now. */
  retryAfterSeconds: number | null;
};

export type Found = { usable: true; file: string } | { usable: false; why: string; hint: string };

/** One coding tool. Expected ends are outcomes; an exception means that orch itself cannot go on. */
export type Adapter = {
  name: string;
  /** True for what takes a prompt; false for `command`. */
  isAgent: boolean;
  /** Whether it can be used with this environment and these settings, as far as can be seen without running it. */
  find(env: Record<string, string | undefined>, settings: ToolSettings): Found;
  /** What the tool says of its version, within 30 s; null where it does not say. It asks no model. */
  version(env: Record<string, string | undefined>, settings: ToolSettings): Promise<string | null>;
  /**
   * Runs the task once. The result tells what the tool said of itself: whether anything changed, and whether it is
   * right, is for git and the acceptance tests to say, so a tool that ended well is `done` here.
   */
  run(request: ToolRequest): Promise<ToolResult>;
};
