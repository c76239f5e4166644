import type { Violation } from '../evidence.ts';

/**
 * What was done to a round that makes something right which otherwise breaks a guarantee. This is all that is
 * excused; whatever else the judge finds is a violation.
 */
export type Excuse =
  /** A stranger wrote nonsense over the record of this workstream, or deleted it. */
  { kind: 'garbage' | 'deleted'; workstream: string };

type Rule = { excuse: string; allows: string; guarantee: Violation['guarantee']; what: RegExp };

/** For people: `docs/guides/proof.md` shows this table. */
const EXCUSED: readonly Rule[] = [];

/** True if one of the excuses allows it. */
export function isExcused(excuses: readonly Excuse[], { guarantee, workstream, what }: Violation): boolean {
  return EXCUSED.some(
    (rule) =>
      rule.guarantee === guarantee &&
      rule.what.test(what) &&
      excuses.some((one) => one.kind === rule.excuse && one.workstream === workstream),
  );
}
