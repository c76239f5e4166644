import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { callsOf, type ScriptedTurn, scriptedTools } from '../rig/agents.ts';
import { killHard, tool } from '../rig/ledger.ts';
import { makeRepository, type Rig, until } from '../rig/repository.ts';
import { closeServers, modelServer, says } from '../tools/llm/server.ts';

/** Prompt tasks through the built program, with tools whose every word is known. */

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.end();
  await closeServers();
});

type Wish = {
  scripts: Record<string, ScriptedTurn[]>;
  chain?: string[];
  accounts?: Record<string, string>;
  workstreams: Record<string, unknown>[];
  config?: Record<string, unknown>;
};

function world({ scripts, chain, accounts, workstreams, config }: Wish): Rig {
  const rig = makeRepository({ workstreams });
  rigs.push(rig);
  const tools = scriptedTools(rig, scripts, accounts);
  const tool = chain ?? Object.keys(scripts);
  const all = { tools, tool, heartbeat_interval: '500ms', stop_grace: '4s', ...config };
  rig.write('orch.config.json', JSON.stringify(all));
  rig.git('add', '--all');
  rig.git('commit', '--quiet', '--message=config');
  return rig;
}

const KEY = { TEST_API_KEY: 'sekret' };
const run = (rig: Rig) => rig.orch(['run', '--json'], { env: KEY });
const outcomes = (rig: Rig, id: string): unknown[] =>
  (rig.record(id)['tool_runs'] as { tool: string; outcome: string }[]).map(
    ({ tool, outcome }) => `${tool} ${outcome}`,
  );
const names = (rig: Rig, id?: string): string[] => callsOf(rig, id).map(({ name }) => name);
const history = (rig: Rig, id: string): Record<string, unknown>[] =>
  rig
    .read(`.status/${id}.history.ndjson`)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const one = (fields: Record<string, unknown> = {}) => ({ id: 'A', tasks: ['Write a.txt.'], ...fields });
const passes = { acceptance_tests: [{ run: 'grep -q good a.txt' }] };
const writes = (text: string, more: ScriptedTurn = {}): ScriptedTurn => ({
  write: { 'a.txt': `${text}\n` },
  ...more,
});

describe('fallback', { timeout: 180_000 }, () => {
  it('goes on to the next tool, whose work is the checkpoint; the first is not asked again', async () => {
    const rig = world({
      scripts: {
        bad: [{ says: 'AUTH no such key', exit: 1, write: { 'half.txt': 'half' } }],
        good: [writes('good', { usage: { in: 100, out: 20, cost: 0.25 } })],
      },
      workstreams: [one({ tasks: ['Write a.txt.', 'Write it again.'], ...passes })],
    });
    // The second task finds nothing to change, twice: the only tool that is left says so.
    expect((await run(rig)).code).toBe(0);
    expect(rig.record('A')).toMatchObject({
      status: 'completed',
      progress: '2/2',
      usage: { tokens_in: 300, tokens_out: 60, cost_usd: 0.75 },
    });
    expect(outcomes(rig, 'A')).toEqual(['bad auth', 'good done', 'good no_change', 'good no_change']);
    expect(names(rig)).toEqual(['bad', 'good', 'good', 'good']);
    expect(callsOf(rig).every(({ hasKey }) => hasKey)).toBe(true);
    // What the first left is kept, and is not on the branch.
    const files = rig.git('ls-tree', '--name-only', 'orch/A').split('\n');
    expect(files).toContain('a.txt');
    expect(files).not.toContain('half.txt');
    expect(rig.git('show', 'refs/orch/salvage/A/1:half.txt')).toBe('half');
    expect(existsSync(join(rig.root, '.git/worktrees/A/orch-scratch'))).toBe(false);
    const message = rig.git('log', '-1', '--format=%(trailers:key=Orch-Tool,valueonly)', 'orch/A').trim();
    expect(message).toBe('good');
  });

  it('with all of them down fails with what each said, and what to do', async () => {
    const rig = world({
      scripts: {
        bad: [{ says: 'AUTH no such key', exit: 1 }],
        worse: [{ says: 'CONTEXT_OVERFLOW', exit: 1 }],
      },
      chain: ['bad', 'worse'],
      workstreams: [one(passes)],
    });
    expect((await run(rig)).code).toBe(1);
    const { status, reason } = rig.record('A') as { status: string; reason: Record<string, string> };
    expect([status, reason['code']]).toEqual(['failed', 'context_overflow']);
    expect(reason['message']).toMatch(/bad: auth.*worse: context_overflow/);
    expect(reason['hint']).toContain('bad');
  });

  it('asks again once for what may pass, and keeps commits of a run that failed', async () => {
    const rig = world({
      scripts: {
        flaky: [
          { says: 'BAD_EDIT no match', write: { 'b.txt': 'x' }, commit: 'by a tool' },
          { says: 'BAD_EDIT no match' },
        ],
        good: [writes('good')],
      },
      workstreams: [one(passes)],
    });
    expect((await run(rig)).code).toBe(0);
    expect(outcomes(rig, 'A')).toEqual(['flaky bad_edit', 'flaky bad_edit', 'good done']);
    const [first, second, third] = callsOf(rig).map(({ prompt }) => prompt);
    expect(first).not.toContain('could not be applied');
    expect(second).toContain('could not be applied');
    expect(third).not.toContain('could not be applied');
    expect(rig.git('log', '--format=%s', 'refs/orch/salvage/A/1')).toContain('by a tool');
    expect(rig.git('log', '--format=%s', 'orch/A')).not.toContain('by a tool');
  });

  it('ends a workstream in which nothing was changed and nothing verified', async () => {
    const rig = world({ scripts: { idle: [{ says: 'Nothing to do.' }] }, workstreams: [one()] });
    expect((await run(rig)).code).toBe(1);
    expect(rig.record('A')).toMatchObject({ status: 'failed', reason: { code: 'no_change' } });
    expect(outcomes(rig, 'A')).toEqual(['idle no_change', 'idle no_change']);
  });
});

