import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, onTestFinished, test } from 'vitest';

const MODULE = JSON.stringify(new URL('../lib/failpoint.ts', import.meta.url).href);

/** Runs lines that may use `failpoint` and `playRole` in a process of its own. */
async function run(lines: string, env: Record<string, string>) {
  const code = `const { failpoint, playRole } = await import(${MODULE});\n${lines}`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  const { exitCode, signal, stdout, stderr } = await execa(process.execPath, args, { env, reject: false });
  return { exitCode, signal, stdout, stderr };
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'orch-failpoint-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const PASSES = `
playRole('worker');
failpoint('git.*.before', 'add');
console.log('one');
try { failpoint('git.*.before', 'add'); } catch (error) { console.log(error.code); }
console.log('two');`;

test('nothing happens unless the environment asks', async () => {
  expect(await run(PASSES, {})).toMatchObject({ exitCode: 0, stdout: 'one\ntwo' });
});

test('kill ends the process at the n-th pass of the name', async () => {
  const first = await run(PASSES, { ORCH_FAILPOINT: 'git.add.before:kill' });
  expect(first).toMatchObject({ signal: 'SIGKILL', stdout: '' });
  const second = await run(PASSES, { ORCH_FAILPOINT: 'git.add.before:kill:2' });
  expect(second).toMatchObject({ signal: 'SIGKILL', stdout: 'one' });
});

test('error is thrown as EIO, once', async () => {
  const failed = await run(PASSES, { ORCH_FAILPOINT: 'git.add.before:error:2' });
  expect(failed).toMatchObject({ exitCode: 0, stdout: 'one\nEIO\ntwo' });
});

test('delay holds up each pass', async () => {
  const lines = `const begun = performance.now(); ${PASSES} console.log(performance.now() - begun >= 400);`;
  expect(await run(lines, { ORCH_FAILPOINT: 'git.add.before:delay:200' })).toMatchObject({
    stdout: 'one\ntwo\ntrue',
  });
});

test('a role limits it to one kind of process', async () => {
  const other = await run(PASSES, { ORCH_FAILPOINT: 'launch/git.add.before:kill' });
  expect(other).toMatchObject({ exitCode: 0, stdout: 'one\ntwo' });
  const same = await run(PASSES, { ORCH_FAILPOINT: 'worker/git.add.before:kill' });
  expect(same).toMatchObject({ signal: 'SIGKILL' });
});

test('with a file for once, the first process alone is struck', async () => {
  const once = join(folder(), 'once');
  const env = { ORCH_FAILPOINT: 'git.add.before:kill', ORCH_FAILPOINT_ONCE: once };
  expect(await run(PASSES, env)).toMatchObject({ signal: 'SIGKILL' });
  expect(existsSync(once)).toBe(true);
  expect(await run(PASSES, env)).toMatchObject({ exitCode: 0, stdout: 'one\ntwo' });
});

test('the trace tells each pass: role, name, process', async () => {
  const trace = join(folder(), 'trace');
  await run(PASSES, { ORCH_FAILPOINT_TRACE: trace });
  expect(readFileSync(trace, 'utf8')).toMatch(/^(worker git\.add\.before \d+\n){2}$/);
});

test('an order that makes no sense is refused', async () => {
  const refused = await run('', { ORCH_FAILPOINT: 'git.add.before:explode' });
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('ORCH_FAILPOINT must be');
});
