import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

/** The last lines of CI. */

const SCRIPT = join(import.meta.dirname, '../scripts/count-tests.mjs');

type Test = { fullName: string; status: 'passed' | 'failed' | 'pending'; failureMessages: string[] };

const test = (fullName: string, status: Test['status'], ...failureMessages: string[]): Test => {
  return { fullName, status, failureMessages };
};

/** What is printed for one report of these tests, after `steps` of CI that failed, and the exit code. */
function counted(tests: readonly Test[], steps = 0): { lines: string[]; code: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'orch-count-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const report = {
    numPassedTests: tests.filter(({ status }) => status === 'passed').length,
    numFailedTests: tests.filter(({ status }) => status === 'failed').length,
    numPendingTests: tests.filter(({ status }) => status === 'pending').length,
    numTodoTests: 0,
    testResults: [{ name: 'a.test.ts', status: 'passed', assertionResults: tests }],
  };
  const path = join(folder, 'report.json');
  writeFileSync(path, JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [SCRIPT, String(steps), path], { encoding: 'utf8' });
  return { lines: stdout.trim().split('\n'), code: status };
}

it('counts what passed, failed and was skipped, and names what failed', () => {
  const tests = [
    test('good', 'passed'),
    test('bad', 'failed', 'expected 1 to be 2'),
    test('later', 'pending'),
  ];
  expect(counted(tests)).toEqual({
    lines: ['FAILED a.test.ts: bad', '  expected 1 to be 2', '1 skipped', '1 passed, 1 failed'],
    code: 1,
  });
  expect(counted([test('good', 'passed')])).toEqual({ lines: ['1 passed, 0 failed'], code: 0 });
  expect(counted([test('good', 'passed')], 2)).toEqual({ lines: ['1 passed, 2 failed'], code: 1 });
  expect(counted([])).toMatchObject({ code: 1 });
});

it('names what failed at first, which counts as passed only as an exception', () => {
  const shaky = test('shaky', 'passed', 'waited in vain');
  const named = ['UNSTABLE, failed once and then passed: a.test.ts: shaky', '  waited in vain'];
  expect(counted([shaky, test('good', 'passed')])).toEqual({
    lines: [...named, '1 unstable', '2 passed, 0 failed'],
    code: 0,
  });
  const many = counted([shaky, shaky, shaky, shaky, test('good', 'passed')]);
  expect(many).toMatchObject({ code: 1 });
  expect(many.lines.at(-1)).toBe('1 passed, 4 failed');
});

it('counts a report that is missing as failed', () => {
  const { stdout, status } = spawnSync(process.execPath, [SCRIPT, '0', '/nowhere.json'], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('/nowhere.json is missing\n0 passed, 1 failed\n');
  expect(status).toBe(1);
});
