import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { type Finished, isAlive, makeRepository, type Rig, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/** One run of workstreams that fail in all ways at once, and a second one in which the cause is gone. */

let out = '';
let rig: Rig;
let launched: Finished;
let waited: Finished;

const planOf = (folder: string): unknown[] => [
  {
    id: 'flaky',
    tasks: [
      { run: `echo one >> ${folder}/ran; echo one > one.txt` },
      { run: `echo half > half.txt; test -f ${folder}/flag || exit 7 # ${'long '.repeat(200)}` },
    ],
  },
  { id: 'child', depends_on: ['flaky'], tasks: [{ run: 'cat one.txt half.txt > child.txt' }] },
  { id: 'grandchild', depends_on: ['child'], tasks: [{ run: 'test -f child.txt' }] },
  { id: 'killed', tasks: [{ run: 'kill -9 $$' }] },
  {
    id: 'untrue',
    tasks: [{ run: 'echo x > x.txt' }],
    acceptance_tests: [{ run: 'exit 3' }, { run: 'test -f x.txt' }],
  },
  {
    id: 'absent-test',
    tasks: [{ run: 'true' }],
    acceptance_tests: [{ run: 'orch-no-such-program --check' }],
  },
  { id: 'absent-task', tasks: [{ run: 'orch-no-such-program' }] },
  { id: 'setup', setup: ['exit 4'], tasks: [{ run: `echo setup >> ${folder}/ran` }] },
  { id: 'copy', copy: ['.env.absent'], tasks: [{ run: `echo copy >> ${folder}/ran` }] },
  {
    id: 'step',
    steps: [
      { id: 'later', depends_on: ['sooner'], tasks: [{ run: `echo later >> ${folder}/ran` }] },
      { id: 'sooner', tasks: [{ run: 'echo s > s.txt' }], acceptance_tests: [{ run: 'false' }] },
    ],
  },
  { id: 'left', tasks: [{ run: 'echo left > README.md' }] },
  { id: 'right', tasks: [{ run: 'echo right > README.md' }] },
  { id: 'torn', depends_on: ['left', 'right'], tasks: [{ run: `echo torn >> ${folder}/ran` }] },
  {
    id: 'server',
    tasks: [
      { run: `setsid sleep 987 >/dev/null 2>&1 & echo $! > ${folder}/server-1` },
      // Without the marker of its worker: its folder alone tells.
      {
        run: [
          `env -i setsid sh -c 'echo $$ > ${folder}/server-2; exec sleep 986' >/dev/null 2>&1 &`,
          `until test -s ${folder}/server-2; do sleep 0.05; done`,
        ].join(' '),
      },
      // A zombie that nobody has reaped yet is dead.
      { run: `! grep -hs '^State:.[^ZX]' $(cat ${folder}/server-? | sed 's,.*,/proc/&/status,')` },
    ],
  },
];

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
  rig = makeRepository(planOf(out));
  launched = await rig.orch(['launch', '--max-parallel', '20']);
  waited = await rig.orch(['wait', '--timeout', '150s', '--json']);
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
}, 200_000);

afterAll(async () => {
  await rig.end();
  rmSync(out, { recursive: true, force: true });
});

beforeEach(() => onTestFailed(() => showLogs(rig.root)));

const reason = (id: string) =>
  rig.record(id)['reason'] as { code: string; message: string; hint: string | null };
const ran = (): string[] => readFileSync(join(out, 'ran'), 'utf8').trim().split('\n').sort();

