import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { type Finished, type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Workers and orchestrators that cannot be started: told, written down, and never waited for. */

const files = { 'README.md': 'hello\n', '.gitignore': 'keys.env\n' };

type Told = {
  workstreams: { workstream: string; status: string; reason: { code: string; message: string } | null }[];
};
const reasonOf = (rig: Rig, id: string) => rig.record(id)['reason'] as Record<string, string> | null;
const nobodyIn = (rig: Rig) => until(() => rig.processes().length === 0, { what: 'everybody to end' });

function pipeAt(rig: Rig, path: string): void {
  mkdirSync(join(rig.root, '.logs'), { recursive: true, mode: 0o700 });
  execFileSync('mkfifo', [join(rig.root, path)]);
}

/** What a command that must not wait for a pipe comes to; one that does is ended with its repository. */
async function endOf(rig: Rig, args: string[]): Promise<Finished> {
  let end: Finished | null = null;
  void rig.start(args).finished.then((finished) => {
    end = finished;
  });
  return until(() => end, { what: `orch ${args.join(' ')} to end` });
}

it('waits for no pipe in the place of a log of the orchestrator', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'echo a > a.txt' }] }], files);
  pipeAt(rig, '.logs/_orchestrator.log');
  const launched = await endOf(rig, ['launch', '--json']);
  const { error } = JSON.parse(launched.stderr) as { error: Record<string, string> };
  expect([launched.code, error['code']]).toEqual([1, 'START_FAILED']);
  expect(error['message']).toContain('_orchestrator.log');
  expect(rig.status('A')).toBe('pending');

  rmSync(join(rig.root, '.logs/_orchestrator.log'));
  expect((await rig.orch(['reattach', '--quiet'])).code).toBe(0);
  expect(rig.status('A')).toBe('completed');
});

it('waits for no pipe where a notifier writes', async () => {
  const config = { notify: [{ command: 'cat > /dev/null' }] };
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'echo a > a.txt' }] }], {
    ...files,
    'orch.config.json': JSON.stringify(config),
  });
  pipeAt(rig, '.logs/_orchestrator.log');
  expect((await endOf(rig, ['run', '--quiet'])).code).toBe(0);
  const told = rig.events().filter(({ event }) => event === 'notify');
  expect(told.map(({ ok }) => ok)).toEqual([false]);
});

it('holds what cannot be started for what is in the place of a log, and begins it once that is gone', async () => {
  const task = [{ run: 'echo a > a.txt' }];
  const plan = [
    { id: 'A', tasks: task, priority: 'critical' },
    { id: 'B', tasks: task, depends_on: ['A'] },
    { id: 'C', tasks: task },
    { id: 'D', tasks: task, priority: 'critical' },
  ];
  const rig = rigOf(plan, files);
  pipeAt(rig, '.logs/A.err');
  mkdirSync(join(rig.root, '.logs/D.log'));
  // One slot: what cannot begin takes it from nobody.
  const launched = await endOf(rig, ['launch', '--max-parallel', '1', '--json']);
  const told = (JSON.parse(launched.stdout) as Told).workstreams;
  const held = told.filter(({ reason }) => reason?.code === 'spawn_failed');
  expect([launched.code, held.map(({ workstream, status }) => [workstream, status])]).toEqual([
    1,
    [
      ['A', 'pending'],
      ['D', 'pending'],
    ],
  ]);
  expect(held[0]?.reason?.message).toContain('A.err');
  await until(() => rig.status('C') === 'completed', { what: 'C, which can be started' });
  await nobodyIn(rig);
  expect([rig.status('A'), reasonOf(rig, 'A')?.['code']]).toEqual(['pending', 'spawn_failed']);
  const shown = JSON.parse((await rig.orch(['status', '--json'])).stdout) as Told;
  const reasons = shown.workstreams.map(({ workstream, reason }) => [workstream, reason?.code]);
  expect(reasons).toEqual([
    ['A', 'spawn_failed'],
    ['B', 'spawn_failed'],
    ['C', 'unverified'],
    ['D', 'spawn_failed'],
  ]);
  const waited = await rig.orch(['wait', '--json', '--timeout', '20s']);
  expect([waited.code, waited.stderr.includes('NOBODY_ORCHESTRATES')]).toEqual([4, true]);
  expect((await rig.orch(['reattach', '--quiet'])).code).toBe(1);

  for (const name of ['A.err', 'D.log']) rmSync(join(rig.root, '.logs', name), { recursive: true });
  expect((await rig.orch(['reattach', '--quiet'])).code).toBe(0);
  const ends = ['A', 'B', 'D'].map((id) => [rig.status(id), rig.record(id)['attempt']]);
  expect(ends).toEqual(ends.map(() => ['completed', 1]));
});

it('holds what its environment is too long for, attached too', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'echo a > a.txt' }] }], {
    ...files,
    'orch.config.json': JSON.stringify({ env_file: 'keys.env' }),
  });
  rig.write('keys.env', `LONG=${'x'.repeat(200_000)}\n`);
  chmodSync(join(rig.root, 'keys.env'), 0o600);
  const launched = await rig.orch(['launch']);
  expect([launched.code, launched.stderr.includes('E2BIG')]).toEqual([1, true]);
  expect([rig.status('A'), reasonOf(rig, 'A')?.['code']]).toEqual(['pending', 'spawn_failed']);
  await nobodyIn(rig);
  const attached = await rig.orch(['run', '--quiet']);
  expect([attached.code, attached.stderr.includes('E2BIG')]).toEqual([1, true]);

  rig.write('keys.env', '');
  expect((await rig.orch(['launch'])).code).toBe(0);
  expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
  expect(rig.record('A')).toMatchObject({ status: 'completed', attempt: 1 });
});
