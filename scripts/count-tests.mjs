// Prints `N passed, N failed` from vitest's JSON reports; failed steps of CI and missing reports count as failed.
import { existsSync, readFileSync } from 'node:fs';

const [steps = '0', ...files] = process.argv.slice(2);
let passed = 0;
let failed = Number(steps);
let skipped = 0;
for (const file of files) {
  if (!existsSync(file)) {
    console.log(`${file} is missing`);
    failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests + report.numTodoTests;
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
