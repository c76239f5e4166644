import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';
import { readAsRunner } from '../rig/runner.ts';

vi.setConfig({ testTimeout: 120_000 });

const SECRET = 'sk-ant-abcdefghijklmnop1234567890';
const HOSTILE = {
  workstreams: [
    {
      id: 'A',
      title: '::error::title | <img src=x>',
      tasks: [
        {
          run: `printf '::error::forged\\n  ::set-env name=X::y\\n##[add-mask]x\\nplain\\n'; echo '::warning::forged' >&2; : ${SECRET} '::error::of the task ##[error]x'; exit 7`,
        },
      ],
    },
    { id: 'B', depends_on: ['A'], tasks: [{ run: 'true' }] },
    { id: 'C', tasks: [{ run: 'echo fine' }] },
  ],
};

const github = (rig: Rig): Record<string, string> => ({
  CI: 'true',
  GITHUB_ACTIONS: 'true',
  GITHUB_STEP_SUMMARY: join(rig.aside, 'summary'),
});

describe.each([['run'], ['run', '--detached', '--wait']])('orch %s %s %s in GitHub Actions', (...args) => {
  it('groups logs, annotates failures and writes a summary; no text becomes a command', async () => {
    const rig = rigOf(HOSTILE);
    const words = args.filter((word) => word !== undefined);
    const { code, stdout, stderr } = await rig.orch(words, { env: github(rig) });
    expect(code).toBe(1);
    expect(stdout).not.toContain('\u001b');
    const { commands, isStopped } = readAsRunner(`${stdout}\n`);
    expect(isStopped).toBe(false);
    const of = (name: string): string[] =>
      commands.filter((one) => one.name === name).map(({ properties, text }) => `${properties}${text}`);
    expect(of('group').sort()).toEqual(['A failed', 'C completed']);
    expect(of('endgroup')).toHaveLength(2);
    expect(of('error')).toHaveLength(1);
    expect(of('error')[0]).toMatch(/^title=A failed.*exit code 7/);
    expect(of('warning')[0]).toMatch(/^title=B blocked/);
    expect(commands).toHaveLength(6);
    expect(stdout).toContain('A | plain');
    // Nothing that a text says stands where the runner reads both streams.
    expect(readAsRunner(stderr).commands).toEqual([]);
    const summary = readFileSync(join(rig.aside, 'summary'), 'utf8');
    expect(summary.split('\n').filter((line) => line.startsWith('| '))).toHaveLength(5);
    expect(summary).toMatch(/^### orch: 1 of 3 completed\n/);
    expect(summary).not.toMatch(/<|##\[|::/);
    expect(`${stdout}${stderr}${summary}`).not.toContain(SECRET);
    expect((await rig.orch(['status'])).stdout).not.toContain(SECRET);
  });
});

it('keeps stdout for the machine with --json, and writes the summary all the same', async () => {
  const rig = rigOf({ workstreams: [{ id: 'C', tasks: [{ run: 'true' }] }] });
  const { code, stdout } = await rig.orch(['run', '--json'], { env: github(rig) });
  expect(code).toBe(0);
  for (const line of stdout.split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
  expect(existsSync(join(rig.aside, 'summary'))).toBe(true);
});

it('loses the summary and no more where it cannot be written', async () => {
  const rig = rigOf({ workstreams: [{ id: 'C', tasks: [{ run: 'true' }] }] });
  const env = { ...github(rig), GITHUB_STEP_SUMMARY: '/nowhere/summary' };
  expect(await rig.orch(['run'], { env })).toMatchObject({ code: 0 });
});

describe('orch run --detached --wait', () => {
  const waits = {
    workstreams: [{ id: 'A', tasks: [{ run: 'while [ ! -e "$ORCH_ROOT.aside/go" ]; do sleep 0.1; done' }] }],
  };

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 130],
    ['SIGHUP', 130],
    ['SIGKILL', null],
  ] as const)('only stops watching at %s', async (name, code) => {
    const rig = rigOf(waits);
    const run = rig.start(['run', '--detached', '--wait']);
    await until(() => rig.status('A') === 'running', { what: 'A to run' });
    const worker = rig.record('A')['pid'] as number;
    signal(run.pid, name);
    expect((await run.finished).code).toBe(code);
    expect(isAlive(worker)).toBe(true);
    writeFileSync(join(rig.aside, 'go'), '');
    expect((await rig.orch(['wait', '--timeout', '60s'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 1, mode: 'detached' });
  });

  it('watches to the end though one fails at once, and its code is that of the whole', async () => {
    const rig = rigOf({
      workstreams: [
        { id: 'A', tasks: [{ run: 'exit 7' }] },
        { id: 'B', tasks: [{ run: 'sleep 3; echo b > b' }] },
      ],
    });
    expect((await rig.orch(['run', '--detached', '--wait'])).code).toBe(1);
    expect(rig.status('B')).toBe('completed');
  });
});
