import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { rigOf } from '../rig/rigs.ts';

const out = mkdtempSync(join(tmpdir(), 'orch-out-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

type Listed = {
  workstream: string;
  verdict: string;
  branch: string;
  depends_on: string[];
  checks: { passed: boolean | null }[];
};

it('orch demo refactors a code base whose tests pass at the end', { timeout: 150_000 }, async () => {
  const rig = rigOf();
  const dir = join(out, 'demo');
  const git = (...args: string[]): string => execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8' });
  const demo = await rig.orch(['demo', '--dir', dir], { cwd: out });
  expect([demo.code, demo.stderr]).toEqual([0, '']);

  const status = await rig.orch(['status', '--json', '--root', dir]);
  const { workstreams } = JSON.parse(status.stdout) as { workstreams: Listed[] };
  expect(workstreams.length).toBeGreaterThanOrEqual(6);
  const branches = git('for-each-ref', '--format=%(refname:short)', 'refs/heads/orch')
    .trim()
    .split('\n')
    .sort();
  expect(workstreams.map(({ branch }) => branch).sort()).toEqual(branches);
  for (const { workstream, verdict, checks } of workstreams) {
    expect([workstream, verdict, checks.every(({ passed }) => passed === true)]).toEqual([
      workstream,
      'completed',
      true,
    ]);
    expect(git('diff', '--stat', 'main', `orch/${workstream}`)).not.toBe('');
  }

  // The last one holds the work of all: seen afresh, the tests of the code base pass.
  const last = workstreams.find(
    ({ workstream }) => !workstreams.some((one) => one.depends_on.includes(workstream)),
  );
  const fresh = join(out, 'fresh');
  git('worktree', 'add', '--quiet', '--detach', fresh, last?.branch ?? '');
  execFileSync(process.execPath, ['test/run.js'], { cwd: fresh, stdio: 'pipe' });
  expect(git('status', '--porcelain')).toBe('');

  const again = await rig.orch(['demo', '--dir', dir], { cwd: out });
  expect(again.code).toBe(2);
});

it('orch demo refuses a folder that holds something', async () => {
  const rig = rigOf();
  const dir = join(out, 'full');
  mkdirSync(dir);
  writeFileSync(join(dir, 'mine.txt'), 'mine\n');
  const { code, stderr } = await rig.orch(['demo', '--dir', dir, '--json']);
  expect([code, (JSON.parse(stderr) as { error: { code: string } }).error.code]).toEqual([2, 'USAGE']);
  expect([readdirSync(dir), existsSync(join(dir, '.git'))]).toEqual([['mine.txt'], false]);
});
