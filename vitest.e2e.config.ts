import { defineConfig } from 'vitest/config';
import quick from './vitest.config.ts';

// The built program in all that people do with it: `npm run e2e`. The main ways are in `npm test`.
export default defineConfig({
  test: { ...quick.test, include: ['test/**/*.e2e.ts'], outputFile: { json: 'e2e-report.json' } },
});
