import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPlan } from '../../lib/plan/read.ts';
import { faultsOf, folderWith, readFiles, soundOf } from './scratch.ts';

const ws = (id: string, more: object = {}) => ({ id, tasks: [`do ${id}`], ...more });
const idsOf = async (...args: Parameters<typeof readFiles>) =>
  soundOf(await readFiles(...args)).map(({ id }) => id);

test('one workstream, a list, an object that holds the list: in plan order', async () => {
  expect(await idsOf({ 'a.json': ws('one') })).toEqual(['one']);
  expect(await idsOf({ 'a.json': [ws('two'), ws('one')] })).toEqual(['two', 'one']);
  expect(await idsOf({ 'a.json': { workstreams: [ws('two'), ws('one')] } })).toEqual(['two', 'one']);
  expect(await idsOf({ 'a.yaml': 'workstreams:\n  - id: y\n    tasks: [do it]\n' })).toEqual(['y']);
});

test('a folder: its plan files by name, nothing below it, nothing hidden', async () => {
  const files = {
    'p/b.json': ws('b'),
    'p/a.yml': 'id: a\ntasks: [x]',
    'p/c.JSONC': '// note\n{"id": "c", "tasks": ["x"]}',
    'p/d.yaml': 'id: d\ntasks: [x]',
    'p/README.md': 'no plan',
    'p/.hidden.json': 'not json',
    'p/deep.json/inner.json': 'not json',
  };
  expect(await idsOf(files, ['p'])).toEqual(['a', 'b', 'c', 'd']);
  expect(await idsOf(files, ['p/d.yaml', 'p', './p/a.yml'])).toEqual(['d', 'a', 'b', 'c']);
});

test('symlinked plan files are read', async () => {
  const root = await folderWith({ 'real/a.json': ws('a') });
  await mkdir(join(root, 'p'));
  await symlink(join(root, 'real/a.json'), join(root, 'p/link.json'));
  expect(soundOf(await readPlan(root, ['p'], { cwd: root })).map(({ id }) => id)).toEqual(['a']);
});

test('without arguments: orch.plan, else the Markdown analysis, else workstreams/', async () => {
  const files: Record<string, unknown> = { 'workstreams/w.json': ws('from-folder') };
  expect(await idsOf(files, [])).toEqual(['from-folder']);
  files['INDEPENDENT_WORKSTREAMS_ANALYSIS.md'] = '| Workstream ID |\n|---|\n| md |\n\n# md\n\nTasks:\n- x\n';
  expect(await idsOf(files, [])).toEqual(['md']);
  files['orch.plan.json'] = ws('from-json');
  expect(await idsOf(files, [])).toEqual(['from-json']);
  files['orch.plan.yaml'] = 'id: x\ntasks: [x]';
  expect(faultsOf(await readFiles(files, []))).toMatchObject([{ code: 'ambiguous' }]);
  expect(faultsOf(await readFiles({}, []))).toMatchObject([{ code: 'not_found', line: 1, column: 1 }]);
});

test('arguments count from the working folder, the usual places from the root', async () => {
  const root = await folderWith({ 'sub/a.json': ws('a'), 'orch.plan.json': ws('usual') });
  const cwd = join(root, 'sub');
  expect(soundOf(await readPlan(root, ['a.json'], { cwd }))[0]).toMatchObject({
    id: 'a',
    source: 'sub/a.json:1',
  });
  expect(soundOf(await readPlan(root, [], { cwd }))[0]?.id).toBe('usual');
});

