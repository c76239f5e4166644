// Prints `N passed, N failed` from vitest's JSON reports; failed steps of CI and missing reports count as failed.
// What failed is named just above, with the start of its message: a log of CI is often read from its end. So is what
// failed once and passed when CI ran it again: it counts as passed, as long as it is the exception.
import { existsSync, readFileSync } from 'node:fs';

/** As many lines of a failure's message as tell what was expected. */
const MESSAGE_LINES = 12;

/** More tests than this that fail at first are no accident: each counts as failed. */
const MOST_UNSTABLE = 3;

const [steps = '0', ...files] = process.argv.slice(2);
let passed = 0;
let failed = Number(steps);
let skipped = 0;
let unstable = 0;

function tell(what, file, name, messages) {
  console.log(`${what} ${file}: ${name}`);
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
    for (const test of told) tell('FAILED', suite.name, test.fullName, test.failureMessages ?? []);
    if (suite.status === 'failed' && told.length === 0)
      tell('FAILED', suite.name, 'the file itself', [suite.message ?? '']);
    for (const test of suite.assertionResults ?? []) {
      // vitest keeps the messages of a try that failed.
      if (test.status !== 'passed' || (test.failureMessages ?? []).length === 0) continue;
      tell('UNSTABLE, failed once and then passed:', suite.name, test.fullName, test.failureMessages);
      unstable += 1;
    }
  }
}
if (unstable > 0) console.log(`${unstable} unstable`);
if (unstable > MOST_UNSTABLE) {
  passed -= unstable;
  failed += unstable;
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
