import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEnvFile } from '../../lib/config/env-file.ts';
import { lackOf, readWorkerEnvironment } from '../../lib/config/environment.ts';
import { folderWith } from '../plan/scratch.ts';

async function envOf(text: string) {
  return readEnvFile(join(await folderWith({ env: text }), 'env'));
}

describe('an env file', () => {
  it('gives what it names, with nothing expanded', async () => {
    const text = [
      '\ufeff# keys',
      '',
      'PLAIN=one two  # a note',
      'export EXPORTED = spaced ',
      `SINGLE='a "b" $HOME # c' # d`,
      'DOUBLE="a\\n\\"b\\" $HOME \\\\"',
      'HASH=#fff',
      'EMPTY=',
      'NOTE= # nothing',
      'EQUALS=a=b==',
      'ORCH_LLM_API_KEY=k\r',
    ].join('\n');
    expect(await envOf(text)).toMatchObject({
      kind: 'read',
      values: {
        PLAIN: 'one two',
        EXPORTED: 'spaced',
        SINGLE: 'a "b" $HOME # c',
        DOUBLE: 'a\n"b" $HOME \\',
        HASH: '#fff',
        EMPTY: '',
        NOTE: '',
        EQUALS: 'a=b==',
        ORCH_LLM_API_KEY: 'k',
      },
    });
  });

  it.each([
    ['A=1\nsk-live-1', 2, 1],
    ['A=1\n  2B=sk-live-1', 2, 3],
    ['A="sk-live-1', 1, 3],
    ["A='sk-live-1\nB=2'", 1, 3],
    ['GIT_DIR=/sk-live-1', 1, 1],
    ['export ORCH_TOKEN=sk-live-1', 1, 8],
    ['A=sk-live-1\0', 1, 3],
  ])('tells the place of the fault in %j, without the value', async (text, line, column) => {
    const file = await envOf(text);
    expect(file).toMatchObject({ kind: 'faulty', line, column });
    expect(JSON.stringify(file)).not.toContain('sk-live');
  });

  it('is absent only if it is, and never waited for', async () => {
    const root = await folderWith({ 'folder/x': '' });
    expect(readEnvFile(join(root, 'none'))).toEqual({ kind: 'absent' });
    expect(readEnvFile(join(root, 'folder'))).toMatchObject({ kind: 'faulty' });
    execFileSync('mkfifo', [join(root, 'pipe')]);
    expect(readEnvFile(join(root, 'pipe'))).toMatchObject({ kind: 'faulty' });
  });
});

describe('what a workstream lacks', () => {
  it('is what neither the file, the plan nor the starter has', async () => {
    const root = await folderWith({ env: 'IN_FILE=1\nEMPTY=\n' });
    const needs = {
      envFile: join(root, 'env'),
      requireEnv: ['IN_FILE', 'IN_PLAN', 'INHERITED', 'EMPTY', 'NO'],
    };
    const environment = readWorkerEnvironment(needs);
    const lack = lackOf(needs, environment, { IN_PLAN: '1' }, { INHERITED: '1' });
    expect(lack?.code).toBe('environment');
    expect(lack?.message).toContain('EMPTY, NO');
    expect(lack?.message).not.toMatch(/IN_FILE|IN_PLAN|INHERITED/);
    const satisfied = { ...needs, requireEnv: ['IN_FILE'] };
    expect(lackOf(satisfied, environment, {}, {})).toBeNull();
    expect(lackOf({}, readWorkerEnvironment({}), {}, {})).toBeNull();
  });

  it('is the file itself where that is not there or faulty', async () => {
    const root = await folderWith({ env: 'A=1\nfault\n' });
    const lackIn = (name: string) => {
      const needs = { envFile: join(root, name), requireEnv: [] };
      return lackOf(needs, readWorkerEnvironment(needs), {}, {});
    };
    expect(lackIn('none')).toMatchObject({ code: 'environment' });
    expect(lackIn('env')?.message).toContain(`${join(root, 'env')}:2:1`);
  });
});
