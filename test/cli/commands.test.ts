import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StatusList } from '../../lib/orchestrate/poll.ts';
import {
  errPath,
  historyPath,
  logLockPath,
  orchestratorPath,
  outPath,
  recordPath,
} from '../../lib/protocol/layout.ts';
import { recordHistory } from '../../lib/store/events.ts';
import { logicalSize } from '../../lib/store/log-files.ts';
import { rotateIfDue } from '../../lib/store/rotate.ts';
import { writeHold } from '../../lib/store/signs.ts';
import {
  completed,
  endAll,
  failed,
  makeFolder,
  makeRoot,
  putForeign,
  putPlan,
  putRecord,
  type Running,
  recordText,
  run,
  startWorker,
  until,
  untilHandlesInterrupt,
  type Worker,
  workedOn,
} from './rig.ts';

const repository = join(import.meta.dirname, '../..');
let dist = '';

// Of its own, so that a build by somebody else does not pull it away.
beforeAll(() => {
  dist = mkdtempSync(join(tmpdir(), 'orch-cli-dist-'));
  const rolldown = join(repository, 'node_modules/.bin/rolldown');
  execFileSync(rolldown, ['-c', 'rolldown.config.ts', '--dir', dist, '--logLevel', 'silent'], {
    cwd: repository,
  });
}, 180_000);
afterAll(() => rmSync(dist, { recursive: true, force: true }));
afterEach(endAll);

const env = { ...process.env, FORCE_COLOR: '1', NODE_EXTRA_CA_CERTS: '' };
const start = (args: readonly string[]): Running =>
  run(process.execPath, [join(dist, 'orch.js'), ...args], env);