describe('what fails', () => {
  it('ends the launch with 0, since all could start, and the wait with 1', () => {
    expect(launched.code).toBe(0);
    expect(waited.code).toBe(1);
  });

  it('says so with a code, a message and a hint', () => {
    const expected: Record<string, [string, string]> = {
      flaky: ['failed', 'error'],
      killed: ['failed', 'error'],
      untrue: ['failed', 'verify_failed'],
      'absent-test': ['failed', 'not_installed'],
      'absent-task': ['failed', 'not_installed'],
      setup: ['failed', 'setup_failed'],
      copy: ['failed', 'worktree_failed'],
      step: ['failed', 'verify_failed'],
      torn: ['failed', 'base_conflict'],
      child: ['blocked', 'dependency'],
      grandchild: ['blocked', 'dependency'],
    };
    for (const [id, [status, code]] of Object.entries(expected)) {
      expect([id, rig.status(id), reason(id).code]).toEqual([id, status, code]);
      expect(reason(id).hint).toEqual(expect.any(String));
    }
    for (const id of ['left', 'right', 'server']) expect([id, rig.status(id)]).toEqual([id, 'completed']);
  });

  it('keeps the exit code or the signal of the task', () => {
    expect(rig.record('flaky')).toMatchObject({ exit_code: 7, signal: null, progress: '1/2' });
    // What came of a task is told however long its text is.
    expect(reason('flaky').message).toMatch(/\b7$/);
    expect(rig.record('killed')).toMatchObject({ exit_code: null, signal: 'SIGKILL', progress: '0/1' });
    expect(rig.record('absent-task')).toMatchObject({ exit_code: 127 });
    expect(rig.record('setup')).toMatchObject({ exit_code: 4 });
    for (const id of ['flaky', 'untrue', 'absent-test', 'step', 'torn', 'copy']) {
      expect([id, rig.record(id)['exit_code']]).not.toEqual([id, 0]);
    }
    expect(rig.record('flaky')['tool_runs']).toMatchObject([
      { task: 1, outcome: 'done', exit_code: 0 },
      { task: 2, outcome: 'error', exit_code: 7 },
    ]);
  });

  it('runs all acceptance tests though one fails, and keeps the checkpoint of what was done', () => {
    expect(rig.record('untrue')['checks']).toMatchObject([{ passed: false }, { passed: true }]);
    expect(rig.record('untrue')['progress']).toBe('1/1');
    expect(rig.git('rev-parse', 'refs/orch/checkpoint/untrue').trim()).toBe(rig.record('untrue')['head']);
    expect(rig.record('absent-test')['checks']).toMatchObject([{ passed: false }]);
  });

  it('does not go on behind a failed setup, copy, step or merge', () => {
    expect(ran()).toEqual(['one']);
    expect(rig.record('step')['progress']).toBe('1/2');
  });

  it('names the file in which the parents of a workstream conflict', () => {
    expect(reason('torn').message).toContain('README.md');
    expect(rig.record('torn')['attempt']).toBe(1);
  });

  it('blocks what depends on it, and what depends on that', () => {
    expect(rig.record('child')['blocked_by']).toEqual(['flaky']);
    expect(rig.record('grandchild')['blocked_by']).toEqual(['child']);
    expect(reason('child').hint).toContain('flaky');
    expect(rig.record('child')).toMatchObject({ attempt: 0, pid: null, exit_code: null, started_at: null });
  });

  it('never commits the half-done, and keeps it where it is', () => {
    expect(rig.git('ls-tree', '--name-only', 'orch/flaky').split('\n')).not.toContain('half.txt');
    expect(rig.read('.worktrees/flaky/half.txt')).toBe('half\n');
  });

  it('ends what a tool leaves running, before the next task', () => {
    for (const name of ['server-1', 'server-2']) {
      const pid = Number(readFileSync(join(out, name), 'utf8'));
      expect(pid).toBeGreaterThan(1);
      expect(isAlive(pid)).toBe(false);
      const signals = rig.events().filter((one) => one['event'] === 'signal' && one['pid'] === pid);
      expect(signals.length).toBeGreaterThan(0);
    }
  });

  it('leaves no process and no sign of life', () => {
    expect(rig.processes()).toEqual([]);
    expect(readdirSync(join(rig.root, '.pids'))).toEqual(['.gitignore']);
    expect(
      readdirSync(join(rig.root, '.status')).filter((name) => /\.(heartbeat|stop|lock)/.test(name)),
    ).toEqual([]);
  });
});

describe('a second launch, once the cause is gone', () => {
  const family = ['flaky', 'child', 'grandchild'];

  it('goes on from the checkpoint and releases what was blocked', { timeout: 120_000 }, async () => {
    writeFileSync(join(out, 'flag'), '');
    const second = await rig.orch(['launch', '--only', ...family]);
    expect([second.code]).toEqual([0]);
    const wait = await rig.orch(['wait', '--timeout', '60s', ...family]);
    expect([wait.code, wait.stderr]).toEqual([0, '']);
    expect(family.map((id) => [rig.status(id), rig.record(id)['attempt']])).toEqual([
      ['completed', 2],
      ['completed', 1],
      ['completed', 1],
    ]);
    // The first task has a checkpoint: it is not run again.
    expect(ran()).toEqual(['one']);
    expect(rig.git('show', 'orch/grandchild:child.txt')).toBe('one\nhalf\n');
    expect(rig.git('rev-list', 'orch/child').split('\n')).toContain(rig.record('flaky')['head']);
  });

  it('salvages first what the failed attempt left behind', () => {
    const [ref = ''] = rig
      .git('for-each-ref', '--format=%(refname)', 'refs/orch/salvage/flaky')
      .trim()
      .split('\n');
    expect(ref).toBe('refs/orch/salvage/flaky/1');
    expect(rig.git('show', `${ref}:half.txt`)).toBe('half\n');
  });

  it('leaves the others as they were', () => {
    expect([rig.status('killed'), rig.record('killed')['attempt']]).toEqual(['failed', 1]);
  });
});
