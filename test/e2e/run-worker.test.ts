import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** `orch worker`: one worker in the foreground. */

const out = mkdtempSync(join(tmpdir(), 'orch-out-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const waits = (file: string): string =>
  `echo $$ > ${join(out, file)}; echo half > half.txt; until test -f ${join(out, 'go')}; do sleep 0.05; done`;
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

  it('stops within 5 s when it is killed, with all that it started', { timeout: 90_000 }, async () => {
    const rig = rigOf([{ id: 'A', tasks: [{ run: waits('lost') }] }]);
    const parent = rig.start(['worker', '--workstream', 'A', '--worktree', '.worktrees/A']);
    await begun('lost');
    const pids = [rig.pid('A'), pidIn('lost')];
    expect(pids.every(isAlive)).toBe(true);
    signal(parent.pid, 'SIGKILL');
    await until(() => !pids.some(isAlive), { what: 'worker and tool to be gone', boundMs: 5_000 });
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
