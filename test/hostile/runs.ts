import type { Parameters } from 'fast-check';

/**
 * How long the fuzzing goes on. In `npm test` each property has a bounded number of runs and a seed that changes;
 * `npm run fuzz -- --minutes M --seed S` gives each file of tests M minutes. A failure prints its seed and path.
 */

const minutes = Number(process.env['FUZZ_MINUTES'] ?? '0');
const seed = process.env['FUZZ_SEED'];

/** Parameters of `fc.assert`: `bounded` runs, or with FUZZ_MINUTES as many as fit into its share (of `share` properties). */
export function runs(bounded: number, share = 1): Parameters<unknown> {
  const seeded = seed === undefined ? {} : { seed: Number(seed) };
  if (minutes === 0) return { ...seeded, numRuns: bounded };
  const interruptAfterTimeLimit = (minutes * 60_000) / share;
  return { ...seeded, numRuns: 1_000_000_000, interruptAfterTimeLimit, markInterruptAsFailure: false };
}

/** The time that a test of such a property may take, with room for its last run. */
export function boundMs(bounded: number): number {
  return bounded + minutes * 60_000 * 1.5;
}
