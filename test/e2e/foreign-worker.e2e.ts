import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { json, killHard, statusOf, verdictsOf } from '../rig/ledger.ts';
import { isAlive, ORCH, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** Foreign workers: the programs of the guide as they stand there, and some that are less well behaved. */

vi.setConfig({ testTimeout: 120_000 });

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/guides/foreign-worker.md'), 'utf8');

const blocksOf = (language: string): string[] =>
  [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, code = '']) => code,
  );

const [SHELL = '', KIND_LINES = ''] = blocksOf('sh');
const [PYTHON = ''] = blocksOf('python');

/** The shell worker that passes SIGTERM on, put together as the guide says. */
function kindShell(): string {
  const [trap = '', step = ''] = KIND_LINES.split('\n');
  const lines = SHELL.split('\n').flatMap((line) => {
    if (line.startsWith('for ')) return [trap, line];
    return line.trimStart().startsWith('sh "steps') ? [step] : [line];
  });
  return lines.join('\n');
}

/** A repository with four steps, each of which waits for `pass(rig, step)`. */
function rigWithSteps(): Rig {
  const step = (at: number): [string, string] => {
    return [
      `steps/${at}.sh`,
      `until test -s "$ASIDE/pass-${at}"; do sleep 0.02; done; exit $(cat "$ASIDE/pass-${at}")\n`,
    ];
  };
  return rigOf(undefined, Object.fromEntries([1, 2, 3, 4].map(step)));
}

const pass = (rig: Rig, step: number, code = 0): void =>
  writeFileSync(join(rig.aside, `pass-${step}`), String(code));