async function orch(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const running = start(args);
  const code = await running.code;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

const errorOf = (stderr: string): { code: string; message: string; hint: string } => JSON.parse(stderr).error;

/** As if `worker` orchestrated `root`. */
function putOrchestrator(root: string, { pid, identity }: Worker): void {
  const file = {
    schema: 'orch.orchestrator/1',
    pid,
    identity,
    mode: 'detached',
    started_at: 1,
    ended_at: null,
  };
  writeFileSync(orchestratorPath(root), JSON.stringify(file));
}

describe('orch status', () => {
  it('prints a plain table when piped, and one JSON object with --json', async () => {
    const root = makeRoot();
    await putRecord(root, 'A', completed);
    await putRecord(root, 'B', failed);
    const people = await orch('status', '--root', root);
    expect(people).toMatchObject({ code: 0, stderr: '' });
    expect(people.stdout).toMatch(/^A +completed/m);
    expect(people.stdout).not.toContain('\u001b');
    const programs = await orch('status', 'B', '--json', `--root=${root}`);
    const list: StatusList = JSON.parse(programs.stdout);
    expect(list).toMatchObject({ schema: 'orch.status-list/1', summary: { total: 1, failed: 1 } });
    expect(programs).toMatchObject({ code: 0, stderr: '' });
  });

  it('ends with 3 and a hint where there is nothing of that name', async () => {
    const root = makeRoot();
    const nothing = await orch('status', '--json', '--root', root);
    expect(nothing).toMatchObject({ code: 3, stdout: '' });
    expect(errorOf(nothing.stderr).code).toBe('NO_STATE');
    await putRecord(root, 'WS-001', completed);
    const wrong = await orch('status', 'WS-01', '--json', '--root', root);
    expect(wrong).toMatchObject({ code: 3, stdout: '' });
    expect(errorOf(wrong.stderr)).toMatchObject({
      code: 'NO_WORKSTREAM',
      hint: expect.stringContaining('WS-001'),
    });
  });

  it('leaves what it does not know to yargs', async () => {
    expect(await orch('status', '--jsno')).toMatchObject({ code: 2, stdout: '' });
    expect((await orch('status', '--help')).stdout).toContain('--watch');
  });

  it('with --watch prints a block for each change when piped, and ends with 0 on Ctrl+C', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', { ...workedOn(worker), progress: '0/2' });
    const watching = start(['status', '--watch', '--root', root]);
    await until('the first block', () => watching.stdout().includes('0/2'));
    await putRecord(root, 'A', { ...workedOn(worker), progress: '1/2' });
    await until('the second block', () => watching.stdout().includes('1/2'));
    watching.signal('SIGINT');
    expect(await watching.code).toBe(0);
    expect(watching.stdout().match(/WORKSTREAM/g)).toHaveLength(2);
    expect(watching.stdout()).not.toContain('\u001b');
  });

  it.runIf(existsSync('/usr/bin/script'))(
    'redraws on a narrow terminal, and asks nothing of it that would have to be taken back',
    async () => {
      const root = makeRoot();
      const task = 'sed -i s/a/b/ '.repeat(10);
      const worker = await startWorker();
      await putRecord(root, 'A', { ...workedOn(worker), current_task: task });
      const inner = `stty cols 40 rows 20; exec ${process.execPath} ${join(dist, 'orch.js')} status --watch --root ${root}`;
      const watching = run('/usr/bin/script', ['-qec', inner, '/dev/null'], { ...env, TERM: 'xterm' });
      await until('a drawing', () => watching.stdout().includes('running'));
      await putRecord(root, 'A', { ...workedOn(worker), progress: '1/2', current_task: task });
      await until('another', () => watching.stdout().includes('1/2'));
      watching.type('\u0003');
      expect(await watching.code).toBe(0);
      const shown = watching.stdout();
      // A hidden cursor, another screen.
      expect(shown).not.toContain('\u001b[?');
      const placed = shown.replaceAll(/\u001b\[\d+;\d+H/g, '\n');
      const lines = placed.replaceAll(/\u001b\[[\d;?]*[a-zA-Z]/g, '').split(/[\r\n]+/);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    },
  );
});

describe('orch status, in other shapes', () => {
  async function rootOf(): Promise<string> {
    const root = makeRoot();
    const usage = { tokens_in: 1200, tokens_out: 300, cost_usd: 0.0123 };
    await putRecord(root, 'A', { ...completed, usage, started_at: 100, ended_at: 160, last_update: 160 });
    await putRecord(root, 'B', failed);
    // Foreign programs write what they like.
    putForeign(root, 'F', {
      status: 'completed',
      branch: { a: 1 },
      usage: 'much',
      started_at: 'now',
      tool_runs: 3,
    });
    return root;
  }
  const table = (text: string): string[][] =>
    text
      .slice(0, text.indexOf('\n\n'))
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  it('shows the columns that were asked for, in that order', async () => {
    const root = await rootOf();
    const { code, stdout } = await orch(
      'status',
      '--columns',
      'status, workstream,elapsed,tokens,cost',
      '--root',
      root,
    );
    expect([code, table(stdout)]).toEqual([
      0,
      [
        ['STATUS', 'WORKSTREAM', 'ELAPSED', 'TOKENS', 'COST'],
        ['completed', 'A', '1m', '1.5k', '$0.0123'],
        ['failed', 'B', '-', '-', '-'],
        ['completed', 'F', '-', '-', '-'],
      ],
    ]);
    const wide = await orch('status', '--format=wide', 'A', '--root', root);
    expect(table(wide.stdout)[0]).toEqual(
      expect.arrayContaining(['TOOL', 'CPU', 'MEMORY', 'BRANCH', 'HEAD', 'NOW']),
    );
    const wrong = await orch('status', '--columns', 'workstream,progres', '--root', root);
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toContain('Did you mean progress?');
  });

  it('prints JSON as an object or as lines, and refuses what contradicts it', async () => {
    const root = await rootOf();
    const json = await orch('status', '--format', 'json', '--root', root);
    expect(JSON.parse(json.stdout)).toMatchObject({ schema: 'orch.status-list/1', summary: { total: 3 } });
    const lines = (await orch('status', '--format', 'ndjson', '--root', root)).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { schema: 'orch.status-line/1', record_schema: 'orch.status/1', workstream: 'A', verdict: 'completed' },
      { schema: 'orch.status-line/1', workstream: 'B', reason: { code: 'tests_failed' } },
      { schema: 'orch.status-line/1', record_schema: null, workstream: 'F' },
    ]);
    for (const args of [
      ['--format', 'yaml'],
      ['--json', '--format', 'table'],
      ['--format', 'ndjson', '--columns', 'status'],
      ['--watch', '--format', 'wide'],
      ['--columns', ','],
      ['--format'],
    ])
      expect([args, (await orch('status', ...args, '--root', root)).code]).toEqual([args, 2]);
    const told = await orch('status', '--format=ndjson', '--columns=x', '--root', root);
    expect(errorOf(told.stderr).code).toBe('USAGE');
  });
});

