import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mayOverlap, patternOf } from '../../lib/plan/globs.ts';
import { pathsIn } from '../../lib/plan/named-paths.ts';
import { faultsOf, readFiles, soundOf } from './scratch.ts';

const ws = (id: string, files_scope: string[], more: object = {}) => ({
  id,
  tasks: ['x'],
  files_scope,
  ...more,
});
const warningsOf = async (plan: unknown, code: string, more: Record<string, unknown> = {}) => {
  const result = await readFiles({ 'a.json': plan, ...more }, ['a.json']);
  soundOf(result);
  return result.warnings.filter((warning) => warning.code === code);
};

test.each([
  ['src/a.py', 'src/a.py', true],
  ['src', 'src/a.py', true],
  ['src/', 'src/deep/er/a.py', true],
  ['src', 'src.py', false],
  ['src/a', 'src/ab', false],
  ['src/*.py', 'src/a.py', true],
  ['src/*.py', 'src/a.js', false],
  ['src/*.py', 'src/*.js', false],
  ['src/a*.py', 'src/*b.py', true],
  ['src/a*', 'src/b*', false],
  ['**/*.py', 'src/deep/a.py', true],
  ['**/*.py', 'src/deep/a.js', false],
  ['src/**', 'src/deep/a.py', true],
  ['src/**/test/*.py', 'src/test/a.py', true],
  ['src/**/test/*.py', 'src/x/y/test/a.py', true],
  ['src/**/test/*.py', 'lib/test/a.py', false],
  ['src/{a,b}.py', 'src/a.py', true],
  ['src/{a/b,c}/d.py', 'src/a/b/d.py', true],
  ['src/[ab].py', 'src/a.py', true],
  ['.', 'anything/at/all', true],
  ['a/**/b/**/c', 'a/b/c', true],
])('%s and %s overlap: %s', (a, b, expected) => {
  expect(mayOverlap(patternOf(a), patternOf(b))).toBe(expected);
  expect(mayOverlap(patternOf(b), patternOf(a))).toBe(expected);
});

test('a pattern and what it was made from always overlap', () => {
  const name = fc.constantFrom('a', 'b', 'ab', 'a.py', 'x.test.js');
  const path = fc.array(name, { minLength: 1, maxLength: 5 });
  const blurred = fc.constantFrom(
    (s: string) => s,
    () => '*',
    () => '**',
    (s: string) => `${s.charAt(0)}*`,
    () => '**/*',
  );
  fc.assert(
    fc.property(path, fc.array(blurred, { minLength: 5, maxLength: 5 }), (parts, blur) => {
      const pattern = parts.map((part, index) => blur[index]?.(part) ?? part).join('/');
      expect(mayOverlap(patternOf(pattern), patternOf(parts.join('/')))).toBe(true);
    }),
  );
});

test('overlapping scopes are told once for the later of those that can run at once', async () => {
  const plan = [
    ws('a', ['src/', 'docs/a.md']),
    ws('b', ['src/b.py', 'docs/a.md']),
    ws('c', ['src/c.py'], { depends_on: ['a'] }),
    ws('d', ['lib/'], { files_create: ['src/c.py'], depends_on: ['c'] }),
    ws('e', ['**/*.md']),
    { id: 'f', tasks: ['x'] },
  ];
  const found = await warningsOf(plan, 'overlap');
  const told = found.map(({ message }) => message.match(/"[a-f]"/g)?.join(' '));
  expect(told).toEqual(['"b" "a"', '"e" "a" "b" "d"']);
  expect(found[0]).toMatchObject({ file: 'a.json', line: 17 });
});

test('a dependency by way of another, and what is not selected, count', async () => {
  const chain = [
    ws('a', ['x']),
    { id: 'b', tasks: ['x'], depends_on: ['a'] },
    ws('c', ['x'], { depends_on: ['b'] }),
  ];
  expect(await warningsOf(chain, 'overlap')).toEqual([]);
  const plan = [ws('a', ['x']), ws('b', ['x'])];
  const result = await readFiles({ 'a.json': plan }, ['a.json'], { only: ['b'] });
  expect([soundOf(result).length, result.warnings]).toEqual([1, []]);
});

