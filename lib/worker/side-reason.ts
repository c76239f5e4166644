import type { Reason } from '../protocol/status.ts';
import type { Attempt } from './attempt.ts';
import { testsReason } from './edited-tests.ts';
import { refsReason } from './moved-refs.ts';
import { scopeReason } from './scope.ts';

/** What is said beside a workstream that is done: its agents went where they should not. Null where they did not. */
export async function sideReason(attempt: Attempt): Promise<Reason | null> {
  return both(both(scopeReason(attempt), await testsReason(attempt)), refsReason(attempt));
}

/** Of that, what the acceptance tests were run without: it may be why they failed. */
export async function whatDidNotCount(attempt: Attempt): Promise<Reason | null> {
  const taken = attempt.workstream.scope === 'enforce' ? scopeReason(attempt) : null;
  return both(taken, await testsReason(attempt));
}

/** A change that was taken out is told of before one that only did not decide, and that before what is no file. */
function both(first: Reason | null, second: Reason | null): Reason | null {
  if (first === null || second === null) return first ?? second;
  return { ...first, message: `${first.message}; ${second.code}: ${second.message}` };
}
