import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, vi } from 'vitest';
import { ORCH, type Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

// Dozens of shells and programs, one after the other: a minute where others are at work, too.
vi.setConfig({ testTimeout: 180_000 });

const PLAN = [
  { id: 'api-one', tasks: [{ run: 'true' }] },
  { id: 'api-two', tasks: [{ run: 'exit 1' }] },
  { id: 'docs', tasks: [{ run: 'true' }], depends_on: ['api-one'] },
];

/** A folder in which `orch` is the built program. */
function binOf(rig: Rig): string {
  const bin = join(rig.aside, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'orch'), `#!/bin/sh\nexec '${process.execPath}' '${ORCH}' "$@"\n`);
  chmodSync(join(bin, 'orch'), 0o755);
  return bin;
}

/** Runs a script of another shell; null where the machine has none, which is told. */
async function inShell(
  rig: Rig,
  shell: string,
  script: string,
  args: readonly string[],
): Promise<string[] | null> {
  const env = { PATH: `${binOf(rig)}:${process.env['PATH']}`, HOME: rig.aside, XDG_CONFIG_HOME: rig.aside };
  const flags = shell === 'zsh' ? ['-f'] : ['--no-config'];
  const { code, stdout, stderr } = await execa(shell, [...flags, '-c', script, ...args], {
    cwd: rig.root,
    env,
    extendEnv: false,
    reject: false,
  });
  if (code === 'ENOENT') {
    process.stderr.write(`skipped: there is no ${shell} here\n`);
    return null;
  }
  expect([shell, stderr]).toEqual([shell, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

/** What fish itself offers at the end of a line, each with its note behind a tab. */
const fishOffers = (rig: Rig, line: string) =>
  inShell(rig, 'fish', 'orch completion fish | source; complete -C "$argv[1]"', [line]);

/** What the zsh script hands to the completion system, of which only the last step is played here. */
const zshOffers = (rig: Rig, ...words: string[]) =>
  inShell(
    rig,
    'zsh',
    `compdef() { :; }; _files() { print files; }; _describe() { print -rl -- "\${(@P)2}"; }
     source <(orch completion zsh)
     words=(orch "$@"); CURRENT=$#words; _orch`,
    ['zsh', ...words],
  );

/** What bash offers at the end of a line, through the real script: the cursor is in the last word. */
async function bashOffers(rig: Rig, ...words: string[]): Promise<string[]> {
  const bin = binOf(rig);
  const script = `
    set -eu
    source <(orch completion bash)
    complete -p orch | grep -q -- '-F _orch_complete orch'
    COMP_WORDS=(orch "$@"); COMP_CWORD=$#
    _orch_complete orch "\${COMP_WORDS[$COMP_CWORD]}" ''
    printf '%s\\n' "\${COMPREPLY[@]-}"`;
  const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: rig.aside };
  const { stdout, stderr } = await execa('bash', ['--norc', '-c', script, 'bash', ...words], {
    cwd: rig.root,
    env,
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

async function ranRig(): Promise<Rig> {
  const rig = rigOf(PLAN);
  await rig.orch(['run', '--quiet', '--restart', '0']);
  return rig;
}

describe('completion in bash', () => {
  it('offers verbs, options and the values of choices', async () => {
    const rig = rigOf(PLAN);
    const verbs = await bashOffers(rig, '');
    for (const verb of ['launch', 'run', 'status', 'reattach', 'reap', 'doctor', 'schema', 'completion'])
      expect(verbs).toContain(verb);
    expect(await bashOffers(rig, 're')).toEqual(['reattach', 'retry', 'reap']);
    expect(await bashOffers(rig, 'launch', '--max')).toEqual(['--max-parallel']);
    expect(await bashOffers(rig, 'reattach', '--no-')).toEqual(expect.arrayContaining(['--no-launch']));
    expect(await bashOffers(rig, 'schema', '')).toEqual(['status', 'plan', 'config', 'event']);
    expect(await bashOffers(rig, 'completion', 'z')).toEqual(['zsh']);
    expect(await bashOffers(rig, '--j')).toEqual(['--json']);
    expect(await bashOffers(rig, 'status', '--format', '')).toEqual(['table', 'wide', 'json', 'ndjson']);
    expect(await bashOffers(rig, 'status', '--columns', 'sta')).toEqual(['status', 'started']);
    expect(await bashOffers(rig, 'status', '--columns', 'status,me')).toEqual(['status,memory']);
    expect(await bashOffers(rig, 'launch', '--tool', 'c')).toEqual(['claude', 'codex', 'copilot']);
    // Left to bash: names of files.
    for (const words of [
      ['launch', ''],
      ['status', '--root', ''],
      ['launch', '--timeout', ''],
    ])
      expect(await bashOffers(rig, ...words)).toEqual([]);
    expect(await bashOffers(rig, 'status', '')).toEqual([]);
  });

  it('offers the ids of workstreams where one is wanted', async () => {
    const rig = await ranRig();
    for (const verb of ['status', 'logs', 'wait'])
      expect([verb, await bashOffers(rig, verb, '')]).toEqual([verb, ['api-one', 'api-two', 'docs']]);
    expect(await bashOffers(rig, 'logs', 'api-one', 'api')).toEqual(['api-two']);
    // Those that can be meant: nothing runs any more, and one has failed.
    expect(await bashOffers(rig, 'stop', '')).toEqual([]);
    expect(await bashOffers(rig, 'retry', '')).toEqual(['api-two']);
    expect(await bashOffers(rig, 'retry', '--fresh', '')).toEqual(['api-one', 'api-two', 'docs']);
    expect(await bashOffers(rig, 'logs', '-f', 'd')).toEqual(['docs']);
    expect(await bashOffers(rig, 'launch', '--only', 'docs', 'a')).toEqual(['api-one', 'api-two']);
    expect(await bashOffers(rig, 'worker', '--workstream', 'd')).toEqual(['docs']);
    const other = rigOf(PLAN);
    expect(await bashOffers(other, 'status', '--root', rig.root, 'd')).toEqual(['docs']);
    expect(await bashOffers(other, 'status', '--root', '=', rig.root, 'd')).toEqual(['docs']);
  });
});

it('completes in fish and in zsh', async () => {
  const rig = await ranRig();
  const fish = await fishOffers(rig, 'orch logs a');
  if (fish !== null) {
    expect(fish).toEqual(['api-one\tcompleted', 'api-two\tfailed']);
    expect((await fishOffers(rig, 'orch status --for'))?.[0]).toMatch(/^--format\t/);
    expect(await fishOffers(rig, 'orch status --format w')).toEqual(['wide']);
    expect(await fishOffers(rig, 'orch retry ')).toEqual(['api-two\tfailed']);
    expect(await fishOffers(rig, 'orch status --columns status,mem')).toEqual(['status,memory']);
  }
  const zsh = await zshOffers(rig, 'logs', 'a');
  if (zsh !== null) {
    expect(zsh).toEqual(['api-one:completed', 'api-two:failed']);
    expect(await zshOffers(rig, 'status', '--format', 'nd')).toEqual(['ndjson']);
    expect(await zshOffers(rig, 'launch', '')).toEqual(['files']);
    expect((await zshOffers(rig, ''))?.some((line) => line.startsWith('launch:'))).toBe(true);
  }
});

it('prints a script for each shell, and nothing on stderr where nothing can be offered', async () => {
  const rig = await ranRig();
  const zsh = await rig.orch(['_complete', 'zsh', 'status', '']);
  expect(zsh.stdout.split('\n')).toEqual(['api-one:completed', 'api-two:failed', 'docs:completed']);
  const fish = await rig.orch(['_complete', 'fish', 'logs', 'do']);
  expect(fish.stdout).toBe('docs\tcompleted');
  const nowhere = await rig.orch(['_complete', 'bash', 'status', ''], { cwd: rig.aside });
  expect(nowhere).toEqual({ code: 0, stdout: '', stderr: '' });
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await rig.orch(['completion', shell]);
    expect([code, stdout.includes(`_complete ${shell}`)]).toEqual([0, true]);
    const file = join(rig.aside, `completion.${shell}`);
    writeFileSync(file, stdout);
    const syntax = await execa(shell, ['-n', file], { reject: false });
    // Not every machine has each shell.
    if (syntax.code !== 'ENOENT') expect([shell, syntax.exitCode, syntax.stderr]).toEqual([shell, 0, '']);
  }
  expect((await rig.orch(['completion', 'tcsh'])).code).toBe(2);
});

it('takes --mode as the design document spells it', async () => {
  const rig = rigOf([{ id: 'A', tasks: [{ run: 'true' }] }]);
  const json = async (...args: string[]) => rig.orch([...args, '--json']);
  const worker = await json(
    '--mode',
    'worker',
    '--workstream',
    'A',
    '--worktree',
    join(rig.root, '.worktrees/A'),
  );
  expect([worker.code, rig.status('A')]).toEqual([0, 'completed']);
  const dry = await json('--mode', 'orchestrator', '--dry-run');
  expect([dry.code, JSON.parse(dry.stdout)]).toMatchObject([0, { schema: 'orch.dry-run/1' }]);
  const detached = await json('--mode=orchestrator', '--detached', '--fresh');
  expect([detached.code, JSON.parse(detached.stdout)]).toMatchObject([0, { schema: 'orch.launch/1' }]);
  expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
  for (const args of [
    ['--mode', 'manager'],
    ['--mode'],
    ['--mode', 'worker', '--mode', 'worker'],
    ['status', '--mode', 'worker'],
  ])
    expect([args, (await rig.orch(args)).code]).toEqual([args, 2]);
});
