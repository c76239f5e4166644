import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Rig } from '../rig/repository.ts';
import { until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** What config and env_file mean for workers that really run. */

const SECRET = 'sk-live-4711';
const files = { 'README.md': 'hello\n', '.gitignore': 'keys.env\n' };
const withConfig = (config: unknown) => ({ ...files, 'orch.config.json': JSON.stringify(config) });
const reasonOf = (rig: Rig, id: string) => rig.record(id)['reason'] as Record<string, string> | null;
const nobodyIn = (rig: Rig) => until(() => rig.processes().length === 0, { what: 'everybody to end' });

/** The text of everything that orch keeps. */
function stateOf(rig: Rig): string {
  return ['.status', '.logs', '.pids']
    .flatMap((folder) => readdirSync(join(rig.root, folder), { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
}

it('gives workers what the env_file holds, model keys kept from commands, and writes it nowhere', async () => {
  const test = `test "$SERVICE" = 'a b' && test -z "$\{X_API_KEY-}" && test "$SHELL_SAYS" = file`;
  const rig = rigOf([{ id: 'A', tasks: [{ run: test }] }], withConfig({ env_file: 'keys.env' }));
  rig.write('keys.env', `SERVICE="a b"\nX_API_KEY=${SECRET}\nSHELL_SAYS=file\nOTHER=${SECRET}\n`);
  chmodSync(join(rig.root, 'keys.env'), 0o600);
  const { code, stdout } = await rig.orch(['launch', '--json'], { env: { SHELL_SAYS: 'shell' } });
  expect([code, stdout.includes(SECRET)]).toEqual([0, false]);
  expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
  expect(rig.status('A')).toBe('completed');
  expect(stateOf(rig)).not.toContain(SECRET);
});

it('holds a workstream whose variable is missing, and begins once it is there', async () => {
  const plan = [
    { id: 'A', tasks: [{ run: 'test "$NEEDED" = yes' }] },
    { id: 'B', tasks: [{ run: 'true' }], depends_on: ['A'] },
    { id: 'C', tasks: [{ run: 'true' }], env: { NEEDED: 'own' } },
  ];
  const rig = rigOf(plan, withConfig({ env_file: 'keys.env', require_env: ['NEEDED'] }));
  rig.write('keys.env', 'NEEDED=\n');
  const launched = await rig.orch(['launch', '--json']);
  expect(launched.code).toBe(1);
  await until(() => rig.status('C') === 'completed', { what: 'C, which has its own' });
  await nobodyIn(rig);
  expect([rig.status('A'), reasonOf(rig, 'A')?.['code']]).toEqual(['pending', 'environment']);
  expect(reasonOf(rig, 'A')?.['message']).toContain('NEEDED');
  const { workstreams } = JSON.parse((await rig.orch(['status', '--json'])).stdout) as {
    workstreams: { workstream: string; verdict: string; reason: { code: string } | null }[];
  };
  const seen = workstreams.map(({ workstream, verdict, reason }) => [workstream, verdict, reason?.code]);
  expect(seen.slice(0, 2)).toEqual([
    ['A', 'pending', 'environment'],
    ['B', 'pending', 'environment'],
  ]);
  const waited = await rig.orch(['wait', '--json', '--timeout', '20s']);
  expect([waited.code, waited.stderr.includes('NOBODY_ORCHESTRATES')]).toEqual([4, true]);
  expect((await rig.orch(['reattach', '--quiet'])).code).toBe(1);

  rig.write('keys.env', 'NEEDED=yes\n');
  expect((await rig.orch(['reattach', '--quiet'])).code).toBe(0);
  expect([rig.status('A'), rig.status('B'), reasonOf(rig, 'A')?.['code']]).toEqual([
    'completed',
    'completed',
    'unverified',
  ]);
});

it('takes the variable from the shell of whoever comes back, and holds while a named env_file is not there', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }], withConfig({ require_env: ['NEEDED'] }));
  const attached = await rig.orch(['run']);
  expect([attached.code, attached.stderr.includes('NEEDED')]).toEqual([1, true]);
  expect(rig.status('A')).toBe('pending');
  const worker = await rig.orch(['worker', '--workstream', 'A', '--json']);
  expect([worker.code, worker.stderr.includes('NEEDED')]).toEqual([4, true]);
  expect((await rig.orch(['reattach', '--quiet'], { env: { NEEDED: '1' } })).code).toBe(0);
  expect(rig.status('A')).toBe('completed');

  const other = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }], withConfig({ env_file: 'keys.env' }));
  expect((await other.orch(['launch'])).code).toBe(1);
  expect(reasonOf(other, 'A')).toMatchObject({ code: 'environment' });
  other.write('keys.env', '');
  await nobodyIn(other);
  expect((await other.orch(['launch'])).code).toBe(0);
  expect((await other.orch(['wait', '--timeout', '30s'])).code).toBe(0);
});

it('refuses a config with faults before anything is made, and takes its values under those of the command line', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }], {
    ...files,
    'orch.config.yaml': 'max_parallel: 7\ntimeout: 3h\nrestart: 5\nstop_grace: 3s\n',
  });
  type Shown = { options: Record<string, unknown> };
  const optionsOf = async (...args: string[]) =>
    (JSON.parse((await rig.orch(['launch', '--dry-run', '--json', ...args])).stdout) as Shown).options;
  const fromConfig = { maxParallel: 7, timeoutMs: 10_800_000, restart: 5, stopGraceMs: 3_000 };
  expect(await optionsOf()).toMatchObject({ ...fromConfig, taskTimeoutMs: 7_200_000 });
  const given = ['--max-parallel', '2', '--timeout', '1h', '--restart', '0'];
  expect(await optionsOf(...given)).toMatchObject({ maxParallel: 2, timeoutMs: 3_600_000, restart: 0 });
  const { stdout } = await rig.orch(['launch', '--help']);
  for (const text of ['default: 3]', 'default: 8h]', 'default: 2h]', 'default: 30m]', 'default: 2]'])
    expect(stdout).toContain(text);

  rig.write('orch.config.yaml', `restart: 1\nmax_paralel: 3\napi_key: ${SECRET}\n`);
  const refused = await rig.orch(['launch', '--json', '--allow-dirty']);
  const { error } = JSON.parse(refused.stderr) as { error: { code: string; message: string } };
  expect([refused.code, error.code]).toEqual([2, 'CONFIG_INVALID']);
  expect(error.message).toMatch(/orch\.config\.yaml:2:1: .*\n.*\n?.*orch\.config\.yaml:3:1: /s);
  expect(refused.stderr).not.toContain(SECRET);
  expect(readdirSync(rig.root)).not.toContain('.status');
});

it('takes the command words of the config for acceptance tests', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }], acceptance_tests: ['mytool --check'] }], {
    ...withConfig({ acceptance_programs: ['mytool'] }),
  });
  rig.write('bin/mytool', '#!/bin/sh\ntouch "$NOTE"\n');
  chmodSync(join(rig.root, 'bin/mytool'), 0o755);
  const env = { PATH: `${join(rig.root, 'bin')}:${process.env['PATH']}`, NOTE: join(rig.aside, 'ran') };
  expect((await rig.orch(['run', '--quiet'], { env })).code).toBe(0);
  expect(readdirSync(rig.aside)).toEqual(['ran']);
  expect(rig.record('A')['reason']).toBeNull();
});
