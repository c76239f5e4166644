import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { probeBwrap } from '../../lib/process/tiers.ts';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** What a command in a sandbox can do, and what not. The script in the fixtures tries. */

vi.setConfig({ testTimeout: 180_000 });

const PROGRAM = 'tries-everything.sh';
const SCRIPT = readFileSync(join(import.meta.dirname, '../fixtures/tools', PROGRAM), 'utf8');

/** A home and a repository outside of the folders for temporary files, which a sandbox empties in any case. */
function place(): string {
  mkdirSync(join(homedir(), '.cache'), { recursive: true });
  const folder = mkdtempSync(join(homedir(), '.cache', 'orch-sandbox-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  onTestFinished(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A home with things that no agent should see. */
function makeHome(folder: string): string {
  const home = join(folder, 'home');
  const files = [
    '.ssh/id',
    '.aws/credentials',
    'real/config.json',
    'private/x',
    '.netrc',
    'public.txt',
    '.cache/y',
  ];
  for (const file of files) {
    mkdirSync(join(home, file, '..'), { recursive: true });
    writeFileSync(join(home, file), 'a secret');
  }
  symlinkSync('real', join(home, '.docker'));
  return home;
}

async function listen(): Promise<number> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

type Sandbox = Record<string, unknown> | string;

async function planOf(sandbox: Sandbox): Promise<unknown> {
  const leave = (name: string): string => `touch "$ORCH_ROOT/from-${name}" || true`;
  const a = {
    id: 'A',
    setup: leave('setup'),
    tasks: [{ run: `sh ${PROGRAM} ${await listen()}` }],
    acceptance_tests: [{ run: `${leave('check')}; test -s result.txt` }],
    sandbox,
  };
  return { workstreams: [a, { id: 'B', tasks: [{ run: 'true' }], acceptance_tests: [{ run: 'true' }] }] };
}

async function resultsOf(rig: Rig, home: string): Promise<Record<string, string>> {
  writeFileSync(join(rig.root, 'keys.env'), 'A_KEY=secret\n', { mode: 0o600 });
  rig.git('pack-refs', '--all');
  const before = rig.git('for-each-ref', 'refs/heads/main', 'refs/tags');
  expect(await rig.orch(['run'], { env: { HOME: home } })).toMatchObject({ code: 0 });
  for (const name of ['setup', 'check'])
    expect([name, existsSync(join(rig.root, `from-${name}`))]).toEqual([name, false]);
  expect(rig.git('for-each-ref', 'refs/heads/main', 'refs/tags')).toBe(before);
  expect(rig.git('status', '--porcelain')).toBe('');
  expect(rig.git('log', '-2', '--format=%s', 'orch/A')).toContain('mine');
  const lines = rig.git('show', 'orch/A:result.txt').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(' ')));
}

const DENIED =
  `checkout checkout-new home system other-worktree ssh aws netrc linked named keys state-.status state-.pids
  state-.logs main branch tag config config-file hook packed pack checkpoint pointer commondir worktree-config processes
  network services privileges`.split(/\s+/);
const ALLOWED = ['worktree', 'commit', 'temporary', 'public', 'writable'];

const offer = await probeBwrap(false);
if (!offer.offered) process.stderr.write(`SKIPPED: sandbox: ${offer.why}\n`);
const FILES = {
  'README.md': 'x',
  [PROGRAM]: SCRIPT,
  '.gitignore': 'keys.env\n',
  'orch.config.yaml': 'env_file: keys.env\n',
};

describe.runIf(offer.offered)('a sandbox', () => {
  it('lets a command work and commit, and nothing else', async () => {
    const home = makeHome(place());
    const sandbox = { kind: 'bwrap', network: 'off', hide: ['~/private'], writable: ['~/.cache'] };
    const rig = rigOf(await planOf(sandbox), FILES);
    const results = await resultsOf(rig, home);
    const expected = [...ALLOWED.map((name) => [name, 'yes']), ...DENIED.map((name) => [name, 'no'])];
    expect(results).toEqual(Object.fromEntries(expected));
    expect(rig.record('A')).toMatchObject({
      status: 'completed',
      containment: expect.stringContaining('marker'),
    });
    expect(rig.processes()).toEqual([]);
  });

  it('has the network in its short form, and shows what nobody named', async () => {
    const home = makeHome(place());
    const rig = rigOf(await planOf('bwrap'), FILES);
    const open = ['network', 'named'];
    const closed = ['writable'];
    const yes = [...ALLOWED, ...open].filter((name) => !closed.includes(name));
    const no = [...DENIED, ...closed].filter((name) => !open.includes(name));
    const expected = [...yes.map((name) => [name, 'yes']), ...no.map((name) => [name, 'no'])];
    expect(await resultsOf(rig, home)).toEqual(Object.fromEntries(expected));
  });
});

describe('what is asked for and cannot be had', () => {
  const plan = (fields: Record<string, unknown>) => [{ id: 'A', tasks: [{ run: 'true' }], ...fields }];
  const broken = (rig: Rig, program: string): Record<string, string> => {
    const bin = join(rig.aside, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, program), '#!/bin/sh\necho no such luck >&2; exit 1\n');
    chmodSync(join(bin, program), 0o755);
    return { PATH: `${bin}:${process.env['PATH'] ?? ''}`, XDG_RUNTIME_DIR: rig.aside };
  };
  const cases: [string, Record<string, unknown>, Record<string, unknown>, string, RegExp][] = [
    ['a sandbox without bwrap', { sandbox: 'bwrap' }, {}, 'bwrap', /A: no sandbox can be made: no such luck/],
    [
      'a PID namespace',
      {},
      { containment: 'pid_namespace' },
      'setpriv',
      /pid_namespace is not to be had: no such luck/,
    ],
    [
      'limits in a sweep',
      { limits: { memory: '1G' } },
      { containment: 'sweep' },
      'x',
      /limits cannot be enforced/,
    ],
  ];
  it.each(cases)('%s is refused at launch', async (_, fields, config, program, says) => {
    const rig = rigOf(plan(fields), { 'README.md': 'x', 'orch.config.json': JSON.stringify(config) });
    const { code, stderr } = await rig.orch(['launch', '--json'], { env: broken(rig, program) });
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string; hint: string } };
    expect([code, error.code]).toEqual([2, 'NO_CONTAINMENT']);
    expect(error.message).toMatch(says);
    expect(error.hint).not.toBe('');
    expect(rig.status('A')).toBe(null);
  });

  it('limits that are best effort are told of and passed over', async () => {
    const rig = rigOf(plan({ limits: { memory: '1G', cpu: '150%', best_effort: true } }), {
      'README.md': 'x',
      'orch.config.json': '{"containment": "sweep"}',
    });
    const { code, stderr } = await rig.orch(['run']);
    expect(code).toBe(0);
    expect(stderr).toContain('warning: limits are not enforced');
  });
});
