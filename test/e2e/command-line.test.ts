import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** How the words of a command line are understood: what is the command, its operands, the value of an option. */

const task = { run: 'true' };
const refused = (code: number, error: string) => ({ code, error });

/** The exit code, and the code of the error that was told. */
async function refusal(rig: Rig, args: readonly string[]): Promise<{ code: number | null; error: string }> {
  const { code, stdout, stderr } = await rig.orch(['--json', ...args]);
  expect([args, stdout]).toEqual([args, '']);
  return { code, error: (JSON.parse(stderr) as { error: { code: string } }).error.code };
}

async function plannedIds(rig: Rig, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await rig.orch(['plan', '--json', ...args]);
  expect([args, code, stderr]).toEqual([args, 0, '']);
  return (JSON.parse(stdout) as { workstreams: { id: string }[] }).workstreams.map(({ id }) => id);
}

describe('words behind --', () => {
  it('are operands, behind those before it', async () => {
    const rig = rigOf([{ id: '001', tasks: [task] }], {
      'other.json': JSON.stringify([
        { id: 'B', tasks: [task] },
        { id: 'C', tasks: [task] },
      ]),
      '-x.json': JSON.stringify({ id: 'X', tasks: [task] }),
    });
    expect(await plannedIds(rig, '--', 'other.json')).toEqual(['B', 'C']);
    expect(await plannedIds(rig, '--only', 'C', '--', 'other.json')).toEqual(['C']);
    expect(await plannedIds(rig, 'other.json', '--', 'orch.plan.json', '-x.json')).toEqual([
      'B',
      'C',
      '001',
      'X',
    ]);
    const dry = await rig.orch(['launch', '--dry-run', '--json', '--only', 'B', '--', 'other.json']);
    expect([dry.code, dry.stdout.includes('"B"'), dry.stdout.includes('"001"')]).toEqual([0, true, false]);

    expect((await rig.orch(['run', '--quiet', '--only', '001', '--', 'orch.plan.json'])).code).toBe(0);
    for (const verb of ['wait', 'logs', 'stop', 'retry', 'status'])
      expect([verb, await refusal(rig, [verb, '--', '001', 'nosuch'])]).toEqual([
        verb,
        refused(3, 'NO_WORKSTREAM'),
      ]);
    const waited = await rig.orch(['wait', '--json', '--', '001']);
    expect([waited.code, JSON.parse(waited.stdout)]).toMatchObject([0, { summary: { total: 1 } }]);
  });

  it('are refused where a command takes none, and never taken for options', async () => {
    const rig = rigOf([{ id: 'A', tasks: [task] }]);
    for (const args of [
      ['reattach', '--', 'A'],
      ['reattach', '--', '--once'],
      ['schema', '--', 'nonsense'],
      ['schema', '--', 'plan', 'config'],
      ['--', 'status'],
    ])
      expect([args, await refusal(rig, args)]).toEqual([args, refused(2, 'USAGE')]);
    const [apart, plain] = await Promise.all([
      rig.orch(['schema', '--', 'plan']),
      rig.orch(['schema', 'plan']),
    ]);
    expect(apart).toEqual(plain);
  });
});

describe('the value of an option before the command', () => {
  function nestedRig(): Rig {
    const rig = rigOf([{ id: 'outer', tasks: [task] }]);
    for (const name of ['demo', 'wait']) {
      mkdirSync(join(rig.root, name));
      rig.git('init', '--quiet', name);
      rig.write(`${name}/orch.plan.json`, JSON.stringify({ id: `in-${name}`, tasks: [task] }));
    }
    return rig;
  }

  it('may be called as a command is', async () => {
    const rig = nestedRig();
    expect(await refusal(rig, ['--root', 'demo', 'status'])).toEqual(refused(3, 'NO_STATE'));
    const plan = await rig.orch(['--root', 'wait', 'plan', '--json']);
    expect([plan.code, JSON.parse(plan.stdout)]).toMatchObject([0, { waves: [['in-wait']] }]);
    const joined = await rig.orch(['--json', '--root=demo', 'plan']);
    expect([joined.code, JSON.parse(joined.stdout)]).toMatchObject([0, { waves: [['in-demo']] }]);
    const dry = await rig.orch(['--max-parallel', '2', 'launch', '--dry-run', '--json']);
    expect(dry.code).toBe(0);
  });

  it('is no command, as a wrong name is none', async () => {
    const rig = nestedRig();
    for (const args of [
      ['--root', 'demo'],
      ['--root', 'demo', 'lunch'],
      ['lunch', 'status'],
    ])
      expect([args, await refusal(rig, args)]).toEqual([args, refused(2, 'USAGE')]);
  });

  it('stands behind the command where it is one of the command', async () => {
    const rig = rigOf([{ id: 'A', tasks: [task] }]);
    const { code, stdout, stderr } = await rig.orch(['--dry-run', 'launch']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--dry-run before launch is not read: the options of a command stand behind it');
  });

  it('is none for completion either', async () => {
    const rig = nestedRig();
    const offers = async (...words: string[]) => (await rig.orch(['_complete', 'bash', ...words])).stdout;
    expect(await offers('--root', 'demo', 'status', '--format', 'nd')).toBe('ndjson');
    expect(await offers('--root', '=', 'demo', 'status', '--format', 'nd')).toBe('ndjson');
    expect((await offers('--root', 'demo', '')).split('\n')).toContain('launch');
  });
});

describe('JSON that was asked for', () => {
  it('is what errors and notes are told as, however it is spelled', async () => {
    const rig = rigOf([{ id: 'A', tasks: [task] }]);
    const told = async (...args: string[]) => {
      const { stderr } = await rig.orch(args);
      return stderr.startsWith('{');
    };
    for (const words of [
      ['--json'],
      ['--json=true'],
      ['--no-json', '--json'],
      ['--format', 'ndjson'],
      ['--format=json'],
    ])
      expect([words, await told('status', ...words)]).toEqual([words, true]);
    for (const words of [['--json=false'], ['--json', '--no-json'], ['--format', 'wide'], ['--', '--json']])
      expect([words, await told('status', ...words)]).toEqual([words, false]);

    // Blocked by what failed, it has no log.
    rig.write(
      'two.json',
      JSON.stringify([
        { id: 'bad', tasks: [{ run: 'exit 3' }] },
        { id: 'late', tasks: [task], depends_on: ['bad'] },
      ]),
    );
    expect((await rig.orch(['run', '--quiet', '--restart', '0', 'two.json'])).code).toBe(1);
    const empty = await rig.orch(['logs', 'late', '--json']);
    expect([empty.code, empty.stdout, JSON.parse(empty.stderr)]).toMatchObject([
      0,
      '',
      { warning: { code: 'log_empty', workstream: 'late' } },
    ]);
  });
});
