import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** What is refused, with which code, and that nothing is made of it. */

let out = '';
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const PLAN = [{ id: 'A', tasks: [{ run: 'true' }] }];
const FOLDERS = ['.status', '.pids', '.logs', '.worktrees'];

type Refusal = { exit: number | null; code: string; message: string; hint: string | null };

/** Runs a command that must fail, with `--json`: exactly one error on stderr, and nothing on stdout. */
async function refuse(
  rig: Rig,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
) {
  const { code, stdout, stderr } = await rig.orch([...args, '--json'], options);
  expect([args, stdout, stderr.trim().split('\n').length]).toEqual([args, '', 1]);
  const { error } = JSON.parse(stderr) as { error: Omit<Refusal, 'exit'> };
  expect(Object.keys(error)).toEqual(['code', 'message', 'hint']);
  return { exit: code, ...error };
}

async function expectRefusals(rig: Rig, table: [string[], number, string][]): Promise<void> {
  const all = await Promise.all(table.map(async ([args]) => refuse(rig, args)));
  const seen = all.map(({ exit, code }, index) => [table[index]?.[0], exit, code]);
  expect(seen).toEqual(table);
}

const made = (rig: Rig): string[] => FOLDERS.filter((folder) => existsSync(join(rig.root, folder)));
const refs = (rig: Rig): string => rig.git('for-each-ref', '--format=%(refname) %(objectname)');

describe('a plan with faults', () => {
  const lines = [
    '[',
    '  {"id": "A", "tasks": []},',
    '  {"id": "B", "tasks": [{"run": "true"}]},',
    '  {"id": "b", "tasks": [{"run": "true"}]},',
    '  {"tasks": [{"run": "true"}]},',
    '  {"id": "C", "tasks": [{"run": "true"}], "depends_on": ["nobody"]},',
    '  {"id": "D", "tasks": [{"run": "true"}], "depends_on": ["E"]},',
    '  {"id": "E", "tasks": [{"run": "true"}], "depends_on": ["D"]},',
    '  {"id": "../F", "tasks": [{"run": "true"}]},',
    '  {"id": "G", "execution_steps": ["do it"]},',
    '  {"id": "H", "tasks": "do it"},',
    '  {"id": "I", "tasks": [{"run": "true"}], "files_scope": ["../../etc"]},',
    '  {"id": "J", "tasks": [{"run": "true"}], "timeout": "soon"}',
    ']',
  ];
  const places = (text: string, file: string): [number, number][] =>
    [...text.matchAll(new RegExp(`(?:^|\\n)${file.replaceAll('.', '\\.')}:(\\d+):(\\d+): \\S`, 'g'))].map(
      ([, line, column]) => [Number(line), Number(column)],
    );

  it('is refused with each of them in its place, and nothing is made', async () => {
    const rig = rigOf(undefined, { 'orch.plan.json': lines.join('\n') });
    const [plain, json] = await Promise.all([rig.orch(['launch']), refuse(rig, ['launch'])]);
    expect([plain.code, plain.stdout]).toEqual([2, '']);
    expect(plain.stderr.startsWith('orch: ')).toBe(true);
    const found = places(plain.stderr, 'orch.plan.json');
    const faulty = [2, 4, 5, 6, 9, 10, 11, 12, 13];
    expect(found.map(([line]) => line)).toEqual(expect.arrayContaining(faulty));
    // The cycle is told at one of its two.
    expect(found.some(([line]) => line === 7 || line === 8)).toBe(true);
    expect(found.filter(([line]) => line === 3)).toEqual([]);
    for (const [line, column] of found) {
      expect(column).toBeGreaterThan(0);
      expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
    }
    expect([json.exit, json.code]).toEqual([2, 'PLAN_INVALID']);
    expect(places(json.message, 'orch.plan.json')).toEqual(found);
    expect([made(rig), refs(rig).trim().split('\n').length]).toEqual([[], 1]);
  });

  it('is refused for its syntax, with the place of the first fault of each file', async () => {
    const files = {
      'plans/one.json': '[\n {"id": "A",, }\n]',
      'plans/two.yaml': 'id: A\ntasks:\n  - [run\n',
    };
    const rig = rigOf(undefined, files);
    const { exit, code, message } = await refuse(rig, ['launch', 'plans']);
    expect([exit, code]).toEqual([2, 'PLAN_INVALID']);
    expect(places(message, 'plans/one.json')).toMatchObject([[2, expect.any(Number)]]);
    expect(places(message, 'plans/two.yaml')).toHaveLength(1);
    expect(made(rig)).toEqual([]);
  });
});

