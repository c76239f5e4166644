import { isCheckScript } from './gate-files.ts';
import { shellWords, type Token } from './shell-words.ts';

/** What the command of an acceptance test looks at. Pure; by its words alone. */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Programs that only look at what is there: no test of the repository runs, and no configuration counts. */
const INSPECTS = words(`
  grep egrep fgrep rg ag find fd ls cat head tail wc sort uniq cut tr diff cmp comm tee sed awk
  test [ [[ true false : echo printf cd pwd mkdir rm cp mv touch stat file du which command type sleep exit
  git jq yq xmllint jsonlint sha256sum md5sum curl wget xargs set export
`);

/** Programs that judge by their configuration, and run no test of the repository. */
const LINTS = words(`
  ruff black flake8 isort pylint bandit mypy pyright tsc eslint prettier biome markdownlint markdownlint-cli2 stylelint
  gofmt golangci-lint staticcheck rustfmt rubocop phpstan shellcheck shfmt hadolint yamllint actionlint sqlfluff buf tflint
`);

/** Programs that hand over to the next word. */
const WRAPPERS = words('npx bunx uvx env time nice exec timeout xvfb-run dotenv cross-env sudo');
const RUNNERS_OF_OTHERS = words('uv poetry pipenv hatch pdm bundle pnpm yarn bun');
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;
const CONFIG_OPTION = /^(?:-c|--?(?:[\w-]*config(?:-file|uration)?|rcfile|settings|project))$/;
const SHELLS = words('sh bash zsh dash ksh eval');
/** They run what they are told, which is a test only if it looks like one. */
const INTERPRETERS =
  /^(?:node|deno|bun|tsx|ts-node|py|pypy3|python[\d.]*|ruby|perl|php|lua|Rscript|julia|java)$/;
const TEST_MODULES = /^(?:pytest|unittest|nose2?|tox|nox|coverage|doctest|mypy|ruff|flake8|pylint)(?:\.|$)/;
const DEPTH_MAX = 3;

export type Looks = {
  /** Tests of the repository may run. */
  tests: boolean;
  /** Configuration of test runners or linters may decide. */
  config: boolean;
  /** Words that may be paths of scripts, tests or folders of tests. */
  named: string[];
  /** Values of options that name a configuration. */
  configs: string[];
};

/** What a command looks at; what is not known counts as running tests. */
export function looksOf(command: string, depth = 1): Looks {
  const all: Looks = { tests: false, config: false, named: [], configs: [] };
  for (const simple of simpleCommands(shellWords(command).tokens)) add(all, looksOfSimple(simple, depth));
  return all;
}

function add(all: Looks, { tests, config, named, configs }: Looks): void {
  all.tests ||= tests;
  all.config ||= config;
  all.named.push(...named);
  all.configs.push(...configs);
}

/** The words of each simple command, without quotes. */
function simpleCommands(tokens: readonly Token[]): string[][] {
  const commands: string[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'word') commands.at(-1)?.push(unquoted(token.text));
    else if (!/[<>]/.test(token.text)) commands.push([]);
  }
  return commands.filter((command) => command.length > 0);
}

const unquoted = (word: string): string => word.replaceAll(/\\(.)|['"]/g, '$1');

function looksOfSimple(simple: readonly string[], depth: number): Looks {
  const rest = [...simple];
  while (rest.length > 0 && isBefore(rest)) rest.shift();
  const [program = '', ...args] = rest;
  const looks: Looks = { tests: false, config: false, named: [], configs: [] };
  if (program === '' || INSPECTS.has(program)) return looks;
  if (SHELLS.has(program) && depth < DEPTH_MAX) {
    for (const word of args) if (/\s/.test(word)) add(looks, looksOf(word, depth + 1));
  }
  for (const [at, word] of rest.entries()) {
    const [option = '', value] = word.split(/=(.*)/s);
    if (value !== undefined && CONFIG_OPTION.test(option)) looks.configs.push(pathOf(value));
    else if (CONFIG_OPTION.test(rest[at - 1] ?? '')) looks.configs.push(pathOf(word));
    if (!LINTS.has(program) && !word.startsWith('-')) looks.named.push(pathOf(word));
  }
  looks.tests ||= !LINTS.has(program) && (!INTERPRETERS.test(program) || isTesting(args));
  looks.config ||= looks.tests || LINTS.has(program);
  return looks;
}

/** `node --test`, `python -m pytest`, `node test/all.mjs`; not `node src/main.js`. */
function isTesting(args: readonly string[]): boolean {
  return args.some((arg, at) => {
    if (/^--test(?:=|-|$)/.test(arg) || (args[at - 1] === '-m' && TEST_MODULES.test(arg))) return true;
    return !arg.startsWith('-') && !/\s/.test(arg) && isCheckScript(pathOf(arg));
  });
}

/** `VAR=x`, `!`, `npx`, `timeout 60`, `uv run`: the program comes after them. */
function isBefore([first = '', second = '']: readonly string[]): boolean {
  if (first === '!' || first === '{' || ASSIGNMENT.test(first) || /^\d+[smhd]?$/.test(first)) return true;
  if (first.startsWith('-') || WRAPPERS.has(first)) return true;
  return (first === 'run' || first === 'exec' || RUNNERS_OF_OTHERS.has(first)) && second !== '';
}

/** Without `./`, and without what pytest puts behind a file: `tests/a.py::test_b`. */
const pathOf = (word: string): string =>
  word
    .replace(/::.*$/s, '')
    .replace(/^(?:\.\/)+/, '')
    .replace(/\/+$/, '');
