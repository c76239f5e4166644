import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { mountOf } from '../../lib/cli/doctor/mounts.ts';
import { folderWith } from '../plan/scratch.ts';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

type Check = { name: string; level: string; found: string; hint: string | null };
const SECRET = 'sk-live-4711';
/** What would make aider usable on the machine of whoever runs this. */
const NO_KEYS = Object.fromEntries(
  'ANTHROPIC_API_KEY OPENAI_API_KEY GEMINI_API_KEY DEEPSEEK_API_KEY OPENROUTER_API_KEY VERTEXAI_PROJECT AIDER_MODEL'
    .split(' ')
    .map((name) => [name, '']),
);

async function examine(rig: Rig, options: { cwd?: string; env?: Record<string, string> } = {}) {
  const { code, stdout, stderr } = await rig.orch(['doctor', '--json'], options);
  expect(stderr).toBe('');
  const { schema, checks } = JSON.parse(stdout) as { schema: string; checks: Check[] };
  expect(schema).toBe('orch.doctor/1');
  for (const check of checks) expect(Object.keys(check)).toEqual(['name', 'level', 'found', 'hint']);
  const failed = checks.filter(({ level }) => level === 'fail');
  expect(code).toBe(failed.length > 0 ? 1 : 0);
  return {
    checks,
    failed: failed.map(({ name }) => name),
    by: new Map(checks.map((one) => [one.name, one])),
  };
}

/** Everything in a folder: names, sizes, times of change. */
function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const { size, mtimeMs, mode } = lstatSync(join(folder, name));
      return `${name} ${size} ${mtimeMs} ${mode}`;
    })
    .sort();
}

const PLAN = [{ id: 'A', tasks: [{ run: 'true' }] }];

