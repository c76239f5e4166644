import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Config, readConfig } from '../../lib/config/read.ts';
import type { Fault } from '../../lib/plan/fault.ts';
import { folderWith } from '../plan/scratch.ts';

async function configOf(files: Record<string, unknown>): Promise<Config & { root: string }> {
  const root = await folderWith(files);
  const result = await readConfig(root, root);
  if (!result.ok) throw new Error(`not sound: ${JSON.stringify(result.faults)}`);
  return { ...result.config, root };
}

async function faultsOf(files: Record<string, unknown>): Promise<Fault[]> {
  const root = await folderWith(files);
  const result = await readConfig(root, root);
  if (result.ok) throw new Error('expected faults, but the config was read');
  return result.faults;
}

const place = ({ code, line, column }: Fault): string => `${code}@${line}:${column}`;

describe('a config', () => {
  it('says nothing where there is none, or only comments', async () => {
    const nothing = { options: {}, acceptancePrograms: [] };
    expect(await configOf({})).toMatchObject({ file: null, ...nothing });
    expect(await configOf({ 'orch.config.yaml': '# later\n' })).toMatchObject(nothing);
    expect(await configOf({ 'orch.config.json': '// later\n' })).toMatchObject(nothing);
    expect(await configOf({ 'orch.config.json': '{}' })).toMatchObject(nothing);
  });

  it('bounds logs by sizes with units, and refuses what is none', async () => {
    const logsOf = async (logs: unknown) =>
      (await configOf({ 'orch.config.json': JSON.stringify({ logs }) })).options.logs;
    const usual = { maxBytes: 50 * 1024 ** 2, keep: 3, totalBytes: 2 * 1024 ** 3 };
    expect(await logsOf({})).toEqual(usual);
    expect(await logsOf({ max_size: '20MB', keep: 0, max_total: '1.5G' })).toEqual({
      maxBytes: 20 * 1024 ** 2,
      keep: 0,
      totalBytes: 1.5 * 1024 ** 3,
    });
    expect(await logsOf({ max_size: 65536 })).toEqual({ ...usual, maxBytes: 65536 });
    for (const logs of [
      { max_size: '50 apples' },
      { max_size: '1KB' },
      { max_size: -1 },
      { max_size: '' },
      { max_total: true },
      { keep: 1.5 },
      { keep: -1 },
      { keep: 101 },
      { rotate: true },
      'small',
      [1],
    ])
      expect([logs, (await faultsOf({ 'orch.config.json': JSON.stringify({ logs }) })).length]).toEqual([
        logs,
        1,
      ]);
  });

  it('is read in full, as YAML and as JSON with comments', async () => {
    const yaml = [
      'max_parallel: 7',
      'timeout: 4h',
      'task_timeout: 90',
      'stall_timeout: 1h30m',
      'stop_grace: 20s',
      'heartbeat_interval: 500ms',
      'restart: 0',
      'tool: [claude, aider]',
      'acceptance_programs: [mytool]',
      'env_file: .env.orch',
      'require_env: [ANTHROPIC_API_KEY]',
    ].join('\n');
    const { root, file, options, acceptancePrograms } = await configOf({ 'orch.config.yaml': yaml });
    expect(file).toBe(join(root, 'orch.config.yaml'));
    expect(acceptancePrograms).toEqual(['mytool']);
    expect(options).toEqual({
      maxParallel: 7,
      timeoutMs: 4 * 3_600_000,
      taskTimeoutMs: 90_000,
      stallTimeoutMs: 90 * 60_000,
      stopGraceMs: 20_000,
      heartbeatMs: 500,
      restart: 0,
      tool: ['claude', 'aider'],
      envFile: join(root, '.env.orch'),
      requireEnv: ['ANTHROPIC_API_KEY'],
    });
    const json = '{\n  // at night\n  "$schema": "x", "max_parallel": 2 /* two */\n}';
    expect((await configOf({ 'orch.config.json': json })).options).toEqual({ maxParallel: 2 });
    const home = await configOf({ 'orch.config.json': { env_file: '~/keys.env' } });
    expect(home.options.envFile).toBe(join(homedir(), 'keys.env'));
  });

  it.each([
    ['max_parallel: 0', 'wrong_type@1:15'],
    ['max_parallel: 1.5', 'wrong_type@1:15'],
    ['max_parallel: "3"', 'wrong_type@1:15'],
    ['restart: -1', 'wrong_type@1:10'],
    ['restart: 0\ntimeout: soon', 'bad_duration@2:10'],
    ['heartbeat_interval: 1ms', 'wrong_type@1:21'],
    ['heartbeat_interval: 30d', 'wrong_type@1:21'],
    ['stop_grace: 2h', 'wrong_type@1:13'],
    ['tool: aider', 'wrong_type@1:7'],
    ['tool: []', 'empty@1:7'],
    ['acceptance_programs: [ok, "rm -rf"]', 'wrong_type@1:27'],
    ['env_file: ""', 'empty@1:11'],
    ['restart:', 'wrong_type@1:9'],
    ['- max_parallel: 3', 'wrong_type@1:1'],
    ['max_parallel: [', 'syntax@1:16'],
    ['max_parallel: 3\nmax_parallel: 4', 'duplicate_key@2:1'],
  ])('tells the place of the fault in %j', async (text, expected) => {
    const faults = await faultsOf({ 'orch.config.yaml': text });
    expect(faults.map(place)).toEqual([expected]);
    expect(faults[0]?.file).toBe('orch.config.yaml');
  });

  it('tells all faults at once, and the nearest name of a key that is no field', async () => {
    const text = '{\n "maxParallel": 3,\n "task-timeout": "1h",\n "colour": true,\n "restart": "no"\n}';
    const faults = await faultsOf({ 'orch.config.json': text });
    expect(faults.map(place)).toEqual([
      'unknown_field@2:2',
      'unknown_field@3:2',
      'unknown_field@4:2',
      'wrong_type@5:13',
    ]);
    expect(faults.map(({ hint }) => hint)).toEqual([
      expect.stringContaining('"max_parallel"'),
      expect.stringContaining('"task_timeout"'),
      expect.stringContaining('heartbeat_interval'),
      null,
    ]);
  });

  it('refuses two files, and names that it would pass over', async () => {
    const both = await faultsOf({ 'orch.config.yaml': 'restart: 1', 'orch.config.json': '{}' });
    expect(both.map(({ code }) => code)).toEqual(['ambiguous']);
    expect((await faultsOf({ 'orch.config.yml': 'restart: 1' }))[0]?.hint).toContain('orch.config.yaml');
    expect((await faultsOf({ 'orch.config.jsonc': '{}' }))[0]?.hint).toContain('orch.config.json');
    expect((await faultsOf({ 'orch.config.yaml/x': '' })).map(({ code }) => code)).toEqual(['not_a_file']);
  });
});

describe('a secret in a config', () => {
  it.each([
    ['api_key: sk-live-1', 'secret@1:1'],
    ['OPENAI_API_KEY: sk-live-1', 'secret@1:1'],
    ['githubToken: sk-live-1', 'secret@1:1'],
    ['password: 12345678', 'secret@1:1'],
    ['env:\n  CLIENT_SECRET: sk-live-1', 'secret@2:3'],
    ['require_env: ["X=sk-live-1"]', 'wrong_type@1:15'],
    ['require_env: sk-live-1', 'wrong_type@1:14'],
    ['api_key: [sk-live-1]', 'unknown_field@1:1'],
    ['api_key:', 'unknown_field@1:1'],
  ])('is a fault in %j, and is not repeated', async (text, expected) => {
    const faults = await faultsOf({ 'orch.config.yaml': text });
    expect(faults.map(place)).toEqual([expected]);
    expect(JSON.stringify(faults)).not.toMatch(/sk-live|12345678/);
  });
});
