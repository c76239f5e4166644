import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Rig, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** `orch plan`: what it shows and refuses, and that it touches nothing. */

let out = '';
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'orch-out-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const task = { run: 'true' };
const PLAN = [
  {
    id: 'end',
    tasks: [task, task],
    priority: 'high',
    title: 'The "end"',
    env: { TOKEN: 'secret' },
    timeout: '90s',
  },
  { id: 'graph', tasks: [task], depends_on: ['end'], acceptance_tests: ['npm test', 'All is well'] },
  { id: 'c.1', tasks: [task], depends_on: ['end', 'graph'], files_scope: ['src/'] },
  { id: 'd', tasks: [task], files_scope: ['src/a.py'] },
];

type PlanJson = {
  schema: string;
  workstreams: Record<string, unknown>[];
  waves: string[][];
  warnings: { code: string; file: string; line: number; column: number }[];
};
const jsonOf = async (rig: Rig, ...args: string[]): Promise<PlanJson> => {
  const { code, stdout, stderr } = await rig.orch(['plan', '--json', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as PlanJson;
};
const errorOf = async (rig: Rig, ...args: string[]) => {
  const { code, stdout, stderr } = await rig.orch(['plan', '--json', ...args]);
  expect(stdout).toBe('');
  const { error } = JSON.parse(stderr) as { error: { code: string; message: string; hint: string } };
  return { exit: code, ...error };
};

/** Every path below a folder with when it was written. */
function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

describe('a sound plan', () => {
  it('is shown as JSON in waves, with env masked', async () => {
    const plan = await jsonOf(rigOf(PLAN));
    expect(Object.keys(plan)).toEqual(['schema', 'workstreams', 'waves', 'warnings']);
    expect(plan).toMatchObject({
      schema: 'orch.plan/1',
      waves: [['end', 'd'], ['graph'], ['c.1']],
      workstreams: [
        { id: 'end', title: 'The "end"', priority: 2, timeout: 90, env: { TOKEN: '***' }, scope: 'off' },
        {
          id: 'graph',
          depends_on: ['end'],
          tasks: [{ kind: 'run', run: 'true', tool: ['command'] }],
          acceptance_tests: [
            { kind: 'command', text: 'npm test' },
            { kind: 'prose', text: 'All is well' },
          ],
        },
        { id: 'c.1', scope: 'enforce', files_scope: ['src/'] },
        { id: 'd' },
      ],
      warnings: [{ code: 'overlap', file: 'orch.plan.json' }],
    });
    expect(JSON.stringify(plan)).not.toContain('secret');
  });

  it('is shown as a table, with warnings on stderr; --quiet is the table alone', async () => {
    const rig = rigOf(PLAN);
    const { code, stdout, stderr } = await rig.orch(['plan']);
    expect(code).toBe(0);
    const rows = stdout
      .split('\n')
      .slice(1, 5)
      .map((line) => line.trim().split(/\s+/).slice(0, 3));
    expect(rows).toEqual([
      ['1', 'end', '2'],
      ['d', '1', 'medium'],
      ['2', 'graph', '1'],
      ['3', 'c.1', '1'],
    ]);
    expect(stderr).toMatch(/^orch: warning: orch\.plan\.json:\d+:\d+: .*"d".*"c\.1"/);
    expect(await rig.orch(['plan', '--quiet'])).toMatchObject({ code: 0, stdout, stderr: '' });
  });

  it('is drawn as text and for Mermaid, wherever --graph stands', async () => {
    const rig = rigOf(PLAN);
    const [plain, mermaid, before, after] = await Promise.all([
      rig.orch(['plan', '--graph']),
      rig.orch(['plan', '--graph', 'mermaid', 'orch.plan.json']),
      rig.orch(['plan', '--graph', 'orch.plan.json']),
      rig.orch(['plan', 'orch.plan.json', '--graph=text']),
    ]);
    expect(plain.stdout).toBe('end\nd\ngraph ← end\nc.1 ← end, graph');
    expect([before.stdout, after.stdout]).toEqual([plain.stdout, plain.stdout]);
    const [head, ...lines] = mermaid.stdout.trimEnd().split('\n');
    expect(head).toBe('graph TD');
    for (const line of lines) expect(line).toMatch(/^ {2}(?:n\d+\["[\w.-]+"\]|n\d+ --> n\d+)$/);
    expect(lines).toContain('  n0["end"]');
    expect(lines.filter((line) => line.includes('-->'))).toHaveLength(3);
    expect((await rig.orch(['plan', '--graph=svg'])).code).toBe(2);
  });

  it('is checked with nothing launched, nothing written and nothing run', async () => {
    const rig = rigOf([
      {
        id: 'a',
        tasks: [{ run: 'touch ran' }],
        setup: 'touch ran',
        acceptance_tests: [{ run: 'touch ran' }],
      },
    ]);
    writeFileSync(join(rig.root, '.git/hooks/post-checkout'), '#!/bin/sh\ntouch ran\n', { mode: 0o755 });
    const before = listing(rig.root);
    for (const args of [
      [],
      ['--json'],
      ['--graph'],
      ['--graph', 'mermaid'],
      ['absent.json'],
      ['--only', 'a'],
    ]) {
      await rig.orch(['plan', ...args]);
    }
    expect(listing(rig.root)).toEqual(before);
  });

  it('is checked without a commit and without a repository too', async () => {
    const rig = rigOf(PLAN);
    const [plain, empty] = [join(out, 'plain'), join(out, 'empty')];
    for (const folder of [plain, empty]) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'orch.plan.json'), JSON.stringify(PLAN.slice(0, 1)));
    }
    rig.git('init', '--quiet', empty);
    expect((await jsonOf(rig, '--root', empty)).warnings).toEqual([]);
    expect((await jsonOf(rig, '--root', plain)).warnings).toMatchObject([{ code: 'no_repository' }]);
    expect(await errorOf(rig, '--root', join(out, 'absent'))).toMatchObject({
      exit: 2,
      code: 'NOT_A_REPOSITORY',
    });
  });

  it('tells what a launch would refuse: a prompt that no tool can take', async () => {
    const rig = rigOf([
      { id: 'a', tasks: ['Do it'] },
      { id: 'b', tasks: ['Do it'] },
    ]);
    const plan = await jsonOf(rig, '--tool', 'no-such-agent');
    expect(plan.warnings).toMatchObject([{ code: 'no_tool', file: 'orch.plan.json', line: 2 }]);
    expect(plan.workstreams[0]).toMatchObject({ tool: ['no-such-agent'] });
    expect((await rig.orch(['launch', '--tool', 'no-such-agent'])).code).toBe(2);
  });

  it('is told of in its place as seen from here, by a launch, the doctor and a plan', async () => {
    const rig = rigOf([{ id: 'a', tasks: ['Do it'] }]);
    rig.write('orch.config.json', '{"tool": ["claude"]}');
    rig.write('sub/here.json', '\n  {"id": "b", "tasks": ["Do it"]}');
    const options = { cwd: join(rig.root, 'sub'), env: { PATH: '/usr/bin:/bin' } };
    const [here, there, doctor] = await Promise.all([
      rig.orch(['launch', 'here.json', '--allow-dirty', '--json'], options),
      rig.orch(['launch', '--allow-dirty', '--json'], options),
      rig.orch(['doctor', '--json'], options),
    ]);
    const { error } = JSON.parse(here.stderr) as { error: { code: string; message: string } };
    expect([error.code, error.message.split(': ')[0]]).toEqual(['NO_TOOL', 'here.json:2:3']);
    const outside = `${join(rig.root, 'orch.plan.json')}:2:2`;
    expect(JSON.parse(there.stderr).error.message.split(': ')[0]).toBe(outside);
    const shown = await rig.orch(['plan', 'here.json', '--json'], options);
    const place = { file: 'here.json', line: 2, column: 3, code: 'no_tool' };
    expect(JSON.parse(shown.stdout).warnings).toMatchObject([place]);
    const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; found: string }[] };
    const found = checks.find(({ name }) => name === 'plan');
    expect(JSON.stringify(found)).toContain(`"${outside}: `);
  });
});

