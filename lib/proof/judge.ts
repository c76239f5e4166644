import type { Evidence, Guarantee, Violation } from './evidence.ts';
import { judgeAttempts } from './rules/attempts.ts';
import { judgeCheckout } from './rules/checkout.ts';
import { judgeCheckpoints } from './rules/checkpoints.ts';
import { judgeLeftovers, judgeSignals } from './rules/processes.ts';
import { judgeRecords } from './rules/records.ts';
import { judgeRecovery } from './rules/recovery.ts';
import { judgeSuccess } from './rules/success.ts';

/** What each guarantee says, for people. */
export const GUARANTEES: Record<Guarantee, string> = {
  1: 'never two live workers of one workstream',
  2: 'no workstream is lost',
  3: 'finished tasks stay finished, cut-off ones run again',
  4: 'no process outlives its worker',
  5: 'nobody is signalled, nothing removed without proof',
  6: 'no torn record, nothing half-done left',
  7: "the user's checkout untouched, no work lost",
  8: 'success is never guessed',
};

const RULES: Record<Guarantee, (evidence: Evidence) => Violation[]> = {
  1: judgeAttempts,
  2: judgeRecovery,
  3: judgeCheckpoints,
  4: judgeLeftovers,
  5: judgeSignals,
  6: judgeRecords,
  7: judgeCheckout,
  8: judgeSuccess,
};

/** Every violation that the evidence shows, by guarantee. Pure. What is not known is no violation. */
export function judge(evidence: Evidence): Violation[] {
  return Object.values(RULES).flatMap((rule) => rule(evidence));
}