test('a thousand workstreams with one scope are a thousand warnings at most, and soon', async () => {
  const started = process.cpuUsage();
  const plan = Array.from({ length: 1_000 }, (_, index) => ws(`w${index}`, ['src/', `docs/${index}`]));
  expect(await warningsOf(plan, 'overlap')).toHaveLength(999);
  expect(process.cpuUsage(started).user).toBeLessThan(8_000_000);
});

test.each([
  ['Edit src/a.py, then "lib/b.js" (and docs/).', ['src/a.py', 'lib/b.js', 'docs/']],
  ['Create `.tasks/{inbox,done}/` and ./x/y.md:', ['.tasks/{inbox,done}/', 'x/y.md']],
  ['Update setup.py and other.py', ['setup.py']],
  ['Move core/engine to the top', ['core/engine']],
  ['input/output, and/or, CI/CD, 1/2, n/a', []],
  ['See https://example.org/a.py, example.org/a.py, /etc/x.conf, ~/x.py, ../x.py and $HOME/x.py', []],
  ['Version 1.2.3, e.g. this... or i.e. that', []],
  ['', []],
])('paths in %j', (text, expected) => {
  expect(pathsIn(text, new Set(['setup.py', 'core']))).toEqual(expected);
});

test('paths that tasks name outside of the scope are one warning, at the first', async () => {
  const tasks = ['Edit src/a.py', 'Edit lib/b.py and setup.cfg', { run: 'sed -i s/a/b/ lib/c.py' }];
  const steps = [{ id: 's', tasks: ['Write docs/new.md and lexer.py and docs/other.md'] }];
  const plan = (more: object) => ({
    id: 'a',
    files_scope: ['src/'],
    files_create: ['docs/new.md'],
    tasks,
    steps,
    ...more,
  });
  const more = { 'setup.cfg': '', 'src/lexer.py': '' };
  const found = await warningsOf(plan({}), 'outside_scope', more);
  expect(found).toMatchObject([{ file: 'a.json', line: 11, column: 5 }]);
  expect(found[0]?.message.match(/"[a-z/]+\.[a-z]+"/g)).toEqual([
    '"lib/b.py"',
    '"setup.cfg"',
    '"lib/c.py"',
    '"docs/other.md"',
  ]);
  expect(await warningsOf(plan({ scope: 'warn' }), 'outside_scope', more)).toHaveLength(1);
  expect(await warningsOf(plan({ scope: 'off' }), 'outside_scope', more)).toEqual([]);
  expect(await warningsOf({ id: 'a', tasks }, 'outside_scope', more)).toEqual([]);
});

test('the scope: enforced where one is given, off elsewhere, as it is told', async () => {
  const modeOf = async (more: object) =>
    soundOf(await readFiles({ 'a.json': { id: 'a', tasks: ['x'], ...more } }))[0]?.scope;
  expect(await modeOf({})).toBe('off');
  expect(await modeOf({ files_scope: [] })).toBe('off');
  expect(await modeOf({ files_scope: ['x'] })).toBe('enforce');
  expect(await modeOf({ files_create: ['x'], scope: 'warn' })).toBe('warn');
  expect(await modeOf({ files_scope: ['x'], scope: 'off' })).toBe('off');
  const yaml = await readFiles({ 'a.yaml': 'id: a\ntasks: [x]\nfiles_scope: [x]\nscope: off\n' });
  expect(soundOf(yaml)[0]?.scope).toBe('off');
  const [fault] = faultsOf(await readFiles({ 'a.json': { id: 'a', tasks: ['x'], scope: ['src/'] } }));
  expect(fault?.message).toContain('files_scope');
});