describe('a command line with faults', () => {
  it('ends with 2 or 3 and a hint, and nothing is made', async () => {
    const rig = rigOf(PLAN);
    await expectRefusals(rig, [
      [['lunch'], 2, 'USAGE'],
      [[], 2, 'USAGE'],
      [['launch', '--max-paralel', '3'], 2, 'USAGE'],
      [['launch', '--max-parallel', '0'], 2, 'USAGE'],
      [['launch', '--max-parallel', 'many'], 2, 'USAGE'],
      [['launch', '--timeout', 'soon'], 2, 'USAGE'],
      [['launch', '--restart', '-1'], 2, 'USAGE'],
      [['launch', '--base', 'no-such-branch'], 2, 'BAD_REF'],
      [['launch', 'absent.yaml'], 2, 'PLAN_NOT_FOUND'],
      [['launch', '--only', 'B'], 3, 'NO_WORKSTREAM'],
      [['launch', '--skip', 'A'], 2, 'USAGE'],
      [['launch', '--root', join(out, 'absent')], 2, 'NOT_A_REPOSITORY'],
    ]);
    const { stderr } = await rig.orch(['lunch']);
    expect(stderr).toMatch(/^orch: .+\n.+/);
    expect(made(rig)).toEqual([]);
  });

  it('ends with 3 where nothing was ever launched', async () => {
    const rig = rigOf(PLAN);
    await expectRefusals(rig, [
      [['status'], 3, 'NO_STATE'],
      [['status', 'A'], 3, 'NO_STATE'],
      [['wait'], 3, 'NO_STATE'],
      [['logs', 'A'], 3, 'NO_STATE'],
      [['stop', 'A'], 3, 'NO_STATE'],
      [['stop', '--all'], 3, 'NO_STATE'],
      [['retry', 'A'], 3, 'NO_STATE'],
      [['reattach'], 3, 'NO_STATE'],
      [['reap'], 3, 'NO_STATE'],
    ]);
    expect(made(rig)).toEqual([]);
  });

  it('ends with 3 for an id that nobody knows', async () => {
    const rig = rigOf(PLAN);
    expect((await rig.orch(['launch'])).code).toBe(0);
    await expectRefusals(rig, [
      [['status', 'B'], 3, 'NO_WORKSTREAM'],
      [['wait', 'B'], 3, 'NO_WORKSTREAM'],
      [['logs', 'B'], 3, 'NO_WORKSTREAM'],
      [['stop', 'B'], 3, 'NO_WORKSTREAM'],
      [['stop', 'A', 'B'], 3, 'NO_WORKSTREAM'],
      [['retry', 'B'], 3, 'NO_WORKSTREAM'],
      [['worker', '--workstream', 'B'], 3, 'NO_WORKSTREAM'],
    ]);
    expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
  });
});

