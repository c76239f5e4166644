import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** PID file and heartbeat inform: nothing that is wrong with them costs an attempt. */

const files = { 'README.md': 'hello\n' };
/** Holds a task up until its file is there. */
const held = 'until test -e "$ORCH_ROOT.aside/go"; do sleep 0.05; done';

it('begins where something else is in the place of a PID file or a heartbeat, and removes no folder', async () => {
  const odd: Record<string, (path: string) => void> = {
    folder: (path) => mkdirSync(path),
    link: (path) => symlinkSync('nowhere', path),
    pipe: (path) => execFileSync('mkfifo', [path]),
  };
  const kinds = Object.keys(odd);
  const ids = kinds.flatMap((kind) => [`${kind}-pid`, `${kind}-heartbeat`]);
  const rig = rigOf(
    ids.map((id) => ({ id, tasks: [{ run: 'echo a > a.txt' }] })),
    files,
  );
  for (const folder of ['.status', '.pids']) mkdirSync(join(rig.root, folder), { mode: 0o700 });
  for (const kind of kinds) {
    odd[kind]?.(join(rig.root, `.pids/${kind}-pid.pid`));
    odd[kind]?.(join(rig.root, `.status/${kind}-heartbeat.heartbeat`));
  }
  mkdirSync(join(rig.root, '.pids/_orchestrator.pid'));
  expect((await rig.orch(['launch', '--max-parallel', '6'])).code).toBe(0);
  expect((await rig.orch(['wait', '--timeout', '50s'])).code).toBe(0);
  const seen = ids.map((id) => [id, rig.status(id), rig.record(id)['attempt']]);
  expect(seen).toEqual(ids.map((id) => [id, 'completed', 1]));
  for (const path of ['.pids/folder-pid.pid', '.status/folder-heartbeat.heartbeat'])
    expect(lstatSync(join(rig.root, path)).isDirectory()).toBe(true);
});

it('finds a stop word though it has no heartbeat', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: `touch "$ORCH_ROOT.aside/begun"; ${held}` }] }], files);
  mkdirSync(join(rig.root, '.status'), { mode: 0o700 });
  mkdirSync(join(rig.root, '.status/A.heartbeat'));
  expect((await rig.orch(['launch'])).code).toBe(0);
  await until(() => existsSync(join(rig.aside, 'begun')), { what: 'A to begin its task' });
  writeFileSync(join(rig.root, '.status/A.stop'), '');
  await until(() => rig.status('A') === 'stopped', { what: 'A to obey' });
  expect(rig.record('A')).toMatchObject({ attempt: 1, reason: { code: 'stopped' } });
});

it('begins while a reap looks at the temporary file of its PID file', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: held }] }], files);
  const pids = join(rig.root, '.pids');
  const env = { ORCH_FAILPOINT: 'worker/store.pid.reserved:delay:3000' };
  const { finished } = rig.start(['launch'], env);
  // Where this test is not scheduled meanwhile, it comes too late to see the temporary one.
  await until(() => existsSync(pids) && readdirSync(pids).some((name) => /^A\.pid(\.\d+)?$/.test(name)), {
    what: 'A to write its PID file',
  });
  expect((await rig.orch(['reap'])).code).toBe(0);
  expect((await finished).code).toBe(0);
  expect([rig.status('A'), rig.record('A')['attempt'], rig.pid('A')]).toEqual([
    'running',
    1,
    rig.record('A')['pid'],
  ]);
  writeFileSync(join(rig.aside, 'go'), '');
  expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
});
