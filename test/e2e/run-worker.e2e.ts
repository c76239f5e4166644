import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BOUND_MS } from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** `orch worker`: one worker in the foreground. */

const out = mkdtempSync(join(tmpdir(), 'orch-out-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const waits = (file: string): string =>
  `echo half > half.txt; echo $$ > ${join(out, file)}; until test -f ${join(out, 'go')}; do sleep 0.05; done`;
const begun = (file: string) =>
  until(() => existsSync(join(out, file)) && readFileSync(join(out, file), 'utf8') !== '', {
    what: 'the tool to begin',
  });
const pidIn = (file: string): number => Number(readFileSync(join(out, file), 'utf8'));
const reasonOf = (rig: Rig, id: string): unknown =>
  (rig.record(id)['reason'] as { code: string } | null)?.code;

describe('orch worker', () => {
  it('carries out one workstream and shows what it prints', { timeout: 90_000 }, async () => {
    const rig = rigOf([
      {
        id: 'A',
        tasks: [{ run: 'echo to stdout; echo to stderr >&2; echo a > a.txt' }],
        acceptance_tests: [{ run: 'true' }],
      },
      { id: 'B', tasks: [{ run: 'exit 9' }] },
      { id: 'C', depends_on: ['B'], tasks: [{ run: 'true' }] },
    ]);
    const worker = (id: string, worktree: string) =>
      rig.orch(['worker', '--workstream', id, '--worktree', worktree]);
    const elsewhere = await worker('A', join(out, 'elsewhere'));
    expect([elsewhere.code, existsSync(join(rig.root, '.status'))]).toEqual([2, false]);

    const done = await worker('A', '.worktrees/A');
    expect(done.code).toBe(0);
    expect(done.stdout.split('\n')).toContain('to stdout');
    expect(done.stderr.split('\n')).toContain('to stderr');
    expect(rig.record('A')).toMatchObject({
      status: 'completed',
      mode: 'attached',
      attempt: 1,
      exit_code: 0,
    });
    expect(rig.git('show', 'orch/A:a.txt')).toBe('a\n');

    const failed = await worker('B', join(rig.root, '.worktrees/B'));
    expect([failed.code, rig.status('B'), rig.record('B')['exit_code']]).toEqual([1, 'failed', 9]);
    const again = await worker('A', '.worktrees/A');
    expect([again.code, rig.record('A')['attempt']]).toEqual([4, 1]);
    expect(rig.status('C')).toBeNull();
    expect(rig.processes()).toEqual([]);
  });

  it('refuses a worktree that is nowhere as any other', async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }]);
    for (const worktree of [
      '/nonexistent/a/b',
      'README.md/.worktrees/A',
      `${'x/'.repeat(3000)}.worktrees/A`,
    ]) {
      const { code, stderr } = await rig.orch([
        'worker',
        '--json',
        '--workstream',
        'A',
        '--worktree',
        worktree,
      ]);
      expect([worktree, code, JSON.parse(stderr)]).toMatchObject([worktree, 2, { error: { code: 'USAGE' } }]);
    }
  });

  it('shows what tools print as `orch logs` does: masked, harmless, or as JSON', {
    timeout: 90_000,
  }, async () => {
    const key = 'sk-abcdefghijklmnop0123456789';
    const print = `printf '\\033]0;title\\007\\033[2Jboo\\nAPI_KEY=${key}\\n'`;
    const rig = rigOf([
      { id: 'A', colour: 'red', tasks: [{ run: print }, { run: `${print} >&2; exit 4` }] },
      { id: 'B', colour: 'red', tasks: [{ run: print }, { run: `${print} >&2; exit 4` }] },
    ]);
    const people = await rig.orch(['worker', '--workstream', 'A']);
    expect(people.code).toBe(1);
    expect(people.stdout.split('\n')).toEqual(expect.arrayContaining(['boo', 'API_KEY=sk-ab****']));
    expect(people.stderr.split('\n')).toEqual(expect.arrayContaining(['boo', 'API_KEY=sk-ab****']));
    for (const text of [people.stdout, people.stderr]) {
      expect(text).not.toContain('\u001b');
      expect(text).not.toContain(key);
    }

    const programs = await rig.orch(['worker', '--workstream', 'B', '--json']);
    expect(programs.code).toBe(1);
    const lines = programs.stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({ schema: 'orch.event/1', workstream: 'B', status: 'failed' });
    const logs = lines.slice(0, -1);
    for (const line of logs) expect(line).toMatchObject({ schema: 'orch.log/1', workstream: 'B' });
    for (const stream of ['stdout', 'stderr'])
      expect(logs).toContainEqual({
        schema: 'orch.log/1',
        workstream: 'B',
        stream,
        line: 'API_KEY=sk-ab****',
      });
    // The warnings of its plan, and no word for people.
    for (const line of programs.stderr.split('\n')) expect(JSON.parse(line)).toHaveProperty('warning');
  });

  it('stops when it is killed, with all that it started', { timeout: 120_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: waits('lost') }] }]);
    const parent = rig.start(['worker', '--workstream', 'A', '--worktree', '.worktrees/A']);
    await begun('lost');
    const pids = [rig.pid('A'), pidIn('lost')];
    expect(pids.every(isAlive)).toBe(true);
    signal(parent.pid, 'SIGKILL');
    // Its 5 s are measured where nothing else is at work: `attached-death.violence.ts`.
    await until(() => !pids.some(isAlive), { what: 'worker and tool to be gone', boundMs: BOUND_MS });
    expect(rig.processes()).toEqual([]);
    expect([rig.status('A'), reasonOf(rig, 'A')]).toEqual(['crashed', 'terminated']);
    expect(rig.git('show', 'refs/orch/salvage/A/1:half.txt')).toBe('half\n');

    writeFileSync(join(out, 'go'), '');
    const reattached = await rig.orch(['reattach']);
    expect([reattached.code, rig.status('A'), rig.record('A')['attempt']]).toEqual([0, 'completed', 2]);
    rmSync(join(out, 'go'));
  });

  it('stops on Ctrl+C, and is busy until then', { timeout: 90_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: waits('stopped') }] }]);
    const first = rig.start(['worker', '--workstream', 'A', '--worktree', '.worktrees/A']);
    await begun('stopped');
    const second = await rig.orch(['worker', '--workstream', 'A', '--worktree', '.worktrees/A']);
    expect([second.code, isAlive(rig.pid('A'))]).toEqual([4, true]);
    signal(first.pid, 'SIGINT');
    const { code } = await first.finished;
    expect([code, rig.status('A'), reasonOf(rig, 'A')]).toEqual([130, 'stopped', 'stopped']);
    expect([isAlive(pidIn('stopped')), rig.processes()]).toEqual([false, []]);
    expect(rig.git('show', 'refs/orch/salvage/A/1:half.txt')).toBe('half\n');
    expect(rig.git('for-each-ref', 'refs/orch/checkpoint')).toBe('');
  });
});
