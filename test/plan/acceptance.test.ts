import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classify, classifyAcceptance } from '../../lib/plan/acceptance.ts';

const COMMANDS = [
  'pytest',
  'pytest -q',
  'pytest -q -k parser',
  'pytest tests/unit -x',
  'pytest tests/unit tests/slow.py',
  'pytest -q -k "not slow and is_fast"',
  'pytest -q # the whole suite is run',
  'python -c "import shop; print(\'the import works\')"',
  "python -c 'from shop.cart import *'",
  'python tools/report.py --all',
  'python -m unittest discover',
  'PYTHONPATH=src python -m pytest -q',
  'CI=1 NODE_ENV="test run" npm test',
  'npm test',
  'npm run lint',
  'npm run test:unit -- --run',
  'npx tsc --noEmit',
  'pnpm test',
  'node --test',
  'node scripts/check.mjs',
  'cargo test',
  'cargo test parser',
  'cargo clippy -- -D warnings-as-errors',
  'cargo clippy -- -D warnings',
  'cargo clippy --all-targets --all-features -- --deny warnings -A clippy::pedantic',
  'cd core/ && cargo clippy -q -- -D warnings -W unused && cargo test',
  'rustc -D warnings src/lib.rs',
  'python manage.py test accounts',
  'node scripts/check.mjs unit fast',
  'go build ./...',
  'go test ./... -run TestCart',
  'go vet ./...',
  'make',
  'make check',
  'make test-unit',
  'make clean test',
  'make -C docs html',
  'git diff --quiet HEAD',
  'git grep -q legacy_name',
  'git status --porcelain',
  '! grep -rn legacy_name src/',
  '! git grep -q "the old name is"',
  "grep -r 'OLD_ROOT/' . --include='*.md' | wc -l",
  'rg -n "^from app\\/lib|import app\\.lib" -S | wc -l',
  'ls',
  'ls build/',
  'ls -la docs && test -f docs/index.md',
  'test -f README.md',
  'test ! -e src/legacy',
  'test "$(git rev-parse HEAD)" = "$(git merge-base HEAD main)"',
  'test $(ls | wc -l) -eq 3',
  '(cd web/ && npm test)',
  'cd web/ && npm ci && npm test',
  './run-tests.sh',
  './run-tests.sh --fast',
  'mypy src/shop --strict',
  'markdownlint docs/',
  "find src/ -name '*.py' -newer stamp",
  'pytest -q > /dev/null 2>&1',
  'diff expected.txt actual.txt',
  'jq -e .version package.json',
  'pytest -q\nmypy src/',
];

const PROSE = [
  'test suite passes',
  'git history is clean',
  'git status clean',
  'git log tidy',
  'make sure it works',
  'make read/write calls atomic',
  'make test pass.',
  'Go build works',
  'go build works',
  'go to the settings page',
  'find unused imports',
  'sort order is stable',
  'node version is checked',
  'node starts, then stops',
  'python modules import cleanly',
  'python 3.12 is supported',
  'npm test passes',
  'npm test green',
  'cargo test finds no regressions',
  'pytest: all green',
  'pytest - all suites',
  'pytest (unit and e2e)',
  "pytest doesn't fail",
  'pytest > 90% coverage',
  'pytest unit/integration suites',
  'test input/output handling',
  'ls shows the new folder',
  'ls -A is empty',
  'grep -F warnings',
  'pytest -W warnings',
  'cargo clippy warnings',
  'cargo clippy -D errors',
  'cargo clippy -- -D warnings passes',
  'cargo clippy -- -D warnings, then the tests',
  'python scripts/report.py outputs JSON',
  'python scripts/report.py prints JSON',
  'python scripts/x.py lists files',
  'node server.js responds',
  './serve.sh emits JSON',
  './serve.sh --fast writes logs',
  'node server.js rejects requests',
  'ls build',
  'Pytest -q',
  'PYTEST',
  'All folders exist and hold a .gitkeep',
  'Two writers at once lose nothing',
  'shop.yaml validates against its schema',
  'scripts/check.sh passes',
  'echo hello',
  './run-tests.sh fast',
  '',
  '   ',
  '"pytest" -q',
  'X=1',
  '!',
  '(',
  'pytest && everything works',
  'pytest “quietly” — always',
];

test.each(COMMANDS)('command: %s', (text) => {
  expect(classify(text)).toEqual({ kind: 'command', text, run: text.trim() });
});

test.each(PROSE)('prose: %s', (text) => {
  expect(classify(text)).toEqual({ kind: 'prose', text });
});

test.each([
  ['make sure it works', true],
  ['test suite passes', true],
  ['git history is clean', true],
  ["pytest doesn't fail", true],
  ['ls build', true],
  ['Go build works', false],
  ['All tests pass', false],
  ['shop.yaml validates against its schema', false],
  ['pytest -q', false],
])('near miss of %j: %s', (text, nearMiss) => {
  expect(classifyAcceptance(text).nearMiss).toBe(nearMiss);
});

test('the config adds programs; case counts', () => {
  expect(classify('specctl --strict').kind).toBe('prose');
  expect(classify('specctl --strict', ['specctl']).kind).toBe('command');
  expect(classify('Specctl --strict', ['specctl']).kind).toBe('prose');
});

test('any text gets an answer, and it is the same each time', () => {
  const shellish = fc.array(
    fc.constantFrom(
      'pytest',
      'is',
      '"',
      "'",
      '$(',
      ')',
      '(',
      '|',
      '&&',
      '>',
      '2>&1',
      '\\',
      '`',
      ' ',
      '\n',
      '-q',
      '#',
      'A=1',
      '!',
    ),
    { maxLength: 20 },
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    shellish.map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const first = classifyAcceptance(text);
      expect(first.check.text).toBe(text);
      expect(classifyAcceptance(text)).toEqual(first);
      if (first.check.kind === 'command') expect(first.nearMiss).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test('plain English after a program is never a command', () => {
  const english = fc.constantFrom(
    'is',
    'are',
    'the',
    'of',
    'no',
    'with',
    'passes',
    'works',
    'finds',
    'green.',
  );
  const start = fc.constantFrom(
    'pytest',
    'npm test',
    'make check',
    'cargo test',
    'ls -l',
    'git diff --stat',
    './x',
  );
  fc.assert(fc.property(start, english, (command, word) => classify(`${command} ${word}`).kind === 'prose'));
});

test('a very long text is judged quickly', () => {
  const started = process.cpuUsage();
  classify(`pytest ${'('.repeat(100_000)}`);
  classify(`pytest ${'$('.repeat(100_000)}`);
  classify(`pytest ${'-k x '.repeat(100_000)}`);
  expect(process.cpuUsage(started).user).toBeLessThan(3_000_000);
});