/** Starts a program that orch knows nothing of; it is ended after the test. */
function startProgram(
  rig: Rig,
  file: string,
  args: readonly string[],
): { pid: number; ended: Promise<unknown> } {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ASIDE: rig.aside };
  const child = spawn(file, args, { cwd: rig.root, env, stdio: 'ignore', detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} did not start`);
  const ended = new Promise((resolve) => child.once('exit', (code, name) => resolve(code ?? name)));
  onTestFinished(async () => {
    // With the step that it runs: both are in a group of their own.
    signal(-pid, 'SIGKILL');
    await ended;
  });
  return { pid, ended };
}

const recordText = (rig: Rig, id: string): string => rig.read(`.status/${id}.json`);

/** A foreign record without a program of its own; `pid` null: no PID file. */
function put(rig: Rig, id: string, record: object | string, pid: number | null, ageSeconds = 0): void {
  for (const folder of ['.status', '.pids']) mkdirSync(join(rig.root, folder), { recursive: true });
  rig.write(`.status/${id}.json`, typeof record === 'string' ? record : JSON.stringify(record));
  if (pid === null) return;
  rig.write(`.pids/${id}.pid`, `${pid}\n`);
  const at = Date.now() / 1000 - ageSeconds;
  utimesSync(join(rig.root, `.pids/${id}.pid`), at, at);
}

/** The number of a process that is gone. */
async function deadPid(rig: Rig): Promise<number> {
  const { pid, ended } = startProgram(rig, 'true', []);
  await ended;
  return pid;
}

async function refusal(rig: Rig, args: string[]): Promise<[number | null, string, string]> {
  const { code, stderr } = await rig.orch([...args, '--json']);
  const { error } = JSON.parse(stderr) as { error: { code: string; hint: string } };
  return [code, error.code, error.hint];
}

describe.each([
  ['shell', 'NIGHT-SH', 'sh', ['-c', SHELL]],
  ['Python', 'NIGHT-PY', 'python3', ['-c', PYTHON]],
] as const)('the worker of the guide in %s', (_, id, file, args) => {
  it('has ten lines, is listed, followed to its end, and leaves a record that stays', async () => {
    expect(args[1].trim().split('\n')).toHaveLength(10);
    const rig = rigWithSteps();
    const { ended } = startProgram(rig, file, args);
    await until(() => rig.status(id) === 'running', { what: `${id} to begin` });
    expect(verdictsOf(await statusOf(rig))).toEqual({
      [id]: { status: 'running', verdict: 'running', alive: true },
    });
    const following = rig.start(['reattach', '--json']);
    pass(rig, 1);
    await until(() => rig.record(id)['progress'] === '1/4', { what: 'the second step' });
    for (const step of [2, 3, 4]) pass(rig, step);
    expect(await ended).toBe(0);
    const followed = await following.finished;
    expect([followed.code, followed.stderr]).toEqual([0, '']);
    const last = JSON.parse(followed.stdout.trim().split('\n').at(-1) ?? '') as unknown;
    expect(last).toMatchObject({ workstream: id, verdict: 'completed', progress: '4/4' });
    expect((await rig.orch(['wait', id])).code).toBe(0);
    const before = recordText(rig, id);
    expect((await rig.orch(['reap'])).code).toBe(0);
    expect(recordText(rig, id)).toBe(before);
    // It names nobody any more: `kill $(cat .pids/…)` must not hit a stranger.
    expect(existsSync(join(rig.root, `.pids/${id}.pid`))).toBe(false);
    expect(rig.git('status', '--porcelain')).toBe('');
  });

  it('says so when a step fails, and orch leaves that word alone', async () => {
    const rig = rigWithSteps();
    const { ended } = startProgram(rig, file, args);
    pass(rig, 1);
    pass(rig, 2, 7);
    expect(await ended).toBe(1);
    expect((await rig.orch(['reap'])).code).toBe(0);
    expect(rig.record(id)).toMatchObject({ status: 'failed', progress: '1/4', exit_code: 7 });
    expect((await rig.orch(['wait', id])).code).toBe(1);
  });

  it('is settled when it is killed: reap tells first, then writes, and only once', async () => {
    const rig = rigWithSteps();
    const { pid } = startProgram(rig, file, args);
    await until(() => rig.status(id) === 'running', { what: `${id} to begin` });
    await killHard(pid);
    const before = recordText(rig, id);
    const dry = await rig.orch(['reap', '--dry-run', '--json']);
    const settle = {
      action: 'settle',
      target: 'crashed',
      workstream: id,
      why: expect.stringContaining(String(pid)),
    };
    expect(json<{ actions: unknown[] }>(dry).actions).toMatchObject([settle]);
    expect(recordText(rig, id)).toBe(before);
    const real = await rig.orch(['reap', '--json']);
    expect(json<{ actions: unknown[] }>(real).actions).toMatchObject([settle, { action: 'remove' }]);
    expect(rig.record(id)).toMatchObject({ status: 'crashed', progress: '0/4', reason: { code: 'lost' } });
    expect(rig.events()).toContainEqual(
      expect.objectContaining({ event: 'state', workstream: id, from: 'running', to: 'crashed' }),
    );
    expect(json<{ actions: unknown[] }>(await rig.orch(['reap', '--json'])).actions).toEqual([]);
  });
});

describe('a foreign worker that dies', () => {
  const RECORD =
    '{\n  "status": "running", "job": 12345678901234567890,\n  "__proto__": {"x": 1}, "progress": "1/4"\n}\n';

  it('is settled by reattach, which does not wait for ever; every other byte stays', async () => {
    const rig = rigOf();
    const { pid } = startProgram(rig, 'sleep', ['600']);
    put(rig, 'F', RECORD, pid);
    const following = rig.start(['reattach', '--json']);
    await killHard(pid);
    const { code, stdout } = await following.finished;
    expect(code).toBe(1);
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      workstream: 'F',
      verdict: 'crashed',
    });
    const text = recordText(rig, 'F');
    const added = /,"last_update": [\d.]+,"reason": \{[^}]*\}/;
    expect(text).toMatch(added);
    expect(text.replace(added, '').replace('"crashed"', '"running"')).toBe(RECORD);
    expect(statSync(join(rig.root, '.status/F.json')).mode & 0o777).toBe(0o600);
  });

  it('is settled by who watches it alone, once nobody orchestrates any more', async () => {
    const rig = rigOf();
    const { pid } = startProgram(rig, 'sleep', ['600']);
    put(rig, 'F', RECORD, pid);
    const following = rig.start(['reattach', '--json']);
    const hasResigned = (): boolean => rig.events().some(({ why }) => why === 'nothing left to do');
    await until(hasResigned, { what: 'the orchestrator to resign' });
    await killHard(pid);
    expect((await following.finished).code).toBe(1);
    expect(rig.status('F')).toBe('crashed');
  });

  it('is settled by every way to repair, by proof of its death alone', { timeout: 180_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }]);
    const { pid: live } = startProgram(rig, 'sleep', ['600']);
    const gone = await deadPid(rig);
    const running = { status: 'running', progress: '1/4', last_update: 1 };
    const putAll = (): void => {
      put(rig, 'ALIVE', running, live);
      put(rig, 'GONE', running, gone);
      put(rig, 'YOUNGER', running, live, 3_600);
      put(rig, 'ASKED', running, gone, 10);
      rig.write('.status/ASKED.stop', '');
      put(rig, 'EARLIER', running, gone);
      rig.write('.status/EARLIER.stop', '');
      utimesSync(join(rig.root, '.status/EARLIER.stop'), 1, 1);
      put(rig, 'NO-PID', running, null);
      put(rig, 'WORD', { status: 'thinking' }, gone);
      put(rig, 'DONE', { status: 'completed' }, gone);
      put(rig, 'BAD', '{"status": "running",\n nonsense', gone);
      put(rig, 'SOON', { status: 'pending' }, gone);
    };
    const words = (): Record<string, unknown> => {
      const ids = ['ALIVE', 'GONE', 'YOUNGER', 'ASKED', 'EARLIER', 'NO-PID', 'WORD', 'DONE', 'SOON'];
      return Object.fromEntries(ids.map((id) => [id, rig.status(id)]));
    };
    const settled = {
      ALIVE: 'running',
      GONE: 'crashed',
      YOUNGER: 'crashed',
      ASKED: 'stopped',
      EARLIER: 'crashed',
      'NO-PID': 'running',
      WORD: 'thinking',
      DONE: 'completed',
      SOON: 'crashed',
    };
    for (const command of [['reap'], ['reattach', '--no-launch'], ['reattach', '--once']]) {
      putAll();
      expect([command, (await rig.orch(command)).code, words()]).toEqual([command, 0, settled]);
    }
    // The loop too, as it passes by.
    putAll();
    expect((await rig.orch(['launch'])).code).toBe(0);
    expect((await rig.orch(['wait', 'A'])).code).toBe(0);
    await until(() => rig.status('SOON') === 'crashed', { what: 'the loop to settle them' });
    expect(words()).toEqual(settled);
    expect([recordText(rig, 'BAD'), isAlive(live)]).toEqual(['{"status": "running",\n nonsense', true]);
    const { stdout } = await rig.orch(['status']);
    expect(stdout).toContain('BAD.json:2:2');
  });

  it('ends a reattach with 1 where nobody can tell', async () => {
    const rig = rigOf();
    put(rig, 'F', { status: 'running' }, null);
    const { code, stderr } = await rig.orch(['reattach']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('F unknown')]);
    expect(rig.status('F')).toBe('running');
  });

  it('is read up to 1 MiB, and settled as long as it stays below', async () => {
    const rig = rigOf();
    const gone = await deadPid(rig);
    const sized = (bytes: number): string => {
      const start = '{"status": "running", "notes": "';
      return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
    };
    put(rig, 'ROOM', sized(1024 * 1024 - 4096), gone);
    put(rig, 'BRIM', sized(1024 * 1024), gone);
    put(rig, 'OVER', sized(1024 * 1024 + 1), gone);
    expect((await rig.orch(['reap'])).code).toBe(0);
    expect(verdictsOf(await statusOf(rig))).toMatchObject({
      ROOM: { status: 'crashed', verdict: 'crashed' },
      BRIM: { status: 'running', verdict: 'crashed' },
      OVER: { status: 'unreadable', verdict: 'unknown' },
    });
    expect(recordText(rig, 'BRIM')).toHaveLength(1024 * 1024);
  });
});

describe('a foreign worker and a person’s stop', () => {
  it('is signalled on the word --foreign alone, and has the last word', async () => {
    const rig = rigWithSteps();
    const { pid, ended } = startProgram(rig, 'sh', ['-c', kindShell()]);
    await until(() => rig.status('NIGHT-SH') === 'running', { what: 'it to begin' });
    const hint = expect.stringContaining('--foreign');
    expect(await refusal(rig, ['stop', 'NIGHT-SH'])).toEqual([2, 'FOREIGN_WORKER', hint]);
    expect(await refusal(rig, ['stop', 'NIGHT-SH', '--presume-dead'])).toEqual([2, 'FOREIGN_WORKER', hint]);
    expect(await refusal(rig, ['stop', '--all', '--foreign'])).toMatchObject([
      2,
      'USAGE',
      expect.any(String),
    ]);
    expect(await refusal(rig, ['retry', 'NIGHT-SH'])).toMatchObject([
      2,
      'FOREIGN_WORKER',
      expect.any(String),
    ]);
    expect((await rig.orch(['stop', '--all'])).code).toBe(0);
    expect([
      isAlive(pid),
      rig.status('NIGHT-SH'),
      existsSync(join(rig.root, '.status/NIGHT-SH.stop')),
    ]).toEqual([true, 'running', false]);
    const { code, stderr } = await rig.orch(['stop', 'NIGHT-SH', '--foreign']);
    expect([code, stderr, await ended]).toEqual([0, '', 143]);
    expect(rig.record('NIGHT-SH')).toMatchObject({ status: 'stopped', progress: '0/4' });
    const signals = rig.events().filter(({ event }) => event === 'signal');
    expect(signals).toMatchObject([{ signal: 'SIGTERM', pid, workstream: 'NIGHT-SH', proof: 'pid file' }]);
  });

  it('is killed after the grace, and nobody but itself', async () => {
    const rig = rigOf();
    const deaf = `trap '' TERM; sleep 600 & echo $! > "$ASIDE/child"; while :; do sleep 0.05; done`;
    const { pid, ended } = startProgram(rig, 'sh', ['-c', deaf]);
    await until(() => existsSync(join(rig.aside, 'child')), { what: 'its child' });
    put(rig, 'DEAF', { status: 'running', progress: '1/4' }, pid);
    const { code } = await rig.orch(['stop', 'DEAF', '--foreign', '--grace', '1s']);
    expect([code, await ended]).toEqual([0, 'SIGKILL']);
    expect(rig.record('DEAF')).toMatchObject({
      status: 'stopped',
      reason: { code: 'stopped' },
      progress: '1/4',
    });
    const child = Number(readFileSync(join(rig.aside, 'child'), 'utf8'));
    expect(isAlive(child)).toBe(true);
    const signals = rig.events().filter(({ event }) => event === 'signal');
    expect(new Set(signals.map((one) => one['pid']))).toEqual(new Set([pid]));
    expect(signals.at(0)?.['signal']).toBe('SIGTERM');
    expect(signals.at(-1)?.['signal']).toBe('SIGKILL');
  });

  it('hits no stranger: a younger process, the person’s own shell, a worker of orch', async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'until test -e go; do sleep 0.05; done' }] }]);
    const { pid } = startProgram(rig, 'sleep', ['600']);
    put(rig, 'YOUNGER', { status: 'running' }, pid, 3_600);
    expect((await rig.orch(['stop', 'YOUNGER', '--foreign'])).code).toBe(0);
    expect([isAlive(pid), rig.status('YOUNGER')]).toEqual([true, 'crashed']);

    put(rig, 'SHELL', { status: 'running' }, null);
    const script = `echo $$ > .pids/SHELL.pid; ${process.execPath} ${ORCH} stop SHELL --foreign; echo $? > "$ASIDE/code"`;
    const shell = startProgram(rig, 'sh', ['-c', script]);
    expect(await shell.ended).toBe(0);
    expect(readFileSync(join(rig.aside, 'code'), 'utf8').trim()).toBe('4');
    expect(rig.status('SHELL')).toBe('running');

    expect((await rig.orch(['launch'])).code).toBe(0);
    const worker = rig.pid('A');
    put(rig, 'THIEF', { status: 'running' }, worker);
    const refused = await rig.orch(['stop', 'THIEF', '--foreign']);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('belongs to A')]);
    expect(isAlive(worker)).toBe(true);
    expect(rig.events().filter(({ event }) => event === 'signal')).toEqual([]);
  });

  it('is settled on a person’s word where nobody can tell', async () => {
    const rig = rigOf();
    put(rig, 'F', { status: 'running', progress: '2/4' }, null);
    const refused = await rig.orch(['stop', 'F', '--foreign']);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('--presume-dead')]);
    expect(rig.status('F')).toBe('running');
    expect((await rig.orch(['stop', 'F', '--presume-dead'])).code).toBe(0);
    expect(rig.record('F')).toMatchObject({
      status: 'stopped',
      progress: '2/4',
      reason: { code: 'presumed_dead' },
    });
    expect(rig.events()).toContainEqual(
      expect.objectContaining({ event: 'state', workstream: 'F', to: 'stopped' }),
    );
  });
});