describe('aider, then the model API', { timeout: 180_000 }, () => {
  const block = 'FILE: a.txt\n<<<<<<< SEARCH\nbad\n=======\ngood\n>>>>>>> REPLACE\n';
  const chain = ['aider', 'llm'];
  const withAider = (fields: Record<string, unknown>): Rig => {
    const aider = { executable: tool('aider-without-key.sh'), model: 'openai/none' };
    const rig = world({ scripts: {}, chain, workstreams: [one(fields)], config: { tools: { aider } } });
    rig.write('a.txt', 'bad\n');
    rig.git('add', 'a.txt');
    rig.git('commit', '--quiet', '--message=a');
    return rig;
  };

  it('completes although aider has no key, and ends well as it says of itself', async () => {
    const server = await modelServer(says(block));
    const rig = withAider({ ...passes, files_scope: ['a.txt'] });
    const env = { ORCH_LLM_BASE_URL: server.url, ORCH_LLM_MODEL: 'm', ORCH_LLM_API_KEY: 'sk-of-a-test' };
    expect((await rig.orch(['run'], { env })).code).toBe(0);
    expect(outcomes(rig, 'A')).toEqual(['aider auth', 'llm done']);
    expect(rig.record('A')).toMatchObject({ usage: { tokens_in: 100, tokens_out: 7 } });
    for (const file of ['.logs/A.log', '.logs/A.err', '.status/A.history.ndjson', '.status/A.json'])
      expect(rig.read(file)).not.toContain('sk-of-a-test');
  });

  it('fails with both down, by what each said', async () => {
    const server = await modelServer((response) => {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}');
    });
    const rig = withAider(passes);
    const env = { ORCH_LLM_BASE_URL: server.url, ORCH_LLM_MODEL: 'm', ORCH_LLM_API_KEY: 'sk-of-a-test' };
    expect((await rig.orch(['run'], { env })).code).toBe(1);
    const { reason } = rig.record('A') as { reason: Record<string, string> };
    expect(reason['code']).toBe('auth');
    expect(reason['message']).toMatch(/aider: auth.*llm: auth/);
    expect(reason['hint']).toMatch(/key of aider and llm.*orch retry A/);
  });
});

