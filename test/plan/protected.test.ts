import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { looksOf } from '../../lib/plan/gate-words.ts';
import { protectedBy } from '../../lib/plan/protected.ts';
import { type Task, withDigests } from '../../lib/protocol/plan.ts';

type Options = { runs?: string[]; prompts?: string[]; scope?: string[]; create?: string[] };

function protection({ runs = [], prompts = ['Do it.'], scope = [], create = [] }: Options) {
  const tasks = withDigests(
    prompts.map((prompt): Task & { step: null } => ({
      kind: 'prompt',
      prompt,
      tool: null,
      timeoutMs: null,
      step: null,
    })),
  );
  const checks = [
    { step: null, afterTask: 1, checks: runs.map((run) => ({ kind: 'command' as const, text: run, run })) },
  ];
  return protectedBy({ tasks, checks, files_scope: scope, files_create: create });
}

describe('what acceptance tests hang on', () => {
  it.each([
    ['npm test', 'test/a.test.js', 'test'],
    ['npm test', 'src/a.spec.ts', 'test'],
    ['npm test', 'tests/fixtures/data.json', 'test'],
    ['npm test', 'package.json', 'package_json'],
    ['npm test', 'vitest.config.ts', 'config'],
    ['npm test', 'src/a.ts', null],
    ['npm test', 'src/latest/a.ts', null],
    ['npm test', 'docs/testing.md', null],
    ['pytest', 'tests/test_a.py', 'test'],
    ['pytest', 'conftest.py', 'config'],
    ['pytest', 'pyproject.toml', 'sections'],
    ['pytest src', 'src/validation/rules.py', null],
    ['go test ./...', 'pkg/a_test.go', 'test'],
    ['go test ./...', 'pkg/a.go', null],
    ['cargo test', 'tests/it.rs', 'test'],
    ['make check', 'Makefile', 'config'],
    ['make check', '.github/workflows/ci.yml', 'config'],
    ['node check.mjs', 'check.mjs', 'test'],
    ['sh scripts/verify-api.sh', 'scripts/verify-api.sh', 'test'],
    ['./gate.sh --all', 'gate.sh', 'test'],
    ['bash -c "node ci/all.mjs && pytest"', 'ci/all.mjs', 'test'],
    ['uv run pytest quality/checks', 'quality/checks/rules.yaml', 'test'],
    ['pytest -c ci/py.ini', 'ci/py.ini', 'config'],
    ['vitest run --config=build/v.ts', 'build/v.ts', 'config'],
    ['ruff check .', 'ruff.toml', 'config'],
    ['npx tsc --noEmit', 'tsconfig.json', 'config'],
    // What is looked at, or run as what it is, is the work.
    ['grep -q x src/a.ts', 'src/a.ts', null],
    ['test -f tests/new.test.js', 'tests/old.test.js', null],
    ['node src/main.js --version', 'src/main.js', null],
    ['node src/main.js --version', 'test/a.test.js', null],
    ['ruff check src tests', 'tests/test_a.py', null],
    ['ruff check src', 'src/ci/a.py', null],
    ['git diff --exit-code', 'package.json', null],
  ])('%s: %s is %s', (run, path, kind) => {
    expect(protection({ runs: [run] })(path)).toBe(kind);
  });

  it('is nothing where no command judges', () => {
    expect(protection({})('test/a.test.js')).toBeNull();
  });
});

describe('what the plan has put in scope', () => {
  it.each([
    [{ scope: ['test/'] }, null],
    [{ scope: ['test/**/*.js'] }, null],
    [{ create: ['test/a.test.js'] }, null],
    [{ scope: ['src/'] }, 'test'],
    [{ prompts: ['Add a case for zero to `test/a.test.js`.'] }, null],
    [{ prompts: ['Rename f to g in src/a.js and ./test/a.test.js, please'] }, null],
    [{ prompts: ['Make test/a.test.js pass.'] }, 'test'],
    [{ prompts: ['Fix the failing test/a.test.js'] }, 'test'],
    [{ prompts: ['Rewrite src/a.js. Do not touch test/a.test.js.'] }, 'test'],
    [{ prompts: ['Rewrite src/a.js, and don’t change test/a.test.js.'] }, 'test'],
    [{ prompts: ['All of the tests in test/ should cover zero'] }, 'test'],
    [{ prompts: ['Add cases to test/a.test.js. All tests must pass.'] }, null],
  ] as const)('%j: %s', (options, kind) => {
    const given = JSON.parse(JSON.stringify(options)) as Options;
    expect(protection({ runs: ['npm test'], ...given })('test/a.test.js')).toBe(kind);
  });
});

test('any command and any path have an answer', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'sh -c',
      '"',
      "'",
      '&&',
      '|',
      '$(',
      '`',
      'npx',
      'test/',
      '-c',
      'a=b',
      '!',
      '(',
      '--config=',
      '\\',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const texts = fc.array(word, { maxLength: 12 }).map((parts) => parts.join(' '));
  fc.assert(
    fc.property(texts, texts, texts, (run, prompt, path) => {
      looksOf(run);
      const kind = protection({ runs: [run], prompts: [prompt], scope: ['src/'] })(path);
      expect([null, 'test', 'config', 'package_json', 'sections']).toContain(kind);
    }),
    { numRuns: 500 },
  );
});
