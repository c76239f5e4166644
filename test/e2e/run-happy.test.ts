import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { type Finished, makeRepository, type Rig, until } from '../rig/repository.ts';
import { showLogs } from '../rig/rigs.ts';

/** One run of six workstreams, one at a time, that all complete; then everything that it left is looked at. */

const FOLDERS = ['.status', '.pids', '.logs', '.worktrees'];
const MODEL_KEYS = {
  OPENAI_API_KEY: 'k1',
  ANTHROPIC_API_KEY: 'k2',
  ORCH_LLM_API_KEY: 'k3',
};
const GIT_VARIABLES = {
  GIT_INDEX_FILE: '/nonexistent/index',
  GIT_AUTHOR_NAME: 'Nobody',
  GIT_DIR: '/nonexistent',
};
/** Settings that people have, each of which would change what a careless git command does or prints. */
const GIT_CONFIG = `
[commit]
	gpgSign = true
	template = /nonexistent
[gpg]
	program = /bin/false
[core]
	fsmonitor = true
	autocrlf = input
	abbrev = 4
	pager = false
	editor = false
[status]
	showUntrackedFiles = no
	short = true
	branch = true
[color]
	ui = always
[log]
	showSignature = true
[i18n]
	logOutputEncoding = latin1
[worktree]
	guessRemote = true
[checkout]
	defaultRemote = nowhere
[merge]
	ff = only
[user]
	useConfigOnly = true
`;
const HOOKS = ['pre-commit', 'commit-msg', 'post-commit', 'post-checkout', 'reference-transaction'];

let out = '';
let rig: Rig;
let base = '';
let before: Record<string, string>;
let launched: Finished;
let waited: Finished;

const planOf = (probe: string): unknown[] => [
  {
    id: 'first',
    title: 'The first',
    setup: ['mkdir -p deps && echo library > deps/lib.txt', `env > ${probe}/setup.env`],
    copy: ['.env'],
    env: { GREETING: 'hello there' },
    tasks: [
      {
        run: `env > ${probe}/task.env; cat .env deps/lib.txt > ${probe}/seen; echo "$GREETING" > greeting.txt`,
      },
      { run: 'echo second >> greeting.txt; echo to stdout; echo to stderr >&2' },
    ],
    acceptance_tests: [
      { run: `env > ${probe}/check.env; touch left-by-test; echo spoiled >> greeting.txt` },
      { prose: 'It reads well.' },
      'test -s greeting.txt',
    ],
  },
  {
    id: 'second',
    priority: 'critical',
    tasks: [{ run: 'echo b > b.txt' }],
    acceptance_tests: [{ run: 'test -f b.txt' }],
  },
  { id: 'low', priority: 'low', tasks: [{ run: 'true' }] },
  {
    id: 'number',
    priority: 7,
    // The first to begin: all others come after the commit of the user, and see no ref move.
    tasks: [{ run: `until test -e ${probe}/committed; do sleep 0.05; done; echo n > n.txt` }],
    acceptance_tests: [{ prose: 'Fine.' }],
  },
  {
    id: 'child',
    priority: 'CRITICAL',
    depends_on: ['first'],
    tasks: [{ run: 'test -f greeting.txt && echo c > c.txt' }],
  },
  { id: 'both', depends_on: ['first', 'second'], tasks: [{ run: 'cat greeting.txt b.txt > both.txt' }] },
];

/** All of the user's repository that orch must not touch. */
function userState(): Record<string, string> {
  const refs = rig.git('for-each-ref', '--format=%(refname) %(objectname)').split('\n');
  return {
    head: readFileSync(join(rig.root, '.git/HEAD'), 'utf8'),
    index: readFileSync(join(rig.root, '.git/index')).toString('base64'),
    config: readFileSync(join(rig.root, '.git/config'), 'utf8'),
    stash: rig.git('stash', 'list', '--format=%H'),
    refs: refs.filter((ref) => !/^refs\/(heads\/orch|orch)\//.test(ref)).join('\n'),
    readme: rig.read('README.md'),
    hooks: readdirSync(join(rig.root, '.git/hooks')).sort().join(' '),
  };
}

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
  rig = makeRepository(planOf(out), { 'README.md': 'hello\n', '.gitignore': '.env\n' });
  rig.write('.env', 'SECRET=42\n');
  rig.git('branch', 'other');
  rig.write('README.md', 'stashed\n');
  rig.git('stash');
  base = rig.git('rev-parse', 'HEAD').trim();
  mkdirSync(join(rig.root, '.git/hooks'), { recursive: true });
  for (const hook of HOOKS) {
    const path = join(rig.root, '.git/hooks', hook);
    writeFileSync(path, `#!/bin/sh\necho ${hook} >> ${out}/hooks\n`);
    chmodSync(path, 0o755);
  }
  writeFileSync(join(out, '.gitconfig'), GIT_CONFIG);
  const env = { ...MODEL_KEYS, ...GIT_VARIABLES, HOME: out, XDG_CONFIG_HOME: out };
  launched = await rig.orch(['launch', '--max-parallel', '1'], { env });
  // The base is frozen: what the user commits meanwhile is not in workstreams that start later.
  rig.write('later.txt', 'later\n');
  rig.git('add', 'later.txt');
  rig.git('-c', 'core.hooksPath=/dev/null', 'commit', '--quiet', '--message=later');
  rig.git('status');
  before = userState();
  writeFileSync(join(out, 'committed'), '');
  waited = await rig.orch(['wait', '--timeout', '150s']);
  await until(() => rig.processes().length === 0, { what: 'all processes to end' });
}, 200_000);