describe('orch doctor', () => {
  it('tells of each tool where it is and its version, or why it cannot be used; no key', async () => {
    const tools = {
      mine: { executable: './bin/mine' },
      codex: { executable: '/nonexistent/codex', model: 'm' },
    };
    const rig = rigOf(PLAN, {
      'README.md': 'x',
      'orch.config.json': JSON.stringify({ tools, env_file: 'keys.env' }),
    });
    const say = (name: string, text: string): void => {
      rig.write(name, `#!/bin/sh\n${text}\n`);
      chmodSync(join(rig.root, name), 0o755);
    };
    // One that says where it was asked, one that must not be asked, one that has no version, one that has no key.
    say('bin/claude', `echo "GitHub 2.1.0. Run it"; pwd > "${rig.aside}/claude"`);
    say('bin/mine', `touch "${rig.aside}/mine"`);
    say('bin/gemini', 'echo gemini; exit 1');
    say('bin/aider', `touch "${rig.aside}/aider"`);
    rig.write('keys.env', `ANTHROPIC_AUTH_TOKEN=${SECRET}\n`);
    chmodSync(join(rig.root, 'keys.env'), 0o600);
    const env = { PATH: `${join(rig.root, 'bin')}:/usr/bin:/bin`, ...NO_KEYS };
    const { by, failed } = await examine(rig, { env });
    expect(failed).toEqual([]);
    const found = (name: string): string | undefined => by.get(`tool ${name}`)?.found;
    expect(found('claude')?.startsWith(`${rig.root}/bin/claude, 2.1.0;`)).toBe(true);
    expect(readFileSync(`${rig.aside}/claude`, 'utf8')).toBe('/\n');
    expect(found('mine')).toContain('registered');
    expect(found('gemini')).toContain('does not tell');
    expect(found('aider')).toContain('no model');
    expect(found('codex')).toContain('/nonexistent/codex cannot be run (ENOENT)');
    expect(found('copilot')).toContain('not on PATH');
    const levels = ['claude', 'gemini', 'aider', 'copilot'].map((name) => by.get(`tool ${name}`)?.level);
    expect(levels).toEqual(['ok', 'ok', 'none', 'none']);
    expect(readdirSync(rig.aside)).toEqual(['claude']);
    expect(by.get('keys')?.found).toContain('ANTHROPIC_AUTH_TOKEN');
  });

  it('finds a plan that no tool can do as a launch would, and names an env_file that is not there', async () => {
    const rig = rigOf([{ id: 'A', tasks: ['Make it better.'] }], {
      'README.md': 'x',
      'orch.config.yaml': 'env_file: keys.env\ntool: [llm]\n',
      '.gitignore': 'keys.env',
    });
    const env = { ORCH_LLM_BASE_URL: '', ORCH_LLM_MODEL: '', ...NO_KEYS };
    const { failed, by } = await examine(rig, { env });
    expect(failed).toEqual(['plan']);
    expect(by.get('plan')?.hint).toContain('keys.env is not there');
    rig.write('keys.env', `ORCH_LLM_BASE_URL=http://127.0.0.1:9/v1\nORCH_LLM_MODEL=small\n`);
    const mended = await examine(rig, { env });
    expect(mended.failed).toEqual([]);
    expect(mended.by.get('tool llm')?.found).toBe('http://127.0.0.1:9/v1, model small');
  });

  it('finds a sound repository sound, changes nothing and names no value', async () => {
    const rig = rigOf(PLAN, {
      'README.md': 'x',
      'orch.config.json': JSON.stringify({ env_file: 'keys.env', require_env: ['A_TOKEN'] }),
      '.gitignore': 'keys.env',
    });
    rig.write('keys.env', `A_TOKEN=${SECRET}\nSOME_API_KEY=${SECRET}\n`);
    chmodSync(join(rig.root, 'keys.env'), 0o600);
    const before = listing(rig.root);
    const env = { OPENAI_API_KEY: SECRET };
    const { failed, by, checks } = await examine(rig, { env });
    expect(failed).toEqual([]);
    for (const name of ['git', 'repository', 'operation', 'changes', 'worktrees', 'branches', 'folders'])
      expect([name, by.get(name)?.level]).toEqual([name, 'ok']);
    for (const name of ['config', 'plan', 'environment', 'node', 'tool command', 'containment'])
      expect([name, by.get(name)?.level]).toEqual([name, 'ok']);
    for (const name of [
      'disk',
      'temporary',
      'file system',
      'watches',
      'open files',
      'clock',
      'logout',
      'tool aider',
    ])
      expect(by.has(name)).toBe(true);
    expect(by.get('keys')?.found).toContain('OPENAI_API_KEY, SOME_API_KEY');
    expect(JSON.stringify(checks)).not.toContain(SECRET);
    const plain = await rig.orch(['doctor'], { env });
    expect([plain.code, plain.stdout.includes(SECRET)]).toEqual([0, false]);
    expect(plain.stdout.split('\n')[0]).toMatch(/^ok {4}git +\d/);
    expect(listing(rig.root)).toEqual(before);
  });

  it('tells what would be refused, and why', async () => {
    const rig = rigOf([{ id: 'A', tasks: [] }], { 'README.md': 'x', 'orch.config.yaml': 'max_paralel: 3\n' });
    rig.git('branch', 'orch');
    symlinkSync(rig.aside, join(rig.root, '.status'));
    const { failed, by } = await examine(rig);
    expect(failed.sort()).toEqual(['branches', 'config', 'folders', 'plan']);
    expect(by.get('config')?.found).toMatch(/^orch\.config\.yaml:1:1: .*max_paralel/);
    expect(by.get('plan')?.found).toMatch(/^orch\.plan\.json:\d+:\d+: /);
    for (const name of failed) expect([name, by.get(name)?.hint]).not.toEqual([name, null]);
    const inside = await examine(rig, { cwd: rig.aside });
    expect(inside.failed).toEqual(['repository']);
    expect(inside.by.has('node')).toBe(true);
  });

  it('warns of what may go wrong', async () => {
    const rig = rigOf(PLAN, { 'README.md': 'x', 'orch.config.yaml': 'env_file: .env\n' });
    rig.write('README.md', 'y');
    rig.write('.env', `A=${SECRET}\n`);
    chmodSync(join(rig.root, '.env'), 0o644);
    writeFileSync(join(rig.root, '.git/MERGE_HEAD'), `${rig.git('rev-parse', 'HEAD')}`);
    const levels = async (...names: string[]) => {
      const { by } = await examine(rig);
      return names.map((name) => by.get(name)?.level);
    };
    expect(await levels('operation', 'changes', 'environment')).toEqual(['warn', 'warn', 'warn']);
    chmodSync(join(rig.root, '.env'), 0o600);
    expect(await levels('environment')).toEqual(['ok']);
    rig.git('add', '-f', '.env');
    expect(await levels('environment')).toEqual(['warn']);
    rig.write('orch.config.yaml', 'require_env: [NEEDED]\n');
    expect(await levels('environment')).toEqual(['warn']);
    rig.git('update-index', '--add', '--cacheinfo', `160000,${rig.git('rev-parse', 'HEAD').trim()},sub`);
    expect(await levels('submodules')).toEqual(['warn']);
  });

  it('tells that logout ends detached work, as launch and run --detached do', async () => {
    const rig = rigOf(PLAN);
    const bin = join(rig.aside, 'bin');
    mkdirSync(bin);
    const answer = (linger: string) => {
      const text = [
        '#!/bin/sh',
        `case $1 in show-user) echo Linger=${linger};; *) echo KillUserProcesses=yes; echo KillExcludeUsers=;; esac`,
      ].join('\n');
      writeFileSync(join(bin, 'loginctl'), text);
      chmodSync(join(bin, 'loginctl'), 0o755);
    };
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    const warned = ({ stderr }: { stderr: string }) =>
      stderr
        .split('\n')
        .filter((line) => line.startsWith('orch: warning: ') && line.includes('KillUserProcesses'));
    answer('no');
    const { by } = await examine(rig, { env });
    expect(by.get('logout')).toMatchObject({ level: 'warn', hint: expect.stringContaining('enable-linger') });
    expect(warned(await rig.orch(['launch'], { env }))).toHaveLength(1);
    await rig.orch(['wait']);
    expect(warned(await rig.orch(['run', '--detached', '--fresh'], { env }))).toHaveLength(1);
    await rig.orch(['wait']);
    expect(warned(await rig.orch(['run', '--fresh', '--quiet'], { env }))).toEqual([]);
    expect(warned(await rig.orch(['launch', '--dry-run'], { env }))).toEqual([]);
    answer('yes');
    expect((await examine(rig, { env })).by.get('logout')?.level).toBe('ok');
  });
});