describe('orch logs', () => {
  function rootWithLog(text: string): Promise<string> {
    const root = makeRoot();
    writeFileSync(outPath(root, 'A'), text);
    return putRecord(root, 'A', { ...completed, last_update: 1 }).then(() => root);
  }

  it('prints the bytes as they are with --raw, all or the last lines of a big file', async () => {
    const lines = Array.from({ length: 40_000 }, (_, number) => `line ${number} \u001b[31mö\u001b[0m\u0007`);
    const plain = lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
    const root = await rootWithLog(`${lines.join('\n')}\n`);
    const all = await orch('logs', 'A', '--raw', '--root', root);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout === `${lines.join('\n')}\n`).toBe(true);
    // In a pipe, without the escape sequences.
    expect((await orch('logs', 'A', '--root', root)).stdout === `${plain.join('\n')}\n`).toBe(true);
    const last = async (count: string) => (await orch('logs', 'A', '-n', count, '--root', root)).stdout;
    expect(await last('2')).toBe(`${plain.slice(-2).join('\n')}\n`);
    expect(await last('9000')).toBe(`${plain.slice(-9_000).join('\n')}\n`);
    expect(await last('0')).toBe('');
    appendFileSync(outPath(root, 'A'), 'no end of line');
    expect(await last('2')).toBe(`${plain.at(-1)}\nno end of line`);
    const json = (await orch('logs', 'A', '-n', '1', '--json', '--root', root)).stdout;
    expect(JSON.parse(json)).toMatchObject({ workstream: 'A', stream: 'stdout', line: 'no end of line' });
  });

  it('finds the output of one attempt by the history', async () => {
    const root = await rootWithLog('one\ntwo\ntwo again\nthree\n');
    writeFileSync(errPath(root, 'A'), 'e1\ne2\n');
    for (const [attempt, log, err] of [
      [1, 0, 0],
      [2, 4, 3],
      [3, 18, 6],
    ]) {
      recordHistory(root, 'A', { entry: 'attempt', attempt, log, err });
    }
    appendFileSync(historyPath(root, 'A'), '{"entry":"attempt","attempt":4,"log":');
    const attempt = async (number: string, ...more: string[]) =>
      (await orch('logs', 'A', '--attempt', number, '--root', root, ...more)).stdout;
    expect(await attempt('1')).toBe('one\n');
    expect(await attempt('2')).toBe('two\ntwo again\n');
    expect(await attempt('2', '-n', '1')).toBe('two again\n');
    expect(await attempt('3')).toBe('three\n');
    expect(await attempt('2', '--stderr')).toBe('e2\n');
    const absent = await orch('logs', 'A', '--attempt', '9', '--root', root, '--json');
    expect(absent.code).toBe(3);
    expect(errorOf(absent.stderr).hint).toContain('1, 2, 3');
  });

  it('refuses an unknown id, and says where nothing was written yet', async () => {
    const root = makeRoot();
    await putRecord(root, 'A');
    expect(await orch('logs', 'B', '--root', root)).toMatchObject({ code: 3, stdout: '' });
    expect(await orch('logs', 'A', '--root', root)).toMatchObject({ code: 0, stdout: '' });
    expect(await orch('logs', 'A', '-n', 'x', '--root', root)).toMatchObject({ code: 2, stdout: '' });
  });

  it('follows through a truncation until the workstream is final', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    const following = start(['logs', 'A', '-f', '--root', root]);
    writeFileSync(outPath(root, 'A'), 'first line\n');
    await until('what is there', () => following.stdout() === 'first line\n');
    appendFileSync(outPath(root, 'A'), 'second\n');
    await until('what came', () => following.stdout().endsWith('second\n'));
    truncateSync(outPath(root, 'A'));
    appendFileSync(outPath(root, 'A'), 'rotated\n');
    await until('what came after', () => following.stdout().endsWith('rotated\n'));
    const last = join(root, 'last.json');
    writeFileSync(last, recordText('A', completed));
    // Nothing waits in between: what comes after the record is shown for about a second.
    renameSync(last, recordPath(root, 'A'));
    appendFileSync(outPath(root, 'A'), 'last word\n');
    expect(await following.code).toBe(0);
    expect(following.stdout()).toBe('first line\nsecond\nrotated\nlast word\n');
  });

  it('prints several with their ids before each line, masked, and all where none is named', async () => {
    const root = await rootWithLog('one\nexport API_KEY=hunter2hunter2\nno end');
    await putRecord(root, 'longer-id', { ...completed, last_update: 1 });
    writeFileSync(outPath(root, 'longer-id'), '\u001b[31mred\u001b[0m\n\u001b]0;title\u0007two\n');
    await putRecord(root, 'silent', { ...completed, last_update: 1 });
    const all = await orch('logs', '--root', root);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout.split('\n').sort()).toEqual([
      '',
      'A         | export API_KEY=****',
      'A         | no end',
      'A         | one',
      'longer-id | red',
      'longer-id | two',
    ]);
    expect(
      (await orch('logs', 'longer-id', 'A', '-n', '1', '--root', root)).stdout.split('\n').sort(),
    ).toEqual(['', 'A         | no end', 'longer-id | two']);
    const json = (await orch('logs', '--json', '-n', '1', '--root', root)).stdout.trim().split('\n');
    expect(
      json
        .map((line) => JSON.parse(line))
        .map(({ workstream }) => workstream)
        .sort(),
    ).toEqual(['A', 'longer-id']);
    expect((await orch('logs', '--raw', '--root', root)).code).toBe(2);
    expect((await orch('logs', 'A', 'B', '--root', root)).code).toBe(3);
  });

  it('reads on across a rotation, finds attempts in parts, and tells what is gone', async () => {
    const root = await rootWithLog('');
    const line = (attempt: number, at: number): string => `attempt ${attempt} line ${at}\n`;
    const limits = { maxBytes: 8000, keep: 1, totalBytes: 1e9 };
    for (const attempt of [1, 2, 3]) {
      recordHistory(root, 'A', { entry: 'attempt', attempt, log: logicalSize(root, 'A', 'stdout'), err: 0 });
      for (let at = 0; at < 300; at += 1) appendFileSync(outPath(root, 'A'), line(attempt, at));
      if (attempt < 3)
        await rotateIfDue(outPath(root, 'A'), logLockPath(root, 'A'), { ...limits, keep: attempt });
    }
    const second = await orch('logs', 'A', '--attempt', '2', '--root', root);
    expect(second.stdout).toBe(Array.from({ length: 300 }, (_, at) => line(2, at)).join(''));
    expect((await orch('logs', 'A', '--attempt', '2', '-n', '1', '--root', root)).stdout).toBe(line(2, 299));
    expect((await orch('logs', 'A', '-n', '301', '--root', root)).stdout.startsWith(line(2, 299))).toBe(true);
    appendFileSync(outPath(root, 'A'), 'x\n'.repeat(2000));
    await rotateIfDue(outPath(root, 'A'), logLockPath(root, 'A'), limits);
    const first = await orch('logs', 'A', '--attempt', '1', '--root', root);
    expect([first.code, first.stdout]).toEqual([0, '']);
    expect(first.stderr).toContain('are gone');
    expect((await orch('logs', 'A', '--attempt', '1', '--quiet', '--root', root)).stderr).toBe('');
  });

  it('follows all of them, those that begin later too, and ends quietly where its reader has enough', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    const following = start(['logs', '-f', '--root', root]);
    writeFileSync(outPath(root, 'A'), 'first\n');
    await until('the first', () => following.stdout().includes('A | first\n'));
    await putRecord(root, 'B', workedOn(worker));
    writeFileSync(outPath(root, 'B'), 'second\nhalf a');
    await until('the second', () => following.stdout().includes('B | second\n'));
    appendFileSync(outPath(root, 'A'), 'third\n');
    await until('the third', () => following.stdout().includes('A | third\n'));
    expect(following.stdout()).not.toContain('half a');
    await putRecord(root, 'A', completed);
    await putRecord(root, 'B', completed);
    expect(await following.code).toBe(0);
    expect(following.stdout().endsWith('B | half a\n')).toBe(true);
    writeFileSync(outPath(root, 'A'), 'x\n'.repeat(3_000_000));
    const { stdout, exitCode, stderr } = await execa(
      'sh',
      ['-c', '"$0" "$1" logs A --root "$2" | head -n 1', process.execPath, join(dist, 'orch.js'), root],
      { reject: false },
    );
    expect([stdout.trim(), exitCode, stderr]).toEqual(['x', 0, '']);
  });

  it('stops following on Ctrl+C with 130, and by itself where nobody is left to write', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    writeFileSync(outPath(root, 'A'), 'x\n');
    const first = start(['logs', 'A', '-f', '--root', root]);
    const second = start(['logs', 'A', '-f', '--root', root]);
    await until('both', () => first.stdout() !== '' && second.stdout() !== '');
    await untilHandlesInterrupt(first.pid);
    first.signal('SIGINT');
    expect(await first.code).toBe(130);
    await worker.end();
    expect(await second.code).toBe(0);
  });
});

