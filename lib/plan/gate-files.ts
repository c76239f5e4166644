import { basename } from 'node:path';

/**
 * Which files decide whether work passes: the closed table of conventional tests and of the configuration of test
 * runners and linters. Pure; by their paths alone.
 */

/** Of `package_json` and `sections` only some keys or sections decide; see `gate-parts.ts`. */
export type GateKind = 'test' | 'config' | 'package_json' | 'sections';

/** Folders that hold nothing but tests and what they need. */
const TEST_FOLDERS = /(?:^|\/)(?:tests?|__tests__|__snapshots__|__mocks__|e2e|cypress|testdata)\//i;

const TEST_NAMES = [
  /^test_.*\.py$|_test\.py$|^tests?\.py$/,
  /\.(?:test|spec|e2e|cy)\.[cm]?[jt]sx?$|^tests?\.[cm]?[jt]sx?$|\.test-d\.ts$/,
  /_test\.(?:go|exs?|dart|cc|cpp|c|rs)$/,
  /(?:_spec|_test)\.rb$|^(?:spec|test|rails)_helper\.rb$/,
  /(?:Tests?|IT|Spec)\.(?:java|kt|scala|groovy|cs|fs|vb|swift|php)$/,
  /\.(?:snap|bats|feature)$|^test.*\.(?:sh|t)$/,
];

/** What runs checks by its name: `check.sh`, `scripts/verify-api.mjs`, `ci/gate.py`. */
const CHECK_NAME =
  /(?:^|[-_./])(?:tests?|specs?|checks?|verify|verifies|verification|validate|validation|lint|e2e|ci|acceptance|gates?|smoke)(?=[-_./]|$)/i;

const CONFIG_NAMES = [
  // Python
  /^(?:conftest|noxfile)\.py$|^(?:\.?pytest|tox|mypy)\.ini$|^\.(?:coveragerc|flake8|pylintrc|mypy\.ini)$/,
  /^\.?ruff\.toml$|^pyrightconfig\.json$/,
  // JavaScript and TypeScript
  /^(?:vitest|jest|playwright|cypress|ava|karma|eslint|prettier|stylelint|tap)\.(?:config|conf|workspace|setup)\.\w+$/,
  /^\.(?:mocharc|eslintrc|eslintignore|prettierrc|prettierignore|nycrc|c8rc|taprc|stylelintrc|jshintrc)(?:\.\w+)?$/,
  /^biome\.jsonc?$|^tsconfig(?:\..+)?\.json$|^\.markdownlint(?:-cli2)?\.\w+$/,
  // Others
  /^\.golangci\.\w+$|^(?:\.?clippy|\.?rustfmt|deny)\.toml$|^phpunit\.xml(?:\.dist)?$|^phpstan\.neon(?:\.dist)?$/,
  /^\.(?:rspec|rubocop\.yml|shellcheckrc|yamllint|hadolint\.yaml|pre-commit-config\.yaml)$/,
  /^(?:GNUmakefile|[Mm]akefile|[Jj]ustfile|\.justfile|Taskfile\.ya?ml)$/,
  /^(?:\.gitlab-ci|azure-pipelines|\.travis|bitbucket-pipelines)\.ya?ml$|^Jenkinsfile$/,
];
const CONFIG_FOLDERS = /(?:^|\/)(?:\.github\/workflows|\.ci|\.circleci|\.husky|\.config\/nextest\.toml$)/;

/** What a path is by convention, or null. */
export function gateKindOf(path: string): GateKind | null {
  const name = basename(path);
  if (name === 'package.json') return 'package_json';
  if (name === 'pyproject.toml' || name === 'setup.cfg') return 'sections';
  if (CONFIG_FOLDERS.test(path) || CONFIG_NAMES.some((pattern) => pattern.test(name))) return 'config';
  return TEST_FOLDERS.test(path) || TEST_NAMES.some((pattern) => pattern.test(name)) ? 'test' : null;
}

const FOLDER_OF_CHECKS = /(?:^|\/)(?:tests?|__tests__|specs?|checks?|e2e|acceptance|smoke|ci)$/i;

/** True for a folder that holds checks, should a command name it. */
export function isFolderOfChecks(path: string): boolean {
  return FOLDER_OF_CHECKS.test(path);
}

/** True for a script that is most likely there to judge, not to be judged. */
export function isCheckScript(path: string): boolean {
  return gateKindOf(path) === 'test' || CHECK_NAME.test(path.replace(/\.\w+$/, ''));
}