test('every field arrives', async () => {
  const [one, two] = soundOf(
    await readFiles({
      'a.yaml': `
- id: WS-001
  title: Move the parser
  tasks:
    - Write it
    - {prompt: Test it, tool: [codex], timeout: 5m}
    - run: npm run format
      timeout: 90
  files_scope: [./src//parser/, "tests/**/*.py"]
  files_create: [docs/parser.md]
  acceptance_tests: [pytest -q, All is well, {run: all good}, {prose: pytest -q}]
  tool: claude
  priority: HIGH
  timeout: 8h
  task_timeout: 30m
  setup: npm ci
  copy: [.env]
  env: {NODE_ENV: test, _JAVA_OPTIONS: "-Xmx1g"}
  circuit_breaker: {max_attempts: 3, oscillation_threshold: 2}
  scope: warn
  limits: {memory: 1.5G, cpu: 200%}
  sandbox: {kind: bwrap, network: off, writable: [~/.cache]}
  metadata: {priority: low, owner: me}
- id: WS-002
  tasks: [x]
  depends_on: [WS-001, WS-001]
  metadata: {priority: Critical}
`,
    }),
  );
  expect(one).toMatchObject({
    title: 'Move the parser',
    tasks: [
      { kind: 'prompt', prompt: 'Write it', tool: null, timeoutMs: null, step: null },
      { kind: 'prompt', prompt: 'Test it', tool: ['codex'], timeoutMs: 300_000, step: null },
      { kind: 'run', run: 'npm run format', timeoutMs: 90_000, step: null },
    ],
    checks: [
      {
        step: null,
        afterTask: 3,
        checks: [
          { kind: 'command', run: 'pytest -q' },
          { kind: 'prose', text: 'All is well' },
          { kind: 'command', run: 'all good' },
          { kind: 'prose', text: 'pytest -q' },
        ],
      },
    ],
    files_scope: ['src/parser/', 'tests/**/*.py'],
    files_create: ['docs/parser.md'],
    tool: ['claude', 'aider', 'llm'],
    priority: 2,
    timeoutMs: 28_800_000,
    taskTimeoutMs: 1_800_000,
    setup: ['npm ci'],
    copy: ['.env'],
    env: { NODE_ENV: 'test', _JAVA_OPTIONS: '-Xmx1g' },
    source: 'a.yaml:2',
    scope: 'warn',
    circuit_breaker: { max_attempts: 3, max_error_repeats: null, oscillation_threshold: 2 },
    limits: { memoryBytes: 1.5 * 1024 ** 3, cpuPercent: 200, bestEffort: false },
    sandbox: { kind: 'bwrap', network: false, hide: [], writable: ['~/.cache'] },
  });
  expect(two).toMatchObject({
    title: 'WS-002',
    depends_on: ['WS-001'],
    priority: 3,
    tool: null,
    timeoutMs: null,
    checks: [],
    env: {},
    scope: 'off',
    circuit_breaker: null,
    limits: null,
    sandbox: null,
    source: 'a.yaml:24',
  });
});

test('steps follow tasks in dependency order, with their own tools and checks', async () => {
  const step = (id: string, depends_on: string[], more: object = {}) => ({
    id,
    depends_on,
    tasks: [`do ${id}`],
    ...more,
  });
  const plan = ws('w', {
    acceptance_tests: ['pytest -q'],
    steps: [
      step('late', ['mid'], { acceptance_tests: ['npm test'] }),
      step('early', [], {
        tool: ['codex'],
        tasks: ['one', 'two', { run: 'true' }],
        acceptance_tests: ['ls -l'],
      }),
      step('mid', ['early'], { description: 'in between' }),
    ],
  });
  const [one] = soundOf(await readFiles({ 'a.json': plan }));
  expect(one?.tasks.map((task) => task.step)).toEqual([null, 'early', 'early', 'early', 'mid', 'late']);
  expect(one?.tasks[1]).toMatchObject({ tool: ['codex'] });
  expect(one?.checks.map(({ step: name, afterTask }) => [name, afterTask])).toEqual([
    ['early', 4],
    ['late', 6],
    [null, 6],
  ]);
  expect(new Set(one?.tasks.map((task) => task.digest)).size).toBe(6);
});

