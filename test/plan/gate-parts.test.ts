import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { configuresGate, judgedText } from '../../lib/plan/gate-parts.ts';

const json = (value: unknown): string => JSON.stringify(value, null, 2);
const judged = (before: unknown, after: unknown): unknown => {
  const text = judgedText('package_json', json(before), json(after));
  return text === null ? null : JSON.parse(text);
};

describe('a package.json', () => {
  const base = { name: 'a', scripts: { test: 'vitest', build: 'tsc' }, jest: { bail: 1 } };

  it.each([
    ['a dependency', { ...base, dependencies: { b: '1' } }],
    ['another script', { ...base, scripts: { ...base.scripts, docs: 'typedoc' } }],
  ])('is the work’s where an agent added %s', (_, after) => {
    expect(judged(base, after)).toBeNull();
  });

  it('decides by its scripts and the keys of test runners, and keeps the rest', () => {
    const after = {
      name: 'a',
      scripts: { build: 'rollup', test: 'true', docs: 'd' },
      jest: {},
      dependencies: { b: '1' },
    };
    expect(judged(base, after)).toEqual({
      name: 'a',
      scripts: { build: 'tsc', test: 'vitest', docs: 'd' },
      jest: { bail: 1 },
      dependencies: { b: '1' },
    });
    expect(judged(base, { name: 'a' })).toEqual(base);
    expect(judged(base, { ...base, scripts: { ...base.scripts, pretest: 'cheat' } })).toEqual(base);
  });

  it('decides without the runner that an agent configured', () => {
    const after = { ...base, mocha: { ignore: ['broken'] }, wireit: {}, files: ['lib'] };
    expect(judged(base, after)).toEqual({ ...base, files: ['lib'] });
    expect(judged({ name: 'a' }, { name: 'a', jest: {}, scripts: { test: 'jest' } })).toEqual({
      name: 'a',
      scripts: { test: 'jest' },
    });
  });

  it('decides without hooks of its scripts, and with hooks of new ones', () => {
    const scripts = { ...base.scripts, posttest: 'cheat', docs: 'typedoc', predocs: 'tsc' };
    const { posttest: _, ...rest } = scripts;
    expect(judged(base, { ...base, scripts })).toEqual({ ...base, scripts: rest });
  });

  it('decides as a whole where the edited one cannot be read', () => {
    expect(judgedText('package_json', json(base), '{')).toBe(json(base));
    expect(judgedText('package_json', '{', json(base))).toBeNull();
    expect(
      judgedText('package_json', '{"__proto__": {"a": 1}, "scripts": {"__proto__": "x"}}', '{}'),
    ).toContain('"x"');
  });
});

describe('sections', () => {
  const base =
    '[project]\nname = "a"\n\n[tool.pytest.ini_options] # tests\naddopts = "-q"\n\n[tool.ruff]\nline-length = 100\n';

  it('are the work’s where they configure no check', () => {
    expect(judgedText('sections', base, base.replace('"a"', '"b"'))).toBeNull();
    expect(judgedText('sections', base, `${base}\n[project.scripts]\nx = "y"\n`)).toBeNull();
    expect(judgedText('sections', base, base.replaceAll('\n', '\r\n'))).toBeNull();
  });

  it('decide where they do', () => {
    const edited = base
      .replace('"a"', '"b"')
      .replace('"-q"', '"--co"')
      .replace(/\[tool\.ruff\][\s\S]*/, '');
    expect(judgedText('sections', base, `${edited}[tool.coverage.run]\nomit = ["*"]\n`)).toBe(
      base.replace('"a"', '"b"'),
    );
    expect(judgedText('sections', '[metadata]\n', '[metadata]\nname = a\n[tool:pytest]\nx = 1\n')).toBe(
      '[metadata]\nname = a\n\n',
    );
  });
});

test.each([
  ['package_json', '{"scripts": {"test": "jest"}, "type": "module"}', false],
  ['package_json', '{"jest": {}}', true],
  ['package_json', '{', false],
  ['sections', '[project]\nname = "a"\n', false],
  ['sections', '[project]\n[tool.pytest.ini_options]\n', true],
  ['test', 'x', false],
] as const)('a new file of kind %s, %j, configures what decides: %s', (kind, text, expected) => {
  expect(configuresGate(kind, text)).toBe(expected);
});

test('any two texts have an answer, and equal ones none', () => {
  const text = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('[tool.ruff]', '[[tool.mypy.overrides]]', '[project]', 'a = 1', '"""', '[', ''))
      .map((lines) => lines.join('\n')),
  );
  fc.assert(
    fc.property(fc.constantFrom('package_json', 'sections', 'config'), text, text, (kind, before, after) => {
      expect(judgedText(kind, before, before)).toBeNull();
      const once = judgedText(kind, before, after);
      // What it is judged by holds the deciding part: judged again, nothing is left to change.
      if (once !== null) expect(judgedText(kind, before, once)).toBeNull();
    }),
  );
});
