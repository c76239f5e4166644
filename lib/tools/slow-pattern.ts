import { runInNewContext } from 'node:vm';

const LONGEST_LINE = 2_000;
const MOST_LINES = 20_000;

/**
 * Whether a regular expression of a config matches one of the last 20,000 lines (each cut at 2,000 characters); null if
 * that could not be found out within `boundMs`, or it is none. Some expressions take longer than the night on one line,
 * and V8 can be stopped in the middle of one.
 */
export function matchesSome(pattern: string, text: string, boundMs: number): boolean | null {
  const lines = text
    .split('\n')
    .slice(-MOST_LINES)
    .map((line) => line.slice(0, LONGEST_LINE));
  try {
    const found: unknown = runInNewContext(
      'lines.some((line) => new RegExp(pattern).test(line))',
      { lines, pattern },
      { timeout: boundMs },
    );
    return found === true;
  } catch (error) {
    // They come from a realm of its own, and are no instances of our classes.
    const { name, code } = error as { name?: unknown; code?: unknown };
    if (name === 'SyntaxError' || code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  }
}
