import { expect, test } from 'vitest';
import { parseDuration } from '../../lib/plan/durations.ts';

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['8h', 28_800_000],
  ['1500ms', 1_500],
  ['1.5s', 1_500],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  [' 5s ', 5_000],
  [300, 300_000],
  [0.25, 250],
])('%j is %d ms', (value, ms) => {
  expect(parseDuration(value)).toBe(ms);
});

test.each(['', '0s', '5', 's', '5 s', '-5s', '5x', '1e3s', '400d', '5S', 0, -1, Number.NaN, Infinity, 1e300])(
  '%j is no duration',
  (value) => {
    expect(parseDuration(value)).toBeNull();
  },
);
