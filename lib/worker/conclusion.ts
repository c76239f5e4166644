import type { Outcome, Reason } from '../protocol/status.ts';
import { cutText } from '../protocol/text.ts';

/** How the work of an attempt ended, interruptions aside. */
export type Conclusion =
  | { status: 'completed'; head: string; reason: Reason | null }
  | { status: 'failed' | 'timed_out'; exitCode: number | null; signal: string | null; reason: Reason }
  | { status: 'interrupted' };

/** A prompt can fill a page; what came of it stands behind it and must fit in the record too. */
export const quote = (text: string): string => JSON.stringify(cutText(text, 80));

export const retryHint = ({ id }: { id: string }): string =>
  `Look at \`orch logs ${id}\` (and --stderr), mend it, then run \`orch retry ${id}\`.`;

/** The state that a workstream ends in, for the outcome that ended it. */
export const endOf = (outcome: Outcome | 'circuit_breaker'): 'failed' | 'timed_out' =>
  outcome === 'timeout' || outcome === 'stalled' ? 'timed_out' : 'failed';