describe('a place where orch cannot work', () => {
  it('is refused: no repository, a bare one, one without a commit', async () => {
    const rig = rigOf(PLAN);
    const [plain, bare, empty] = ['plain', 'bare', 'empty'].map((name) => join(out, name));
    for (const folder of [plain, bare, empty]) mkdirSync(folder ?? '');
    rig.git('init', '--quiet', '--bare', bare ?? '');
    rig.git('init', '--quiet', empty ?? '');
    for (const folder of [plain, bare, empty])
      writeFileSync(join(folder ?? '', 'orch.plan.json'), JSON.stringify(PLAN));
    const codes = ['NOT_A_REPOSITORY', 'NOT_A_REPOSITORY', 'NO_COMMITS'];
    const check = async (cwd: string, code: string | undefined): Promise<void> => {
      const before = readdirSync(cwd);
      const both = [refuse(rig, ['launch'], { cwd }), refuse(rig, ['launch', '--root', cwd])];
      for (const refusal of await Promise.all(both)) expect(refusal).toMatchObject({ exit: 2, code });
      expect(readdirSync(cwd)).toEqual(before);
    };
    await Promise.all([plain, bare, empty].map((cwd = '', index) => check(cwd, codes[index])));
  });

  it('is refused: no plan, changed files, no tool', async () => {
    const rig = rigOf(PLAN);
    rig.git('rm', '--quiet', '--cached', 'orch.plan.json');
    rig.git('commit', '--quiet', '--message=untrack');
    rig.write('README.md', 'changed\n');
    expect(await refuse(rig, ['launch'])).toMatchObject({ exit: 2, code: 'DIRTY_CHECKOUT' });
    rig.git('add', 'README.md');
    expect(await refuse(rig, ['launch'])).toMatchObject({ exit: 2, code: 'DIRTY_CHECKOUT' });
    rig.git('reset', '--quiet', '--hard');
    rig.write('orch.plan.json', JSON.stringify([{ id: 'A', tasks: ['Make it better.'] }]));
    const env = { PATH: '/usr/bin:/bin' };
    expect(await refuse(rig, ['launch'], { env })).toMatchObject({ exit: 2, code: 'NO_TOOL' });
    expect(await refuse(rig, ['launch', '--tool', 'nonesuch'], { env })).toMatchObject({
      exit: 2,
      code: 'NO_TOOL',
    });
    rmSync(join(rig.root, 'orch.plan.json'));
    expect(await refuse(rig, ['launch'])).toMatchObject({ exit: 2, code: 'PLAN_NOT_FOUND' });
    expect(made(rig)).toEqual([]);
  });

  it('is refused: a branch that takes the place of its own', async () => {
    const check = async (name: string): Promise<void> => {
      const rig = rigOf(PLAN);
      rig.git('branch', name);
      const before = refs(rig);
      const expected = { exit: 2, code: 'BRANCH_TAKEN', hint: expect.any(String) };
      expect(await refuse(rig, ['launch'])).toMatchObject(expected);
      expect([refs(rig), rig.status('A'), rig.processes()]).toEqual([before, null, []]);
    };
    await Promise.all(['orch', 'orch/A', 'orch/A/deeper'].map(check));
  });

  it('is refused: state folders that are links, files, tracked, or of others', async () => {
    const target = join(out, 'target');
    mkdirSync(target);
    const spoil: Record<string, (rig: Rig) => void> = {
      link: (rig) => symlinkSync(target, join(rig.root, '.status')),
      'link to nowhere': (rig) => symlinkSync(join(out, 'nowhere'), join(rig.root, '.pids')),
      file: (rig) => writeFileSync(join(rig.root, '.worktrees'), ''),
      tracked: (rig) => {
        rig.write('.logs/old.log', 'old\n');
        rig.git('add', '--force', '.logs/old.log');
        rig.git('commit', '--quiet', '--message=logs');
      },
      ...(process.getuid?.() === 0 && {
        stranger: (rig: Rig) => {
          mkdirSync(join(rig.root, '.status'));
          chownSync(join(rig.root, '.status'), 12345, 12345);
        },
      }),
    };
    const check = async ([what, apply]: [string, (rig: Rig) => void]): Promise<void> => {
      const rig = rigOf(PLAN);
      apply(rig);
      const { exit, code } = await refuse(rig, ['launch']);
      expect([what, exit, code]).toEqual([what, 2, 'UNSAFE_FOLDER']);
      expect(refs(rig)).not.toContain('refs/heads/orch/');
      expect(existsSync(join(rig.root, '.status/A.json'))).toBe(false);
    };
    await Promise.all(Object.entries(spoil).map(check));
    expect([readdirSync(target), existsSync(join(out, 'nowhere'))]).toEqual([[], false]);
  });
});
