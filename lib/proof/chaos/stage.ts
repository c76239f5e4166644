import type { Workshop } from '../workshop.ts';
import type { Command } from './command.ts';
import { hit, type Ours } from './processes.ts';
import type { Tally } from './tally.ts';

/** What an action did that makes something allowed which otherwise breaks a guarantee; see `excuses.ts`. */
export type Excuse =
  /** Somebody wrote nonsense over the record. */
  | `garbage:${string}`
  /** Somebody deleted the record. */
  | `deleted:${string}`
  /** The disk was full for a while. */
  | 'full disk'
  /** A person's word holds launches back. */
  | 'hold'
  /** Tools were killed from outside: their tasks failed. */
  | 'tools died'
  /** The clock was set. */
  | 'clock';

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
  tally: Tally;
  excuses: Set<Excuse>;
  /** Started and not waited for: later kills and thaws. All are awaited before recovery. */
  pending: Set<Promise<unknown>>;
  /** Undone before recovery, the last first: a full disk is freed. */
  undo: (() => void | Promise<void>)[];
  /** Undone when the round is over. */
  cleanup: (() => void | Promise<void>)[];
  frozen: Map<number, Ours>;
  /** Processes of nobody: they must live. */
  bystanders: Set<{ pid: number; startTime: number; what: string }>;
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
