// Prints `N passed, N failed` from vitest's JSON reports; failed steps of CI and missing reports count as failed.
// What failed is named just above, with the start of its message: a log of CI is often read from its end.
import { existsSync, readFileSync } from 'node:fs';

/** As many lines of a failure's message as tell what was expected. */
const MESSAGE_LINES = 12;

const [steps = '0', ...files] = process.argv.slice(2);
let passed = 0;
let failed = Number(steps);
let skipped = 0;

function tell(file, name, messages) {
  console.log(`FAILED ${file}: ${name}`);
  const lines = messages
    .join('\n')
    .split('\n')
    .filter((line) => line.trim() !== '');
  for (const line of lines.slice(0, MESSAGE_LINES)) console.log(`  ${line.slice(0, 300)}`);
}

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
  for (const suite of report.testResults ?? []) {
    const told = (suite.assertionResults ?? []).filter((test) => test.status === 'failed');
    for (const test of told) tell(suite.name, test.fullName, test.failureMessages ?? []);
    if (suite.status === 'failed' && told.length === 0)
      tell(suite.name, 'the file itself', [suite.message ?? '']);
  }
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
