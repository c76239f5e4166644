import { defineConfig } from 'vitest/config';

// Real coding tools against a fake model server: `npm run test:agents`. Most of their time they wait.
export default defineConfig({
  test: {
    include: ['test/agents/**/*.agents.ts'],
    pool: 'forks',
    maxWorkers: 1,
    maxConcurrency: Number(process.env['ORCH_CONCURRENCY'] ?? 4),
    testTimeout: 420_000,
    hookTimeout: 60_000,
    // A condition that is waited for is bounded, not timed: these machines are shared.
    expect: { poll: { timeout: 30_000 } },
    // In CI a test that failed is run once more; `count-tests.mjs` names it all the same.
    retry: process.env['CI'] ? 1 : 0,
    reporters: process.env['CI'] ? ['default', 'json'] : ['default'],
    outputFile: { json: 'agents-report.json' },
  },
});