describe('an analysis in Markdown', () => {
  const analysis =
    '| Workstream ID | Priority |\n|---|---|\n| `two-parts` | low |\n| one | HIGH |\n\n## TWO: Parts\n\n**What it does**:\n- First\n- Second\n';
  const files = {
    'INDEPENDENT_WORKSTREAMS_ANALYSIS.md': analysis,
    'details/one.yaml': 'id: one\ntasks: [{run: "true"}]\n',
  };

  it('is the plan, with details from a folder that is told', async () => {
    const rig = rigOf(undefined, files);
    const plan = await jsonOf(rig, '--workstreams', 'details');
    expect(plan.workstreams).toMatchObject([
      { id: 'two-parts', title: 'Parts', priority: 0, tasks: [{ prompt: 'First' }, { prompt: 'Second' }] },
      { id: 'one', priority: 2, source: 'details/one.yaml:1' },
    ]);
    const fault = await errorOf(rig);
    expect([fault.exit, fault.code]).toEqual([2, 'PLAN_INVALID']);
    expect(fault.message).toContain('INDEPENDENT_WORKSTREAMS_ANALYSIS.md:4:3: "one"');
  });

  it('is launched', async () => {
    const rig = rigOf(undefined, files);
    const launched = await rig.orch(['launch', '--workstreams', 'details', '--only', 'one']);
    expect([launched.code, launched.stderr]).toEqual([0, expect.any(String)]);
    expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
  });
});

