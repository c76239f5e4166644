/** Rounds that once broke a guarantee, and what was wrong. CI repeats them. */
export const KEPT: readonly { seed: number; round: number; only: readonly string[]; found: string }[] = [
  {
    seed: 51,
    round: 9,
    only: [],
    found: 'A failed attempt left a commit beside the branch to a reflog; see test/e2e/run-strays.e2e.ts.',
  },
  {
    seed: 20261125,
    round: 8,
    only: [],
    found:
      'A launch took the branch of a workstream without a checkpoint, whose record was garbage, for a stranger’s; see test/violence/crash-records.violence.ts.',
  },
];
