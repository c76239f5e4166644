import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { killKin } from '../process/kill.ts';
import type { Reason } from '../protocol/status.ts';
import type { RecordEvent } from '../protocol/transitions.ts';
import { type Attempt, kinOf } from './attempt.ts';

export const PARENT_LOST_REASON: Reason = {
  code: 'terminated',
  message: 'its orchestrator is gone',
  hint: 'Run `orch run` or `orch reattach` again: it goes on from the last checkpoint.',
};

/** After it, an attached worker without its orchestrator does not wait for anything any more; 5 s is the promise. */
const LAST_MOMENT_MS = 3_500;
const KILL_BOUND_MS = 500;
const WORD_BOUND_MS = 500;

/**
 * Ends an attached worker that lost its orchestrator and is not done with its own end in time (a checkout, a salvage
 * of many files, a git that hangs): kills all that it started, says so in the record, and exits. What lies in the
 * worktree stays there, and the next attempt salvages it. Call it when the loss is seen; it never returns before.
 * `lastWord`: how it ended.
 */
export async function endAtLastMoment(
  attempt: Attempt,
  lastWord: () => Extract<RecordEvent, { type: 'end' }>,
): Promise<void> {
  await sleep(LAST_MOMENT_MS, undefined, { ref: false });
  process.stderr.write('orch: its orchestrator is gone, and its end takes too long: killed\n');
  try {
    await killKin(() => kinOf(attempt), { graceMs: 0, boundMs: KILL_BOUND_MS });
    const word = attempt.reporter.end(lastWord());
    await Promise.race([word, sleep(WORD_BOUND_MS)]);
  } catch (error) {
    process.stderr.write(`orch: ${messageOf(error)}\n`);
  } finally {
    // Without a last word, whoever settles it writes `crashed`, by proof of its death.
    process.exit(1);
  }
}
