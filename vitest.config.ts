import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** The tests start processes of their own, so that a worker for each core keeps all of them busy. */
const WORKERS = Math.min(8, Math.max(2, availableParallelism()));

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: WORKERS,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A condition that is waited for is bounded, not timed: these machines are shared.
    expect: { poll: { timeout: 30_000 } },
    // In CI a test that failed is run once more; `count-tests.mjs` names it all the same.
    retry: process.env['CI'] ? 1 : 0,
    reporters: process.env['CI'] ? ['default', 'json'] : ['default'],
    outputFile: { json: 'test-report.json' },
  },
});