test('the definition is what was written: not the order of keys, not the notes, not the format', async () => {
  const definitionOf = async (name: string, content: unknown) =>
    soundOf(await readFiles({ [name]: content }))[0]?.definition;
  const plain = await definitionOf('a.json', { id: 'a', tasks: ['x'], metadata: { k: 1 } });
  const canonical = '{"id":"a","metadata":{"k":1},"tasks":["x"]}';
  expect(plain).toBe(createHash('sha256').update(canonical).digest('hex'));
  expect(await definitionOf('a.yaml', '# c\ntasks: [x]\n_n: 1\nmetadata: {_m: 2, k: 1}\nid: a\n')).toBe(
    plain,
  );
  expect(await definitionOf('a.json', { id: 'a', tasks: ['y'], metadata: { k: 1 } })).not.toBe(plain);
  const env = async (value: string) =>
    definitionOf('a.json', { id: 'a', tasks: ['x'], env: { _OPT: value } });
  expect(await env('1')).not.toBe(await env('2'));
});

test('notes and bookkeeping are silent, unknown keys get one warning a file', async () => {
  const silent = {
    _note: 'x',
    openspec_change: 'A',
    ccpm_issue: 1,
    gate: 1,
    doc_id: 'D',
    owner: 'o',
    status: 's',
  };
  const quiet = await readFiles({ 'a.json': ws('a', silent) });
  expect([soundOf(quiet).length, quiet.warnings]).toEqual([1, []]);
  const noisy = await readFiles({
    'a.json': [ws('a', { colour: 'red' }), ws('b', { sound: 1, tasks: [{ run: 'true', colour: 1 }] })],
    'b.json': ws('c', { circuit_breaker: { max_attempts: 1, mood: 'x' } }),
  });
  soundOf(noisy);
  expect(noisy.warnings.map(({ code, file, line }) => [code, file, line])).toEqual([
    ['unknown_field', 'a.json', 7],
    ['unknown_field', 'b.json', 8],
  ]);
});

test('a text that only nearly is a command gets a warning where it stands', async () => {
  const tests = ['make sure it works', 'All is well', 'npm test', { prose: 'make sure it works' }];
  const result = await readFiles({
    'a.json': `{"id":"a","tasks":["x"],\n"acceptance_tests":${JSON.stringify(tests)}}`,
  });
  soundOf(result);
  expect(result.warnings).toMatchObject([{ code: 'read_as_prose', line: 2, column: 21 }]);
});

test('an odd metadata.priority is a warning, and medium', async () => {
  const result = await readFiles({ 'a.json': ws('a', { metadata: { priority: 'P1' } }) });
  expect(soundOf(result)[0]?.priority).toBe(1);
  expect(result.warnings).toMatchObject([{ code: 'bad_priority' }]);
});

test('keys that mean something to objects are only keys', async () => {
  const text =
    '{"id":"a","tasks":["x"],"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  for (const name of ['a.json', 'a.yaml']) {
    const result = await readFiles({ [name]: text });
    expect(soundOf(result)).toHaveLength(1);
    expect(result.warnings).toMatchObject([{ code: 'unknown_field' }]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  }
  const names = ['constructor', 'toString', 'hasOwnProperty'];
  expect(await idsOf({ 'a.json': names.map((id) => ws(id)) })).toEqual(names);
});

test('a thousand workstreams in a chain are read at once', async () => {
  const chain = Array.from({ length: 1_000 }, (_, i) =>
    ws(`w${i}`, i > 0 ? { depends_on: [`w${i - 1}`] } : {}),
  );
  const started = process.cpuUsage();
  expect(await idsOf({ 'a.json': chain })).toHaveLength(1_000);
  expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
});

test('a byte order mark and CRLF are taken as they come', async () => {
  const root = await folderWith({ 'a.json': '\ufeff{\r\n"id": "a",\r\n"tasks": ["x"]\r\n}' });
  expect(soundOf(await readPlan(root, ['a.json'], { cwd: root }))).toHaveLength(1);
  await writeFile(join(root, 'b.yaml'), '\ufeffid: b\r\ntasks:\r\n  - x\r\n');
  expect(soundOf(await readPlan(root, ['b.yaml'], { cwd: root }))[0]?.tasks).toMatchObject([{ prompt: 'x' }]);
});
