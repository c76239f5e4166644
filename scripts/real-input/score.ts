/** Counts what was checked, and says it line by line. */

export type Score = { passed: number; failed: number };

/** Prints and counts one fact; `why` explains a failure. */
export function check(score: Score, fact: string, ok: boolean, why = ''): void {
  if (ok) score.passed += 1;
  else score.failed += 1;
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${fact}${ok || why === '' ? '' : `: ${why}`}\n`);
}

/** Prints a line of the story: what happens now, `seconds` after the start. */
export function tell(startMs: number, text: string): void {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  process.stdout.write(`${seconds.padStart(6)} s  ${text}\n`);
}
