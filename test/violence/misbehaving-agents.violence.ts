import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { type Finished, isAlive, makeRepository, type Rig, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/** Agents that hang, ask, flood, cheat and leave things behind: each ends as told, and nothing of it is lost. */

const AGENT = join(import.meta.dirname, '../fixtures/agents/misbehaves.sh');
const BOUND_MS = 400_000;

let rig: Rig;
let waited: Finished;

const behave = (name: string) => ({ prompt: `Please behave: ${name} as ever.` });
const check = { run: 'sh test/check.sh' };
const once = { circuit_breaker: { max_attempts: 2 } };

const PLAN = [
  { id: 'hangs', tasks: [behave('hangs')] },
  { id: 'asks', tasks: [behave('asks')] },
  {
    id: 'floods',
    tasks: [behave('floods'), { run: 'grep VmHWM /proc/$PPID/status > $ORCH_ROOT.aside/memory-after' }],
  },
  {
    id: 'strays',
    files_scope: ['src/'],
    tasks: [behave('strays')],
    acceptance_tests: [{ run: 'test ! -e out.txt' }],
  },
  { id: 'cheats', ...once, tasks: [behave('cheats')], acceptance_tests: [check] },
  { id: 'deletes-test', ...once, tasks: [behave('deletes-test')], acceptance_tests: [{ run: 'make test' }] },
  {
    id: 'weakens',
    tasks: [behave('works-and-weakens')],
    acceptance_tests: [check, { prose: 'It is pretty' }],
  },
  {
    id: 'allowed',
    files_scope: ['test/', 'answer.txt'],
    scope: 'warn',
    tasks: [behave('cheats')],
    acceptance_tests: [check],
  },
  {
    id: 'planned',
    tasks: [{ run: "printf 'test -e answer.txt\\n' > test/check.sh" }, behave('works-and-weakens')],
    acceptance_tests: [check],
  },
  {
    id: 'killed',
    tasks: [{ run: 'cp $ORCH_ROOT.aside/kills.sh test/check.sh' }, behave('works-and-weakens')],
    acceptance_tests: [check],
  },
  { id: 'commits', tasks: [behave('commits')] },
  { id: 'amends', tasks: [{ run: 'echo kept > kept.txt' }, behave('amends')] },
  { id: 'resets', tasks: [{ run: 'echo kept > kept.txt' }, behave('resets')] },
  { id: 'switches', tasks: [behave('switches')] },
  { id: 'leaves-server', tasks: [behave('leaves-server')] },
  { id: 'nests', tasks: [behave('nests')] },
  { id: 'deletes-git', tasks: [behave('deletes-git')] },
  { id: 'fills', tasks: [behave('fills')] },
];

/** Passes where the answer is right; the first time it kills its worker instead. */
const KILLS = `[ -e "$ORCH_ROOT.aside/was-killed" ] && exec grep -q right answer.txt
touch "$ORCH_ROOT.aside/was-killed"
kill -9 "$(cat "$ORCH_ROOT/.pids/killed.pid")"
sleep 60
`;

beforeAll(async () => {
  rig = makeRepository(PLAN, {
    'README.md': 'hello\n',
    'test/check.sh': 'grep -q right answer.txt\n',
    Makefile: '.PHONY: test\ntest:\n\tsh test/check.sh\n',
    'orch.config.yaml': `tools:\n  wild:\n    executable: /bin/sh\n    args: [${JSON.stringify(AGENT)}]\n`,
  });
  rig.git('config', 'user.name', 'Tool');
  rig.git('config', 'user.email', 'tool@localhost');
  rig.git('config', 'core.excludesFile', '/dev/null');
  writeFileSync(join(rig.aside, 'kills.sh'), KILLS);
  const launched = await rig.orch([
    'launch',
    '--tool',
    'wild',
    '--max-parallel',
    '5',
    '--stall-timeout',
    '10s',
  ]);
  expect(launched).toMatchObject({ code: 0 });
  waited = await rig.orch(['wait', '--timeout', '380s']);
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
}, BOUND_MS);

afterAll(async () => await rig.end());

beforeEach(() => onTestFailed(() => showLogs(rig.root)));

const aside = (name: string): string[] => readFileSync(join(rig.aside, name), 'utf8').trim().split('\n');
const reasonOf = (id: string) =>
  rig.record(id)['reason'] as { code: string; message: string; hint: string } | null;
const files = (ref: string): string[] =>
  rig
    .git('ls-tree', '-r', '--name-only', ref)
    .trim()
    .split('\n')
    .filter((name) => !/^(README|Makefile|orch\.|test\/check)/.test(name));
const outcomes = (id: string): unknown[] =>
  (rig.record(id)['tool_runs'] as { outcome: string }[]).map(({ outcome }) => outcome);
const edits = (id: string) =>
  rig.events().filter(({ event, workstream }) => event === 'tests_edited' && workstream === id);
const reached = (commit: string): boolean => rig.git('for-each-ref', `--contains=${commit}`).trim() !== '';

describe('an agent that', () => {
  it('hangs, or asks at its terminal, stalls; what it half did is salvaged', () => {
    expect(waited.code).toBe(1);
    for (const id of ['hangs', 'asks']) {
      expect([id, rig.status(id), reasonOf(id)?.code]).toEqual([id, 'timed_out', 'stalled']);
      expect(outcomes(id)).toEqual(['stalled', 'stalled']);
    }
    expect(rig.git('show', 'refs/orch/salvage/hangs/1:half.txt')).toBe('half\n');
  });

  it('floods its log costs its worker no memory', () => {
    expect(rig.status('floods')).toBe('completed');
    const kilobytes = (name: string): number => Number(/(\d+) kB/.exec(aside(name)[0] ?? '')?.[1]);
    expect(kilobytes('memory-before')).toBeGreaterThan(0);
    expect(kilobytes('memory-after') - kilobytes('memory-before')).toBeLessThan(150_000);
  });

  it('edits outside of its scope is told of, and its work inside stays', () => {
    expect([rig.status('strays'), reasonOf('strays')?.code]).toEqual(['completed', 'scope_violation']);
    expect(files('orch/strays')).toEqual(['src/in.txt']);
    expect(rig.git('show', 'refs/orch/salvage/strays/1:out.txt')).toBe('out\n');
  });

  it.each(['cheats', 'deletes-test'])('%s is judged by the test from before', (id) => {
    expect([rig.status(id), reasonOf(id)?.code]).toEqual([
      'failed',
      expect.stringMatching(/circuit_breaker|verify_failed/),
    ]);
    expect(rig.record(id)['checks']).toMatchObject([{ kind: 'command', passed: false }]);
    expect(edits(id)[0]).toMatchObject({
      paths: expect.arrayContaining([expect.objectContaining({ path: 'test/check.sh' })]),
    });
    // Told in full, and the worktree is as the agent left it.
    expect(`${reasonOf(id)?.message} ${reasonOf(id)?.hint}`).toContain('test/check.sh');
    expect(rig.git('-C', join(rig.root, '.worktrees', id), 'status', '--porcelain')).toBe('');
  });

  it('works, and weakens the test beside, is done, and told of', () => {
    expect([rig.status('weakens'), reasonOf('weakens')?.code]).toEqual(['completed', 'tests_edited']);
    expect(reasonOf('weakens')).toMatchObject({
      message: expect.stringContaining('test/check.sh'),
      hint: expect.stringContaining('git diff'),
    });
    expect(rig.record('weakens')['checks']).toMatchObject([
      { kind: 'command', passed: true },
      { kind: 'prose', passed: null },
    ]);
    expect(edits('weakens')).toHaveLength(1);
    expect(edits('weakens')[0]?.['paths']).toEqual([{ path: 'test/check.sh', change: 'modified' }]);
    expect(rig.git('show', 'orch/weakens:test/check.sh')).toBe('exit 0\n');
    expect(files('orch/weakens')).toEqual(['answer.txt', 'test/new.test.sh']);
    expect(rig.git('-C', join(rig.root, '.worktrees/weakens'), 'status', '--porcelain')).toBe('');
  });

  it('edits what the plan put in scope decides by it', () => {
    expect([rig.status('allowed'), rig.record('allowed')['reason']]).toEqual(['completed', null]);
    expect(edits('allowed')).toEqual([]);
  });

  it('edits what a command of the plan wrote is judged by what that wrote', () => {
    expect([rig.status('planned'), reasonOf('planned')?.code]).toEqual(['completed', 'tests_edited']);
  });

  it('is judged so by the next attempt too, and a worker killed meanwhile leaves nothing to salvage', () => {
    expect(rig.record('killed')).toMatchObject({
      status: 'completed',
      attempt: 2,
      reason: { code: 'tests_edited' },
    });
    expect(rig.git('for-each-ref', 'refs/orch/salvage/killed')).toBe('');
    expect(rig.git('show', 'orch/killed:test/check.sh')).toBe('exit 0\n');
    expect(aside('agents').filter((line) => line.endsWith(' 2'))).toEqual([]);
  });

  it('uses git by itself loses no commit, and is no agent without a change', () => {
    for (const id of ['commits', 'amends', 'resets', 'switches']) {
      expect([id, rig.status(id), outcomes(id).at(-1)]).toEqual([id, 'completed', 'done']);
      expect(rig.record(id)['head']).toBe(rig.git('rev-parse', `orch/${id}`).trim());
    }
    for (const commit of aside('commits')) expect([commit, reached(commit)]).toEqual([commit, true]);
    expect(files('orch/commits')).toEqual(['own.txt']);
    expect(files('orch/amends')).toEqual(['amended.txt', 'kept.txt']);
    expect(files('orch/resets')).toEqual(['after.txt']);
    expect(files('orch/switches')).toEqual(['stray.txt']);
  });

  it('makes a repository of its own, deletes .git or fills the disk is done, and keeps its work', () => {
    for (const id of ['nests', 'deletes-git', 'fills'])
      expect([id, rig.status(id)]).toEqual([id, 'completed']);
    expect(files('orch/nests')).toEqual(['beside.txt']);
    expect(rig.read('.worktrees/nests/vendor/nested.txt')).toBe('nested\n');
    expect(files('orch/deletes-git')).toEqual(['bare.txt']);
    expect(rig.git('cat-file', '-s', 'orch/fills:big.bin').trim()).toBe('100000000');
  });

  it('leaves no process, whatever it started', () => {
    expect(rig.status('leaves-server')).toBe('completed');
    expect(files('orch/leaves-server')).toEqual(['served.txt']);
    const pids = aside('pids').map((line) => Number(line.split(' ')[1]));
    expect(pids.length).toBeGreaterThan(18);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(rig.processes()).toEqual([]);
  });

  it('leaves the checkout of the user as it was', () => {
    expect(rig.git('status', '--porcelain')).toBe('');
    expect(rig.git('fsck', '--no-dangling', '--no-progress')).toBe('');
  });
});