describe('repair', { timeout: 180_000 }, () => {
  it('tells the tool what failed, commits what it mends, and tests again', async () => {
    const rig = world({
      scripts: { agent: [writes('bad'), writes('good')] },
      workstreams: [
        one({ acceptance_tests: [{ run: 'grep -q good a.txt || { echo it is $(cat a.txt); exit 3; }' }] }),
      ],
    });
    expect((await run(rig)).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', progress: '1/1', reason: null });
    expect(outcomes(rig, 'A')).toEqual(['agent verify_failed', 'agent done']);
    expect(callsOf(rig)[1]?.prompt).toMatch(/it is bad[\s\S]*exit code 3/);
    const trailers =
      '%(trailers:key=Orch-Repair,valueonly,separator=%x2C)|%(trailers:key=Orch-Task,valueonly)';
    const commits = rig.git('log', `--format=${trailers}`, 'main..orch/A').trim().split('\n').filter(Boolean);
    expect(commits.map((line) => line.split('|')[0])).toEqual(['1', '']);
    expect(new Set(commits.map((line) => line.split('|')[1])).size).toBe(1);
    expect(history(rig, 'A').filter(({ entry }) => entry === 'verify_failed')).toHaveLength(1);
  });

  it('is bounded, and a person who retries has it go on', async () => {
    const rig = world({
      scripts: { agent: [writes('bad'), writes('bad too'), writes('bad'), writes('good')] },
      workstreams: [one({ ...passes, circuit_breaker: { max_attempts: 3 } })],
    });
    expect((await run(rig)).code).toBe(1);
    expect(rig.record('A')).toMatchObject({
      status: 'failed',
      exit_code: 1,
      progress: '1/1',
      reason: { code: 'circuit_breaker' },
    });
    expect((rig.record('A')['reason'] as { message: string }).message).toContain('max_');
    const before = callsOf(rig).length;
    await rig.orch(['retry', 'A'], { env: KEY });
    expect((await rig.orch(['wait', '--timeout', '90s'])).code).toBe(0);
    expect(callsOf(rig).slice(before)).toMatchObject([{ attempt: 2 }]);
    expect(callsOf(rig).at(-1)?.prompt).toContain('What went wrong before');
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2 });
  });

  it('goes on to the next tool with the same words', async () => {
    const rig = world({
      scripts: {
        stubborn: [writes('bad'), writes('bad', { write: { 'b.txt': 'b' } })],
        good: [writes('good')],
      },
      workstreams: [one({ ...passes, circuit_breaker: { max_error_repeats: 2 } })],
    });
    expect((await run(rig)).code).toBe(0);
    expect(outcomes(rig, 'A')).toEqual(['stubborn verify_failed', 'stubborn verify_failed', 'good done']);
    expect(callsOf(rig)[2]?.prompt).toContain('grep -q good a.txt');
  });

  it('is not tried for a test whose program is not there, nor where no agent came before', async () => {
    const rig = world({
      scripts: { agent: [writes('good')] },
      workstreams: [
        one({ acceptance_tests: [{ run: 'no-such-program-here' }] }),
        { id: 'B', tasks: [{ run: 'true' }], acceptance_tests: [{ run: 'false' }] },
      ],
    });
    expect((await run(rig)).code).toBe(1);
    expect(rig.record('A')).toMatchObject({ reason: { code: 'not_installed' } });
    expect(rig.record('B')).toMatchObject({ reason: { code: 'verify_failed' } });
    expect(names(rig)).toEqual(['agent']);
  });
});

describe('what a tool says of its use', { timeout: 180_000 }, () => {
  it('is kept where it can be true, and leaves a record that can be read', async () => {
    const rig = world({
      scripts: {
        boasts: [writes('bad', { usage: { in: 1e300, out: 1.5, cost: 1e300 } }), writes('good')],
      },
      workstreams: [one(passes)],
    });
    expect((await run(rig)).code).toBe(0);
    const usage = { tokens_in: 2 ** 40, tokens_out: 2, cost_usd: null };
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 1, usage });
    expect(rig.events().filter(({ event }) => event === 'rebuilt')).toEqual([]);
  });
});

