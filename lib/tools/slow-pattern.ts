import { runInNewContext } from 'node:vm';

const LONGEST_LINE = 2_000;
const MOST_LINES = 20_000;
/** All this time the worker does nothing else. */
const TRIES = 3;

/** What this process has computed so far. A process that stands still, or has to wait for its turn, computes nothing. */
export const ownMs = (): number => process.cpuUsage().user / 1_000;

/**
 * Whether a regular expression of a config matches one of the last 20,000 lines (each cut at 2,000 characters); null if
 * that could not be found out within `boundMs` of this process's own time, or it is none. Some expressions take longer
 * than the night on one line, and V8 can be stopped in the middle of one.
 */
export function matchesSome(pattern: string, text: string, boundMs: number): boolean | null {
  const lines = text
    .split('\n')
    .slice(-MOST_LINES)
    .map((line) => line.slice(0, LONGEST_LINE));
  const until = ownMs() + boundMs;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const leftMs = Math.ceil(until - ownMs());
    if (leftMs <= 0) break;
    const found = tryWithin(leftMs, { lines, pattern });
    // V8 goes by the clock on the wall: where that ran out alone, it is tried again.
    if (found !== 'too slow') return found;
  }
  return null;
}

/** Null: the pattern is no expression. */
function tryWithin(
  timeout: number,
  given: { lines: string[]; pattern: string },
): boolean | null | 'too slow' {
  try {
    const found: unknown = runInNewContext('lines.some((line) => new RegExp(pattern).test(line))', given, {
      timeout,
    });
    return found === true;
  } catch (error) {
    // They come from a realm of its own, and are no instances of our classes.
    const { name, code } = error as { name?: unknown; code?: unknown };
    if (name === 'SyntaxError') return null;
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too slow';
    throw error;
  }
}
