import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { ORCH, type Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

const PLAN = [
  { id: 'api-one', tasks: [{ run: 'true' }] },
  { id: 'api-two', tasks: [{ run: 'exit 1' }] },
  { id: 'docs', tasks: [{ run: 'true' }], depends_on: ['api-one'] },
];

/** What bash offers at the end of a line, through the real script: the cursor is in the last word. */
async function bashOffers(rig: Rig, ...words: string[]): Promise<string[]> {
  const bin = join(rig.aside, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'orch'), `#!/bin/sh\nexec '${process.execPath}' '${ORCH}' "$@"\n`);
  chmodSync(join(bin, 'orch'), 0o755);
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
    for (const verb of ['status', 'logs', 'stop', 'retry', 'wait'])
      expect([verb, await bashOffers(rig, verb, '')]).toEqual([verb, ['api-one', 'api-two', 'docs']]);
    expect(await bashOffers(rig, 'retry', 'api-one', 'api')).toEqual(['api-two']);
    expect(await bashOffers(rig, 'logs', '-f', 'd')).toEqual(['docs']);
    expect(await bashOffers(rig, 'launch', '--only', 'docs', 'a')).toEqual(['api-one', 'api-two']);
    expect(await bashOffers(rig, 'worker', '--workstream', 'd')).toEqual(['docs']);
    const other = rigOf(PLAN);
    expect(await bashOffers(other, 'status', '--root', rig.root, 'd')).toEqual(['docs']);
    expect(await bashOffers(other, 'status', '--root', '=', rig.root, 'd')).toEqual(['docs']);
  });
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
    const syntax = await execa(shell, ['-n'], { input: stdout, reject: false });
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
