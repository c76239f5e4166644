import type { Reason } from '../protocol/status.ts';
import type { Attempt } from './attempt.ts';
import { testsReason } from './edited-tests.ts';
import { scopeReason } from './scope.ts';

/** What is said beside a workstream that is done: its agents went where they should not. Null where they did not. */
export async function sideReason(attempt: Attempt): Promise<Reason | null> {
  return both(scopeReason(attempt), await testsReason(attempt));
}

/** Of that, what the acceptance tests were run without: it may be why they failed. */
export async function whatDidNotCount(attempt: Attempt): Promise<Reason | null> {
  const taken = attempt.workstream.scope === 'enforce' ? scopeReason(attempt) : null;
  return both(taken, await testsReason(attempt));
}

/** A change that was taken out is told of before one that only did not decide. */
function both(outside: Reason | null, tests: Reason | null): Reason | null {
  if (outside === null || tests === null) return outside ?? tests;
  return { ...outside, message: `${outside.message}; ${tests.code}: ${tests.message}` };
}
