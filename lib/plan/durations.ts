const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
const MAX_MS = 365 * 86_400_000;

/**
 * Milliseconds of `90s`, `30m`, `8h`, `1h30m`, `1500ms`, or of a number of seconds.
 * Null for what is none of these, is less than a millisecond or more than a year.
 */
export function parseDuration(value: string | number): number | null {
  const ms = typeof value === 'number' ? value * 1_000 : sumOfParts(value.trim());
  if (ms === null || !Number.isFinite(ms)) return null;
  const whole = Math.round(ms);
  return whole >= 1 && whole <= MAX_MS ? whole : null;
}

function sumOfParts(text: string): number | null {
  // A length bound first: the pattern is linear, but no duration is that long.
  if (text.length > 40 || !DURATION.test(text)) return null;
  let sum = 0;
  for (const [, digits = '', unit = ''] of text.matchAll(PART)) {
    sum += Number(digits) * (UNIT_MS.get(unit) ?? Number.NaN);
  }
  return sum;
}
