import type { Bystander } from '../evidence.ts';
import type { Workshop } from '../workshop.ts';
import type { Excuse } from './excuses.ts';
import { hit, type Ours } from './processes.ts';
import type { Tally } from './tally.ts';

/** A command of orch that a round started, as a person or a script would. */
export type Command = {
  pid: number;
  args: readonly string[];
  outPath: string;
  errPath: string;
  ended: { code: number | null; signal: string | null } | null;
  finished: Promise<{ code: number | null; signal: string | null }>;
};

/** One round while it runs. */
export type Stage = {
  /** Value of `ROUND_MARK` in all processes of this round. */
  mark: string;
  shop: Workshop;
  ids: readonly string[];
  /** The built `orch.js`. */
  orch: string;
  /** What each command is started with; an action may add to it. */
  env: Record<string, string>;
  /** Outputs of commands are kept here. */
  logs: string;
  commands: Command[];
  /** Aborted: nothing more is started. */
  signal: AbortSignal | null;
  tally: Tally;
  excuses: Excuse[];
  /** Texts that the round itself put in the place of records. */
  planted: Set<string>;
  /** Started and not waited for: later kills and thaws. All are awaited before recovery. */
  pending: Set<Promise<unknown>>;
  /** Undone before recovery, the last first: a full disk is freed. */
  undo: (() => void | Promise<void>)[];
  /** Undone when the round is over. */
  cleanup: (() => void | Promise<void>)[];
  frozen: Map<number, Ours>;
  /** Processes of nobody: they must live. */
  bystanders: Set<Bystander>;
  /** Faults that the round itself saw. */
  seen: { guarantee: number | null; what: string }[];
  /** One line of what happened, for people who look at a failure. */
  note(text: string): void;
};

/** Lets `work` go on beside the schedule. */
export function later(stage: Stage, work: Promise<unknown>): void {
  const settled = work.finally(() => stage.pending.delete(settled));
  stage.pending.add(settled);
}

export async function thaw(stage: Stage, pid: number): Promise<void> {
  const target = stage.frozen.get(pid);
  stage.frozen.delete(pid);
  if (target !== undefined) await hit(target, 'SIGCONT');
}