afterAll(async () => {
  await rig.end();
  rmSync(out, { recursive: true, force: true });
});

beforeEach(() => onTestFailed(() => showLogs(rig.root)));

const ids = ['first', 'second', 'low', 'number', 'child', 'both'];
const checkpoint = (id: string): string => rig.git('rev-parse', `refs/orch/checkpoint/${id}`).trim();
const files = (id: string): string[] =>
  rig.git('ls-tree', '-r', '--name-only', `orch/${id}`).trim().split('\n');
const events = (id: string, event: string) =>
  rig.events().filter((one) => one['workstream'] === id && one['event'] === event);
const lines = (path: string): string[] => readFileSync(path, 'utf8').trim().split('\n');

describe('a run in which all goes well', () => {
  it('ends with 0, by launch and by wait', () => {
    expect([launched.code, launched.stderr]).toEqual([0, '']);
    expect([waited.code, waited.stderr]).toEqual([0, '']);
    expect(ids.map((id) => rig.status(id))).toEqual(ids.map(() => 'completed'));
  });

  it('writes records that hold what happened', () => {
    const record = rig.record('first');
    expect(record).toMatchObject({
      status: 'completed',
      current_task: null,
      progress: '2/2',
      exit_code: 0,
      workstream: 'first',
      schema: 'orch.status/1',
      title: 'The first',
      attempt: 1,
      restarts: 0,
      mode: 'detached',
      tool: null,
      branch: 'orch/first',
      worktree: join(rig.root, '.worktrees/first'),
      base,
      depends_on: [],
      blocked_by: [],
      signal: null,
      reason: null,
    });
    const [started, ended] = [Number(record['started_at']), Number(record['ended_at'])];
    expect(ended).toBeGreaterThan(started);
    expect(Math.abs(Date.now() / 1000 - ended)).toBeLessThan(180);
    expect(record['last_update']).toBe(ended);
    expect(record['tool_runs']).toMatchObject([
      { task: 1, tool: 'command', outcome: 'done', exit_code: 0 },
      { task: 2, tool: 'command', outcome: 'done', exit_code: 0 },
    ]);
    expect(rig.record('both')['depends_on']).toEqual(['first', 'second']);
  });

  it('puts the five fields of the design document first', () => {
    for (const id of ids) {
      const first = Object.keys(rig.record(id)).slice(0, 5);
      expect(first).toEqual(['status', 'current_task', 'progress', 'last_update', 'exit_code']);
    }
  });

  it('keeps records within one block', () => {
    for (const id of ids)
      expect(statSync(join(rig.root, `.status/${id}.json`)).size).toBeLessThanOrEqual(4096);
  });

  it('judges by the tests that are commands, and says where there were none', () => {
    expect(rig.record('first')['checks']).toMatchObject([
      { kind: 'command', passed: true },
      { kind: 'prose', passed: null },
      { kind: 'command', passed: true },
    ]);
    expect(rig.record('second')['reason']).toBeNull();
    for (const id of ['low', 'number', 'child', 'both']) {
      expect(rig.record(id)['reason']).toMatchObject({ code: 'unverified' });
    }
  });

  it('leaves branch, checkpoint and record at one commit', () => {
    for (const id of ids) {
      const tip = rig.git('rev-parse', `orch/${id}`).trim();
      expect([rig.record(id)['head'], checkpoint(id)]).toEqual([tip, tip]);
    }
    // A task that changes nothing has a checkpoint too.
    expect(rig.git('rev-list', '--count', `${base}..orch/low`).trim()).toBe('1');
    expect(rig.git('rev-list', '--count', `${base}..orch/first`).trim()).toBe('2');
  });

  it('starts all from the frozen base, dependents from what they depend on', () => {
    for (const id of ['first', 'second', 'low', 'number']) expect(rig.record(id)['base']).toBe(base);
    for (const id of ids) expect(files(id)).not.toContain('later.txt');
    expect(rig.record('child')['base']).toBe(rig.record('first')['head']);
    const merge = String(rig.record('both')['base']);
    const parents = rig.git('rev-list', '--parents', '--no-walk', merge).trim().split(' ').slice(1);
    expect(parents).toEqual([rig.record('first')['head'], rig.record('second')['head']]);
    expect(rig.git('show', 'orch/both:both.txt')).toBe('hello there\nsecond\nb\n');
  });

  it('starts the most urgent of those that are ready', () => {
    const order = rig.events().filter(({ event, to }) => event === 'state' && to === 'starting');
    expect(order.map(({ workstream }) => workstream)).toEqual([
      'number',
      'second',
      'first',
      'child',
      'both',
      'low',
    ]);
  });

  it('commits what tasks made, and neither what setup made nor what was copied nor what tests left', () => {
    expect(readFileSync(join(out, 'seen'), 'utf8')).toBe('SECRET=42\nlibrary\n');
    expect(files('first').sort()).toEqual(['.gitignore', 'README.md', 'greeting.txt', 'orch.plan.json']);
    expect(rig.git('show', 'orch/first:greeting.txt')).toBe('hello there\nsecond\n');
    expect(rig.read('.worktrees/first/greeting.txt')).toBe('hello there\nsecond\n');
    expect(readdirSync(join(rig.root, '.worktrees/first'))).not.toContain('left-by-test');
    const all = rig.git('log', '--all', '--format=', '--name-only').split('\n');
    expect(all.filter((path) => path === '.env' || path.startsWith('deps/'))).toEqual([]);
  });

  it('gives commands who they work for, and neither keys nor git variables', () => {
    const { run, attempt, identity } = rig.record('first');
    const { token } = identity as { token: string };
    for (const name of ['setup.env', 'task.env', 'check.env']) {
      const given = lines(join(out, name));
      expect(given).toEqual(
        expect.arrayContaining([
          `ORCH_ROOT=${rig.root}`,
          'ORCH_WORKSTREAM=first',
          `ORCH_RUN=${run}`,
          `ORCH_ATTEMPT=${attempt}`,
          `ORCH_TOKEN=${token}`,
          'GREETING=hello there',
        ]),
      );
      for (const key of [...Object.keys(MODEL_KEYS), ...Object.keys(GIT_VARIABLES)]) {
        expect(given.filter((line) => line.startsWith(`${key}=`))).toEqual([]);
      }
    }
  });

  it('keeps the output of tools in the logs, where the record says', () => {
    const runs = rig.record('first')['tool_runs'] as { log: [number, number]; err: [number, number] }[];
    const part = (path: string, range: [number, number] | undefined): string =>
      readFileSync(join(rig.root, path))
        .subarray(...(range ?? [0, 0]))
        .toString();
    expect(part('.logs/first.log', runs[1]?.log)).toBe('to stdout\n');
    expect(part('.logs/first.err', runs[1]?.err)).toBe('to stderr\n');
  });

  it('prints the logs', async () => {
    const [stdout, stderr, last] = await Promise.all([
      rig.orch(['logs', 'first']),
      rig.orch(['logs', 'first', '--stderr']),
      rig.orch(['logs', 'first', '-n', '1', '--attempt', '1']),
    ]);
    expect([stdout.code, `${stdout.stdout}\n`]).toEqual([0, rig.read('.logs/first.log')]);
    expect([stderr.code, stderr.stdout]).toEqual([0, 'to stderr']);
    expect(`${last.stdout}\n`).toBe(rig.read('.logs/first.log').match(/.*\n$/)?.[0]);
  });

  it('keeps the history of tool runs and checks', () => {
    const history = lines(join(rig.root, '.status/first.history.ndjson')).map((line) => JSON.parse(line));
    expect(history.map(({ entry }) => entry)).toEqual([
      'attempt',
      'tool_run',
      'tool_run',
      'check',
      'check',
      'check',
    ]);
    expect(history.every(({ at, attempt }) => at > 1e9 && attempt === 1)).toBe(true);
  });

  it('audits each change of state, with who and why', () => {
    for (const id of ids) {
      const states = events(id, 'state').map(({ from, to }) => [from, to]);
      expect(states).toEqual([
        [null, 'pending'],
        ['pending', 'starting'],
        ['starting', 'running'],
        ['running', 'completed'],
      ]);
      expect(events(id, 'spawn')).toHaveLength(1);
    }
    for (const event of rig.events()) {
      expect(event).toMatchObject({
        at: expect.any(Number),
        actor: expect.any(String),
        why: expect.any(String),
      });
    }
    expect(rig.events().filter(({ event }) => event === 'signal')).toEqual([]);
  });

  it('keeps its folders and files from others, and out of git', () => {
    for (const folder of FOLDERS) {
      expect(statSync(join(rig.root, folder)).mode & 0o777).toBe(0o700);
      expect(rig.read(`${folder}/.gitignore`)).toBe('*\n');
    }
    for (const folder of ['.status', '.pids', '.logs']) {
      for (const name of readdirSync(join(rig.root, folder))) {
        expect([name, statSync(join(rig.root, folder, name)).mode & 0o777]).toEqual([name, 0o600]);
      }
    }
    expect(rig.git('status', '--porcelain')).toBe('');
  });

  it('leaves no sign of life behind', () => {
    expect(readdirSync(join(rig.root, '.pids'))).toEqual(['.gitignore']);
    const left = readdirSync(join(rig.root, '.status')).filter((name) =>
      /\.(heartbeat|stop|lock)|\d$/.test(name),
    );
    expect(left).toEqual([]);
  });

  it('touches neither checkout, index, branches, stash, config nor hooks of the user', () => {
    expect(userState()).toEqual(before);
    expect(readdirSync(out)).not.toContain('hooks');
  });
});