describe('a limit of an account', { timeout: 180_000 }, () => {
  it('that three workers meet is waited out by all, at no cost', async () => {
    const rig = world({
      scripts: {
        limited: [
          { says: 'RATE_LIMITED, try again in 4s', exit: 1, waits: 'all' },
          { write: { 'a.txt': 'good {workstream}\n' } },
        ],
      },
      accounts: { limited: 'shared' },
      workstreams: ['A', 'B', 'C'].map((id) => ({
        ...one(passes),
        id,
        circuit_breaker: { max_attempts: 1 },
      })),
    });
    const running = run(rig);
    await until(() => callsOf(rig).length === 3, { what: 'all three to ask', boundMs: 90_000 });
    writeFileSync(join(rig.aside, 'all'), '');
    const waiting = (id: string): boolean =>
      (rig.record(id)['reason'] as { code: string } | null)?.code === 'rate_limited';
    await until(() => ['A', 'B', 'C'].some(waiting), { what: 'one to wait', boundMs: 60_000 });
    expect((await running).code).toBe(0);
    for (const id of ['A', 'B', 'C']) {
      expect(rig.record(id)).toMatchObject({ status: 'completed', attempt: 1, reason: null });
      expect(outcomes(rig, id)).toEqual(['limited rate_limited', 'limited done']);
    }
    expect(callsOf(rig)).toHaveLength(6);
    const path = join(rig.aside, 'state/orch/limits.json');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // It answered since: nothing is known of it any more.
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({});
  });

  it('is told while it is waited for, and a stop ends the wait', async () => {
    const rig = world({
      scripts: { limited: [{ says: 'QUOTA is used up', exit: 1 }] },
      workstreams: [one(passes)],
    });
    await rig.orch(['launch'], { env: KEY });
    const isTold = (): boolean => (rig.record('A')['reason'] as { code: string } | null)?.code === 'quota';
    await until(isTold, { what: 'the wait to be told', boundMs: 90_000 });
    expect(rig.record('A')).toMatchObject({ status: 'running', attempt: 1 });
    expect(rig.record('A')['current_task']).toMatch(
      /^waiting for account limited until \d\d:\d\d:\d\d: Write/,
    );
    expect((await rig.orch(['stop', 'A'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'stopped', reason: { code: 'stopped' } });
    expect(callsOf(rig)).toHaveLength(1);
  });

  it('is waited out too where it cannot be shared, whatever the file has from before', async () => {
    const rig = world({
      scripts: { limited: [{ says: 'RATE_LIMITED, try again in 4s', exit: 1 }, writes('good')] },
      workstreams: [one(passes)],
    });
    const folder = join(rig.aside, 'state/orch');
    mkdirSync(folder, { recursive: true });
    const at = Date.now() / 1000 - 600;
    const over = { limited: { kind: 'rate_limited', until: at + 60, hits: 1, why: 'before', at } };
    writeFileSync(join(folder, 'limits.json'), JSON.stringify(over), { mode: 0o600 });
    // A folder that others may write to is read, and not written.
    chmodSync(folder, 0o777);
    expect((await run(rig)).code).toBe(0);
    expect(outcomes(rig, 'A')).toEqual(['limited rate_limited', 'limited done']);
    const [first, second] = callsOf(rig).map(({ at: begun }) => begun);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(4_000);
  });

  it('is walked around by a tool of another account', async () => {
    const rig = world({
      scripts: { limited: [{ says: 'RATE_LIMITED, try again in 900s', exit: 1 }], other: [writes('good')] },
      workstreams: [one(passes), { ...one(passes), id: 'B', depends_on: ['A'] }],
    });
    expect((await run(rig)).code).toBe(0);
    expect(outcomes(rig, 'A')).toEqual(['limited rate_limited', 'other done']);
    // The second workstream knows of it, and does not ask; it has nothing to change, and its test passes.
    expect(names(rig, 'B')).not.toContain('limited');
  });
});

describe('kill -9 of the worker in the middle of a tool', { timeout: 180_000 }, () => {
  it('runs the task again from the checkpoint; half-done edits are on a salvage ref', async () => {
    const rig = world({
      scripts: {
        agent: [
          { write: { 'first.txt': 'first' } },
          { write: { 'half.txt': 'half', 'first.txt': 'spoilt' }, waits: 'never' },
          writes('good'),
        ],
      },
      workstreams: [one({ tasks: ['Write first.txt.', 'Write a.txt.'], ...passes })],
    });
    await rig.orch(['launch'], { env: KEY });
    const half = join(rig.root, '.worktrees/A/half.txt');
    await until(() => existsSync(half), { what: 'half-done edits', boundMs: 90_000 });
    await killHard(rig.pid('A'));
    expect((await rig.orch(['wait', '--timeout', '120s'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2, progress: '2/2' });
    expect(callsOf(rig).map(({ attempt }) => attempt)).toEqual([1, 1, 2]);
    expect(rig.git('show', 'refs/orch/salvage/A/1:half.txt')).toBe('half');
    expect(rig.git('show', 'orch/A:first.txt')).toBe('first');
    await until(() => rig.processes().length === 0, { what: 'all to end', boundMs: 60_000 });
  });

  it('in a repair: the next attempt tests the last checkpoint and goes on repairing', async () => {
    const rig = world({
      scripts: { agent: [writes('bad'), { write: { 'half.txt': 'half' }, waits: 'never' }, writes('good')] },
      workstreams: [one(passes)],
    });
    await rig.orch(['launch'], { env: KEY });
    const half = join(rig.root, '.worktrees/A/half.txt');
    await until(() => existsSync(half), { what: 'a repair to begin', boundMs: 90_000 });
    await killHard(rig.pid('A'));
    expect((await rig.orch(['wait', '--timeout', '120s'])).code).toBe(0);
    expect(callsOf(rig).map(({ attempt }) => attempt)).toEqual([1, 1, 2]);
    expect(callsOf(rig)[2]?.prompt).toContain('grep -q good a.txt');
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2, progress: '1/1' });
    expect(outcomes(rig, 'A')).toEqual(['agent done']);
    expect(rig.git('show', 'refs/orch/salvage/A/1:half.txt')).toBe('half');
    expect(rig.git('ls-tree', '--name-only', 'orch/A').split('\n')).not.toContain('half.txt');
  });
});
