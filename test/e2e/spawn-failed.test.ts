import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Finished, type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** Workers and orchestrators that cannot be started: told, written down, and never waited for. */

const files = { 'README.md': 'hello\n', '.gitignore': 'keys.env\n' };

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