describe('a part of a plan', () => {
  it('is selected; what it waits for must be selected, or done by an earlier run', async () => {
    const rig = rigOf(PLAN);
    expect((await jsonOf(rig, '--only', 'end', 'd', '--skip', 'd')).waves).toEqual([['end']]);
    const unmet = await errorOf(rig, '--only', 'graph');
    expect([unmet.exit, unmet.code]).toEqual([2, 'PLAN_INVALID']);
    expect(unmet.message).toMatch(/orch\.plan\.json:\d+:\d+: "graph" depends on "end"/);
    expect(await errorOf(rig, '--only', 'nobody')).toMatchObject({ exit: 3, code: 'NO_WORKSTREAM' });
    expect(await errorOf(rig, '--only', 'd', '--skip', 'd')).toMatchObject({ exit: 2, code: 'USAGE' });

    rig.write('first.json', JSON.stringify({ id: 'end', tasks: [task] }));
    expect((await rig.orch(['launch', 'first.json'])).code).toBe(0);
    expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
    await until(() => rig.processes().length === 0, { what: 'the orchestrator to resign' });
    expect((await jsonOf(rig, '--only', 'graph')).waves).toEqual([['graph']]);
    rig.write('next.json', JSON.stringify({ id: 'next', tasks: [task], depends_on: ['end'] }));
    const drawn = await rig.orch(['plan', 'next.json', '--graph', 'mermaid']);
    expect(drawn.stdout).toContain('n1("end (done)")');
    expect((await rig.orch(['launch', 'next.json'])).code).toBe(0);
    expect((await rig.orch(['wait', '--timeout', '30s'])).code).toBe(0);
    await until(() => rig.processes().length === 0, { what: 'the orchestrator to resign' });

    // A record whose commit is gone has nothing to build on.
    const record = { ...rig.record('end'), head: 'f'.repeat(40) };
    rig.write('.status/end.json', JSON.stringify(record));
    expect(await errorOf(rig, 'next.json')).toMatchObject({ exit: 2, code: 'PLAN_INVALID' });
  });
});

describe('a plan with faults', () => {
  it('is refused with the first fifty, and how many more there are', async () => {
    const plan = Array.from({ length: 60 }, (_, index) => ({ id: `w${index}` }));
    const rig = rigOf(plan);
    const { code, stdout, stderr } = await rig.orch(['plan']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.match(/^orch\.plan\.json:\d+:\d+: /gm)).toHaveLength(50);
    expect(stderr).toMatch(/\nand 10 more\n/);
    expect((await rig.orch(['launch'])).stderr).toMatch(/\nand 10 more\n/);
  });

  it('that is not there is told as such', async () => {
    const rig = rigOf(undefined);
    expect(await errorOf(rig)).toMatchObject({ exit: 2, code: 'PLAN_NOT_FOUND' });
    expect(await errorOf(rig, 'absent.md')).toMatchObject({ exit: 2, code: 'PLAN_NOT_FOUND' });
  });
});

it('tells warnings of a launch as JSON where JSON was asked for', async () => {
  const rig = rigOf({ workstreams: [{ id: 'A', colour: 'red', tasks: [{ run: 'true' }] }] });
  const { code, stderr } = await rig.orch(['run', '--json']);
  expect(code).toBe(0);
  const warnings = stderr
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { warning: unknown }).warning);
  expect(warnings).toEqual([
    expect.objectContaining({ code: 'unknown_field', file: 'orch.plan.json', line: expect.any(Number) }),
  ]);
});
