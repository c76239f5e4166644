import { execFile } from 'node:child_process';
import { chmod, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { formatFault } from '../../lib/plan/fault.ts';
import { readPlan } from '../../lib/plan/read.ts';
import { faultsOf, folderWith, placesOf, readFiles, soundOf } from './scratch.ts';

/** A workstream on one line: `tasks` and `id` first, then this. */
const line = (rest: string) => `{"id": "a", "tasks": ["x"], ${rest}}`;
const codesOf = async (text: string) => faultsOf(await readFiles({ 'a.json': text })).map(({ code }) => code);

test.each([
  ['{"id": "a",\n "tasks": ["x"],}', 'syntax@2:17'],
  ['{"id": "a",\n "tasks": {2}}', 'syntax@2:12'],
  ["{'id': 'a'}", 'syntax@1:2'],
  ['{"id": "a", "tasks": ["x"]', 'syntax@1:27'],
  ['{"id": "a", "tasks": ["x"]} trailing', 'syntax@1:29'],
  ['{"id": "a", "tasks": ["x\ty"]}', 'syntax@1:23'],
  ['/* open', 'syntax@1:1'],
  ['', 'empty@1:1'],
  ['// only a note\n', 'empty@2:1'],
  ['[]', 'empty@1:1'],
  ['{"workstreams": []}', 'empty@1:17'],
  ['"text"', 'wrong_type@1:1'],
  ['[\n 1]', 'wrong_type@2:2'],
  ['{"workstreams": {"a": {}}}', 'wrong_type@1:17'],
  ['{"id": "a", "id": "b", "tasks": ["x"]}', 'duplicate_key@1:13'],
  [line('"env": {"A": "1", "A": "2"}'), 'duplicate_key@1:47'],
  ['{"tasks": ["x"]}', 'missing_id@1:1'],
  ['{"id": 5, "tasks": ["x"]}', 'wrong_type@1:8'],
  ['{"id": "../a", "tasks": ["x"]}', 'bad_id@1:8'],
  ['{"id": "integration", "tasks": ["x"]}', 'bad_id@1:8'],
  ['{"id": "", "tasks": ["x"]}', 'bad_id@1:8'],
  ['{"id": "a"}', 'no_tasks@1:1'],
  ['{"id": "a", "tasks": []}', 'no_tasks@1:1'],
  ['{"id": "a", "tasks": "x"}', 'wrong_type@1:22'],
  ['{"id": "a", "tasks": ["x", " "]}', 'empty@1:28'],
  ['{"id": "a", "tasks": ["x", 5]}', 'wrong_type@1:28'],
  ['{"id": "a", "tasks": [{"run": "x", "prompt": "y"}]}', 'bad_task@1:23'],
  ['{"id": "a", "tasks": [{"timeout": "5m"}]}', 'bad_task@1:23'],
  ['{"id": "a", "tasks": [{"run": "x", "tool": "aider"}]}', 'bad_task@1:23'],
  ['{"id": "a", "tasks": [{"run": 5}]}', 'wrong_type@1:31'],
  ['{"id": "a", "tasks": [{"run": ""}]}', 'empty@1:31'],
  ['{"id": "a", "tasks": [{"run": "a\\u0000b"}]}', 'bad_text@1:31'],
  ['{"id": "a", "tasks": [{"run": "x", "timeout": "soon"}]}', 'bad_duration@1:47'],
  ['{"id": "a", "tasks": [{"prompt": "x", "cmd": "y"}]}', 'misnamed_field@1:39'],
  [line('"title": ""'), 'empty@1:38'],
  [line('"depends_on": "b"'), 'wrong_type@1:43'],
  [line('"depends_on": null'), 'wrong_type@1:43'],
  [line('"depends_on": ["a"]'), 'cycle@1:44'],
  [line('"files_scope": ["src", "../x"]'), 'bad_path@1:52'],
  [line('"files_create": ["/x"]'), 'bad_path@1:46'],
  [line('"copy": [".git/config"]'), 'bad_path@1:38'],
  [line('"env": {"ORCH_ROOT": "x"}'), 'bad_env@1:37'],
  [line('"env": {"GIT_DIR": "x"}'), 'bad_env@1:37'],
  [line('"env": {"A B": "x"}'), 'bad_env@1:37'],
  [line('"env": {"A": 1}'), 'wrong_type@1:42'],
  [line('"env": ["A=1"]'), 'wrong_type@1:36'],
  [line('"steps": [[]]'), 'wrong_type@1:39'],
  [line('"acceptance_tests": [["x"]]'), 'wrong_type@1:50'],
  ['{"id": "a", "tasks": [["x"]]}', 'wrong_type@1:23'],
  [line('"timeout": 0'), 'bad_duration@1:40'],
  [line('"task_timeout": true'), 'wrong_type@1:45'],
  [line('"priority": "urgent"'), 'bad_priority@1:41'],
  [line('"priority": []'), 'wrong_type@1:41'],
  [line('"tool": []'), 'empty@1:37'],
  [line('"tool": [5]'), 'wrong_type@1:38'],
  [line('"metadata": []'), 'wrong_type@1:41'],
  [line('"circuit_breaker": {"max_attempts": "3"}'), 'wrong_type@1:65'],
  [line('"limits": "4G"'), 'wrong_type@1:39'],
  [line('"limits": {"memory": "much"}'), 'bad_limits@1:50'],
  [line('"limits": {"memory": 1000}'), 'bad_limits@1:50'],
  [line('"limits": {"cpu": "2"}'), 'bad_limits@1:47'],
  [line('"limits": {"memroy": "4G"}'), 'bad_limits@1:39'],
  [line('"sandbox": "docker"'), 'wrong_type@1:40'],
  [line('"sandbox": {"kind": "bwrap", "net": "off"}'), 'bad_sandbox@1:40'],
  [line('"sandbox": {"kind": "bwrap", "hide": ["../x"]}'), 'bad_sandbox@1:67'],
  [line('"acceptance_tests": [{"run": "x", "prose": "y"}]'), 'bad_check@1:50'],
  [line('"acceptance_tests": [{}]'), 'bad_check@1:50'],
  [line('"steps": [{"tasks": ["x"]}]'), 'missing_id@1:39'],
  [line('"steps": [{"id": "s"}]'), 'missing_field@1:39'],
  [line('"steps": [{"id": "s", "tasks": []}]'), 'no_tasks@1:60'],
  [line('"steps": [{"id": "s", "tasks": ["x"], "env": {}}]'), 'misplaced_field@1:67'],
  [line('"steps": [{"id": "s", "tasks": ["x"], "depends_on": ["t"]}]'), 'unknown_dependency@1:82'],
  [line('"steps": [{"id": "s", "tasks": ["x"]}, {"id": "s", "tasks": ["x"]}]'), 'duplicate_id@1:75'],
  [line('"dependsOn": []'), 'misnamed_field@1:29'],
  [line('"dependencies": []'), 'misnamed_field@1:29'],
  [line('"acceptance_criteria": []'), 'misnamed_field@1:29'],
  [line('"files_modify": []'), 'misnamed_field@1:29'],
  [line('"scope": {"files": []}'), 'misnamed_field@1:29'],
  [line('"scope": "src/"'), 'wrong_type@1:38'],
  [line('"scope": "enforce"'), 'bad_scope@1:38'],
  [line('"Tool": "aider"'), 'misnamed_field@1:29'],
  ['{"id": "a", "execution_steps": []}', 'misnamed_field@1:13'],
  ['{"Workstreams": [{"id": "a", "tasks": ["x"]}]}', 'misnamed_field@1:2'],
  ['{"env": {}, "workstreams": [{"id": "a", "tasks": ["x"]}]}', 'misplaced_field@1:2'],
])('%s', async (text, place) => {
  expect(placesOf(await readFiles({ 'a.json': text }))).toEqual([place]);
});

test.each([
  ['id: a\ntasks: [x\n', 'syntax'],
  ['id: a\n\ttasks: [x]\n', 'syntax'],
  ['id: a\ntasks: [x]\nid: b\n', 'duplicate_key@3:1'],
  ['id: a\ntasks: [x]\nacceptance_tests:\n  - ! grep -q x y\n', 'syntax@4:7'],
  ['id: a\ntasks: [*nope]\n', 'syntax@2:9'],
  ['id: a\ntasks: &t [*t]\n', 'syntax@2:12'],
  ['id: 001\ntasks: [x]\n', 'wrong_type@1:5'],
  ['id: a\ntasks:\n  - Fix: the parser\n', 'bad_task@3:5'],
  ['id: a\ntasks:\n', 'wrong_type@2:7'],
  ['id: a\ntasks: [x]\n---\nid: b\ntasks: [x]\n', 'syntax@3:1'],
  ['# nothing\n', 'empty@1:1'],
])('yaml: %j', async (text, place) => {
  const found = placesOf(await readFiles({ 'a.yaml': text }));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(place);
});

test('yaml: anchors, aliases and merge keys are written out', async () => {
  const text = `
_shared: &shared {tool: [codex], env: {A: "1"}}
workstreams:
  - <<: *shared
    id: a
    tasks: &tasks [x, y]
  - {<<: *shared, id: b, tasks: *tasks, tool: [claude]}
`;
  const [a, b] = soundOf(await readFiles({ 'a.yaml': text }));
  expect(a).toMatchObject({ tool: ['codex'], env: { A: '1' } });
  expect(b).toMatchObject({ tool: ['claude'], env: { A: '1' }, tasks: [{ prompt: 'x' }, { prompt: 'y' }] });
});

test('yaml: an alias bomb is a fault, and quickly', async () => {
  const levels = Array.from(
    { length: 40 },
    (_, i) => `_l${i + 1}: &l${i + 1} [*l${i}, *l${i}, *l${i}, *l${i}]`,
  );
  const started = process.cpuUsage();
  const faults = faultsOf(
    await readFiles({ 'a.yaml': `_l0: &l0 [x]\n${levels.join('\n')}\nid: a\ntasks: [x]\n` }),
  );
  expect(faults[0]?.code).toBe('too_large');
  expect(process.cpuUsage(started).user).toBeLessThan(3_000_000);
});

test.each([
  ['a.json', '['.repeat(1_000_000)],
  ['a.json', '{"a":'.repeat(100_000)],
  ['a.json', `${'['.repeat(101)}${']'.repeat(101)}`],
  ['a.yaml', '['.repeat(1_000_000)],
  ['a.yaml', '- '.repeat(500_000)],
  ['a.yaml', '? '.repeat(500_000)],
  ['a.yaml', `${'['.repeat(101)}${']'.repeat(101)}`],
  ['a.yaml', Array.from({ length: 1_000 }, (_, i) => `${' '.repeat(i)}k:`).join('\n')],
])('nesting without end is a fault: %s %#', async (name, text) => {
  expect(faultsOf(await readFiles({ [name]: text })).map(({ code }) => code)).toEqual(['too_deep']);
});

test('a file beyond the limit is a fault', async () => {
  const text = JSON.stringify({ id: 'a', tasks: ['x'.repeat(1_000)] });
  expect(faultsOf(await readFiles({ 'a.json': text }, ['a.json'], { maxBytes: 500 }))[0]?.code).toBe(
    'too_large',
  );
  soundOf(await readFiles({ 'a.json': text }, ['a.json'], { maxBytes: text.length }));
  const big = `{"id":"a","tasks":["x"],"_n":"${'x'.repeat(4 * 1024 * 1024)}"}`;
  expect(await codesOf(big)).toEqual(['too_large']);
});

test('bytes that are not UTF-8 are a fault with their place', async () => {
  const bytes = Buffer.concat([
    Buffer.from('{"id": "a",\n"tasks": ["'),
    Buffer.from([0xff]),
    Buffer.from('"]}'),
  ]);
  expect(placesOf(await readFiles({ 'a.json': bytes }))).toEqual(['encoding@2:12']);
});

test('every fault of every file is told, in plan order', async () => {
  const files = {
    'a.json': '{"id": "a" "tasks": []}',
    'b.json':
      '[{"id": "b", "tasks": ["x"], "timeout": "never",\n "files_scope": ["/"]}, {"id": "B", "tasks": [""]}]',
    'c.yaml': 'id: c\ntasks: [x]\ndepends_on: [nobody]\n',
  };
  const faults = faultsOf(await readFiles(files));
  expect(faults.map(({ file, code }) => `${file} ${code}`)).toEqual([
    'a.json syntax',
    'b.json bad_duration',
    'b.json bad_path',
    'b.json duplicate_id',
    'b.json empty',
    'c.yaml unknown_dependency',
  ]);
});

test('a repeated id names both places', async () => {
  const one = { id: 'a', tasks: ['x'] };
  const [fault] = faultsOf(await readFiles({ 'a.json': one, 'b.json': [one] }));
  expect(fault).toMatchObject({ code: 'duplicate_id', file: 'b.json', line: 3, column: 11 });
  expect(fault?.message).toContain('a.json:2:9');
});

test('an unknown dependency: the neighbour that defines it, or the id that was meant', async () => {
  const files = {
    'a.json': { id: 'a', tasks: ['x'], depends_on: ['b', 'A', 'nobody'] },
    'beside.yaml': 'workstreams: [{id: b, tasks: [x]}]',
    'broken.json': '{',
  };
  const faults = faultsOf(await readFiles(files, ['a.json']));
  expect(faults.map(({ code }) => code)).toEqual(Array(3).fill('unknown_dependency'));
  expect(faults[0]?.hint).toContain('beside.yaml');
  expect(faults[1]?.hint).toContain('"a"');
  expect(faults[2]?.hint).not.toContain('beside.yaml');
});

test('cycles are told with their path, once', async () => {
  const ws = (id: string, ...depends_on: string[]) => ({ id, tasks: ['x'], depends_on });
  const faults = faultsOf(
    await readFiles({ 'a.json': [ws('a', 'b'), ws('b', 'c'), ws('c', 'a'), ws('d', 'a')] }),
  );
  expect(faults).toHaveLength(1);
  expect(faults[0]?.message).toContain('a -> b -> c -> a');
  const step = (id: string, ...on: string[]) => ({ id, tasks: ['x'], depends_on: on });
  const inSteps = faultsOf(
    await readFiles({ 'a.json': { id: 'a', steps: [step('s', 't'), step('t', 's')] } }),
  );
  expect(inSteps.map(({ code }) => code)).toEqual(['cycle']);
});

test('a workstream that is faulty otherwise still counts as defined', async () => {
  const files = {
    'a.json': [
      { id: 'a', tasks: 5 },
      { id: 'b', tasks: ['x'], depends_on: ['a'] },
    ],
  };
  expect(faultsOf(await readFiles(files)).map(({ code }) => code)).toEqual(['wrong_type']);
});

test('one wrong field hides no fault of the others, and no warning', async () => {
  const outside = await folderWith({ secret: 's' });
  const lines = [
    '{"id": "a", "title": 5, "scope": "enforce",',
    ' "steps": [{"id": "s", "tasks": ["x"], "depends_on": ["t"]},',
    '  {"id": "t", "tasks": "x", "depends_on": ["s", "nope", " ", 5]},',
    '  {"id": "t", "tasks": ["x"], "acceptance_tests": ["pytest is green"]},',
    '  {"id": 5, "tasks": ["x"], "depends_on": ["s", "nobody"]}, "x"],',
    ' "copy": ["../up", "leak", 5],',
    ' "acceptance_tests": ["npm test passes", 5], "metadata": {"priority": "soon"}}',
  ];
  const root = await folderWith({ 'a.json': lines.join('\n') });
  await symlink(join(outside, 'secret'), join(root, 'leak'));
  const result = await readPlan(root, ['a.json'], { cwd: root });
  expect(placesOf(result)).toEqual([
    'wrong_type@1:22',
    'bad_scope@1:34',
    'cycle@2:54',
    'wrong_type@3:24',
    'unknown_dependency@3:49',
    'empty@3:57',
    'wrong_type@3:62',
    'duplicate_id@4:10',
    'wrong_type@5:10',
    'unknown_dependency@5:49',
    'wrong_type@5:61',
    'bad_path@6:11',
    'bad_path@6:20',
    'wrong_type@6:28',
    'wrong_type@7:42',
  ]);
  expect(result.warnings.map(({ code }) => code)).toEqual(['read_as_prose', 'read_as_prose', 'bad_priority']);
});

test.each([
  ['"files_scope": "src/"', ['wrong_type']],
  ['"files_create": [5]', ['wrong_type']],
  ['"files_scope": [], "title": 5', ['wrong_type', 'bad_scope']],
])('a scope names nothing only where nothing is written: %s', async (rest, codes) => {
  expect((await codesOf(line(`${rest}, "scope": "warn"`))).sort()).toEqual([...codes].sort());
});

test('what cannot be read is a fault, never an exception and never nothing', async () => {
  const root = await folderWith({ 'a.txt': 'x', 'p/a.json': { id: 'a', tasks: ['x'] }, 'empty/x.txt': '' });
  await symlink('nowhere', join(root, 'p/dangling.json'));
  await promisify(execFile)('mkfifo', [join(root, 'pipe.json')]);
  const codes = async (...args: string[]) =>
    faultsOf(await readPlan(root, args, { cwd: root })).map(({ code, file }) => `${file} ${code}`);
  expect(await codes('absent.json')).toEqual(['absent.json not_found']);
  expect(await codes('a.txt')).toEqual(['a.txt unsupported']);
  expect(await codes('notes.md', 'p')).toEqual(['notes.md not_found', 'p/dangling.json not_found']);
  expect(await codes('empty')).toEqual(['empty empty']);
  expect(await codes('pipe.json')).toEqual(['pipe.json not_a_file']);
  expect(await codes('p/a.json/x.json')).toEqual(['p/a.json/x.json not_found']);
});

const isRoot = process.getuid?.() === 0;
if (isRoot) process.stderr.write('SKIPPED: a file without permission: root may read everything\n');

test.skipIf(isRoot)('a file without permission is a fault', async () => {
  const root = await folderWith({ 'a.json': '{}' });
  await chmod(join(root, 'a.json'), 0);
  expect(faultsOf(await readPlan(root, ['a.json'], { cwd: root }))[0]?.code).toBe('unreadable');
});

test('a copy entry that leads out through a link is a fault', async () => {
  const outside = await folderWith({ secret: 's' });
  const root = await folderWith({ 'a.json': line('"copy": [".env", "leak"]') });
  await symlink(join(outside, 'secret'), join(root, 'leak'));
  expect(placesOf(await readPlan(root, ['a.json'], { cwd: root }))).toEqual(['bad_path@1:46']);
});

test('control characters never reach a terminal', async () => {
  const evil = '\u001b[2J\u202e\u0007';
  const result = await readFiles({
    'a.json': { id: evil, [`k${evil}`]: 1, tasks: [{ [evil]: 1 }], priority: evil },
  });
  const shown = [...faultsOf(result), ...result.warnings].map(formatFault).join('');
  expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(shown).toContain('\\u001b');
});

test('values of env are in no fault, but their names are', async () => {
  const secret = 4815162342;
  const values = [secret, `${secret}\0`, [secret], { [secret]: secret }, [`${secret}`]];
  const plans = [
    ...values.map((value) => ({ id: 'a', tasks: ['x'], env: { DB_PIN: value } })),
    ...[secret, `DB_PIN=${secret}`, [`DB_PIN=${secret}`]].map((env) => ({ id: 'a', tasks: ['x'], env })),
  ];
  for (const [index, plan] of plans.entries()) {
    const [fault, ...more] = faultsOf(await readFiles({ 'a.json': plan }));
    expect([index, more, fault?.message.includes('env')]).toEqual([index, [], true]);
    if (index < values.length) expect(fault?.message).toContain('DB_PIN');
    expect(JSON.stringify(fault)).not.toContain(String(secret));
  }
});

test('a fault is shown as editors link it, its hint on the next line', () => {
  const fault = { file: 'a.json', line: 3, column: 7, code: 'syntax', message: 'no', hint: 'do' } as const;
  expect(formatFault(fault)).toBe('a.json:3:7: no\n  do');
  expect(formatFault({ ...fault, hint: null })).toBe('a.json:3:7: no');
});
