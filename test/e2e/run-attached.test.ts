import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { release } from '../rig/ledger.ts';
import { isAlive, type Rig, signal, until, wholeLines } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

const QUICK = {
  workstreams: [
    { id: 'A', tasks: [{ run: 'echo a > a' }], acceptance_tests: [{ run: 'test -f a' }] },
    { id: 'B', depends_on: ['A'], tasks: [{ run: 'cat a > b' }], acceptance_tests: [{ run: 'test -f b' }] },
  ],
};

/** With time for a busy machine to come to a safe point. */
const PATIENT = { 'README.md': 'hello\n', 'orch.config.json': '{"stop_grace": "1m"}' };

/** Its second task goes on once `release(rig, 'go')` was called. */
const slow: unknown = {
  workstreams: [
    {
      id: 'A',
      tasks: [
        { run: 'echo 1 > done' },
        { run: 'echo half > half; until test -e "$ORCH_ROOT.aside/go"; do sleep 0.05; done; echo 2 >> done' },
      ],
    },
    { id: 'B', depends_on: ['A'], tasks: [{ run: 'cat done > b' }] },
  ],
};

/** Waits until A is in its second task, its edit half done, and returns its worker's pid. */
async function inSecondTask(rig: Rig): Promise<number> {
  const isThere = (): boolean =>
    rig.status('A') === 'running' &&
    rig.record('A')['progress'] === '1/2' &&
    String(rig.record('A')['current_task']).includes('sleep') &&
    wholeLines(join(rig.root, '.worktrees/A/half')).length === 1;
  await until(isThere, { what: 'the second task of A' });
  return Number(rig.record('A')['pid']);
}

describe('orch run', { timeout: 120_000 }, () => {
  it('carries out a plan with workers of its own and ends with 0', async () => {
    const rig = rigOf(QUICK);
    const { code, stdout } = await rig.orch(['run']);
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(rig.record('A')).toMatchObject({ status: 'completed', mode: 'attached', attempt: 1 });
    expect(rig.record('B')).toMatchObject({ status: 'completed', mode: 'attached' });
    expect(rig.processes()).toEqual([]);
  });

  it('ends with 1 where a workstream fails', async () => {
    const rig = rigOf({ workstreams: [{ id: 'A', tasks: [{ run: 'exit 7' }] }] });
    expect((await rig.orch(['run'])).code).toBe(1);
    expect(rig.record('A')).toMatchObject({ status: 'failed', exit_code: 7 });
  });

  it('is stopped by Ctrl+C at a safe point: the checkpoint stays, half-done edits are salvaged', async () => {
    const rig = rigOf(slow, PATIENT);
    const run = rig.start(['run']);
    const worker = await inSecondTask(rig);
    process.kill(run.pid, 'SIGINT');
    expect((await run.finished).code).toBe(130);
    expect(isAlive(worker)).toBe(false);
    expect(rig.record('A')).toMatchObject({
      status: 'stopped',
      progress: '1/2',
      reason: { code: 'stopped' },
    });
    expect(rig.status('B')).toBe('pending');
    expect(rig.git('show', 'refs/orch/salvage/A/1:half')).toBe('half\n');
    expect(rig.git('ls-tree', '--name-only', 'orch/A').split('\n')).not.toContain('half');
  });

  it('kills at a second Ctrl+C what does not stop at the first', async () => {
    const stubborn = `trap '' TERM; echo 1 > a; while :; do sleep 1; done`;
    const rig = rigOf({ workstreams: [{ id: 'A', tasks: [{ run: stubborn }] }] }, PATIENT);
    const run = rig.start(['run']);
    // Before that, a signal would end it.
    await until(() => wholeLines(join(rig.root, '.worktrees/A/a')).length === 1, { what: 'the task' });
    process.kill(run.pid, 'SIGINT');
    await until(() => rig.events().some(({ event, why }) => event === 'signal' && why !== ''), {
      what: 'a signal',
    });
    process.kill(run.pid, 'SIGINT');
    expect((await run.finished).code).toBe(130);
    expect(rig.record('A')).toMatchObject({ status: 'stopped' });
    expect(rig.processes()).toEqual([]);
  });

  it('takes its workers along when it dies; reattach goes on from the checkpoint', async () => {
    const rig = rigOf(slow, PATIENT);
    const run = rig.start(['run']);
    const worker = await inSecondTask(rig);
    signal(run.pid, 'SIGKILL');
    // How soon is measured where nothing else is at work: `attached-death.violence.ts`.
    await until(() => !isAlive(worker), { what: 'the worker to end' });
    expect(rig.record('A')).toMatchObject({
      status: 'crashed',
      reason: { code: 'terminated' },
      progress: '1/2',
    });
    release(rig, 'go');
    expect((await rig.orch(['reattach'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 2, mode: 'detached' });
    expect(rig.git('show', 'orch/B:b')).toBe('1\n2\n');
  });

  it('with --detached --wait watches what outlives it', async () => {
    const rig = rigOf(slow, PATIENT);
    const run = rig.start(['run', '--detached', '--wait']);
    const worker = await inSecondTask(rig);
    process.kill(run.pid, 'SIGINT');
    expect((await run.finished).code).toBe(130);
    expect(isAlive(worker)).toBe(true);
    release(rig, 'go');
    expect((await rig.orch(['wait', '--timeout', '60s'])).code).toBe(0);
    expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 1, mode: 'detached' });
  });

  it('refuses --wait alone', async () => {
    const rig = rigOf(QUICK);
    expect((await rig.orch(['run', '--wait'])).code).toBe(2);
  });
});