describe('orch wait', () => {
  it('is 0 if all completed, else 1, an unknown one included', async () => {
    const root = makeRoot();
    await putRecord(root, 'A', completed);
    expect(await orch('wait', '--root', root)).toMatchObject({ code: 0, stderr: '' });
    await putRecord(root, 'B', failed);
    expect(await orch('wait', '--root', root)).toMatchObject({ code: 1, stderr: '' });
    const one = await orch('wait', 'A', '--json', '--root', root);
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toMatchObject({ summary: { total: 1, completed: 1 } });
    putForeign(root, 'F', { status: 'running' });
    expect(await orch('wait', 'A', 'F', '--root', root)).toMatchObject({ code: 1, stderr: '' });
    expect(await orch('wait', 'C', '--root', root)).toMatchObject({ code: 3, stdout: '' });
  });

  it('blocks while a worker lives, whatever its heart does, and sees the end', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putRecord(root, 'A', workedOn(worker));
    const late = await orch('wait', '--timeout', '1s', '--json', '--root', root);
    expect(late).toMatchObject({ code: 4, stdout: '' });
    expect(errorOf(late.stderr).code).toBe('WAIT_TIMEOUT');
    const waiting = start(['wait', '--root', root]);
    const interrupted = start(['wait', '--root', root]);
    const begun = performance.now();
    await until('both to have looked', () => performance.now() - begun > 1_000);
    await untilHandlesInterrupt(interrupted.pid);
    interrupted.signal('SIGINT');
    expect(await interrupted.code).toBe(130);
    await putRecord(root, 'A', completed);
    expect(await waiting.code).toBe(0);
  });

  it('gives up with 4 where nobody orchestrates and work is left', async () => {
    const root = makeRoot();
    const worker = await startWorker();
    await putPlan(root, ['A', 'B']);
    await putRecord(root, 'A', workedOn(worker));
    await putRecord(root, 'B');
    const orchestrator = await startWorker();
    putOrchestrator(root, orchestrator);
    const waiting = start(['wait', 'B', '--json', '--root', root]);
    let over = false;
    void waiting.code.then(() => {
      over = true;
    });
    await worker.end();
    const begun = performance.now();
    await until('2.8 s with an orchestrator', () => performance.now() - begun > 2_800);
    expect(over).toBe(false);
    await orchestrator.end();
    expect(await waiting.code).toBe(4);
    expect(errorOf(waiting.stderr())).toMatchObject({ code: 'NOBODY_ORCHESTRATES' });
    expect(errorOf(waiting.stderr()).hint).toContain('orch reattach');
    await writeHold(root);
    await putRecord(root, 'A', completed);
    const held = await orch('wait', '--json', '--root', root);
    expect(held.code).toBe(4);
    expect(errorOf(held.stderr).hint).toContain('orch retry');
  });
});

describe('bad usage', () => {
  it('is 2', async () => {
    const root = makeRoot();
    await putRecord(root, 'A', completed);
    expect(await orch('wait', '--timeout', 'soon', '--root', root)).toMatchObject({ code: 2, stdout: '' });
    expect(await orch('worker', '--root', root)).toMatchObject({ code: 2, stdout: '' });
    expect(await orch('status', '--root', join(makeFolder(), 'absent'))).toMatchObject({
      code: 2,
      stdout: '',
    });
  });
});
