import { defineConfig } from 'vitest/config';

// What takes too long for each `npm test`: `npm run endurance`, `npm run failpoints`, `npm run planted`.
export default defineConfig({
  test: {
    include: ['test/violence/**/*.violence.ts'],
    pool: 'forks',
    maxWorkers: 1,
    maxConcurrency: Number(process.env['ORCH_CONCURRENCY'] ?? 3),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A condition that is waited for is bounded, not timed: these machines are shared.
    expect: { poll: { timeout: 30_000 } },
    // In CI a test that failed is run once more; `count-tests.mjs` names it all the same.
    retry: process.env['CI'] ? 1 : 0,
    reporters: process.env['CI'] ? ['default', 'json'] : ['default'],
    outputFile: { json: 'failpoints-report.json' },
  },
});