describe('--dry-run', () => {
  it('of launch and run touches nothing, before a run and after one', async () => {
    const rig = rigOf([...PLAN, { id: 'B', tasks: [{ run: 'exit 1' }], setup: ['touch "$NOTE"'] }]);
    const env = { NOTE: join(rig.aside, 'ran') };
    const dry = async () => {
      const before = [listing(rig.root), rig.git('for-each-ref')];
      for (const args of [['launch'], ['run'], ['run', '--detached', '--wait'], ['launch', '--fresh']])
        expect([args, (await rig.orch([...args, '--dry-run'], { env })).code]).toEqual([args, 0]);
      expect([listing(rig.root), rig.git('for-each-ref')]).toEqual(before);
      expect(readdirSync(rig.aside)).toEqual([]);
    };
    await dry();
    expect(readdirSync(rig.root)).not.toContain('.status');
    await rig.orch(['run', '--quiet', '--only', 'A', '--restart', '0'], { env });
    await dry();
  });

  it('of reap touches nothing, and says what reap does', async () => {
    const rig = rigOf(PLAN);
    await rig.orch(['run', '--quiet']);
    writeFileSync(join(rig.root, '.pids/A.pid'), '4194000\n');
    writeFileSync(join(rig.root, '.status/A.heartbeat'), '1\n');
    const before = listing(rig.root);
    const dry = JSON.parse((await rig.orch(['reap', '--dry-run', '--json'])).stdout) as { actions: object[] };
    expect(listing(rig.root)).toEqual(before);
    expect(dry.actions).toHaveLength(2);
    const real = JSON.parse((await rig.orch(['reap', '--json'])).stdout) as { actions: object[] };
    expect(real.actions).toEqual(dry.actions);
    expect(readdirSync(join(rig.root, '.pids'))).not.toContain('A.pid');
  });
});

it('knows what is mounted where', async () => {
  const table = [
    '22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw',
    '30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw',
    '31 22 0:41 / /home/with\\040blank rw - fuse.sshfs x rw',
  ].join('\n');
  const file = join(await folderWith({ table }), 'table');
  expect(readFileSync(file, 'utf8')).toContain('\\040');
  expect(mountOf('/home/me/repo', file)).toEqual({ place: '/home', type: 'nfs4' });
  expect(mountOf('/home/with blank/repo', file)).toEqual({ place: '/home/with blank', type: 'fuse.sshfs' });
  expect(mountOf('/homeless', file)).toEqual({ place: '/', type: 'ext4' });
  expect(mountOf('/', join(file, 'none'))).toBeNull();
});
