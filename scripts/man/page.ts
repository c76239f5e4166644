import { VERBS } from '../../lib/cli/program.ts';
import { type Recorded, recordVerb, type Spec } from '../../lib/cli/recorded.ts';

/** The manual page in the language of man(7), made from the definitions that parse the command line. */

const INTRO = [
  'orch runs a long refactor as independent workstreams: each has a git worktree, a branch and a worker process of its own.',
  'Detached workers outlive the terminal. Finished tasks are commits; what was cut off is salvaged, and goes on from the last of them.',
];

const EXIT_CODES: readonly [code: string, meaning: string][] = [
  ['0', 'Done.'],
  ['1', 'The work failed: a workstream did not complete.'],
  ['2', 'Bad usage, plan, config or repository.'],
  ['3', 'There is no such workstream, or nothing was ever launched.'],
  ['4', 'Timed out, or somebody else is at it.'],
  ['70', 'orch cannot go on: a disk, git, or a fault of its own.'],
  ['130', 'Interrupted.'],
];

const VARIABLES: readonly [name: string, meaning: string][] = [
  ['ORCH_ROOT', 'The repository, where --root is not given.'],
  ['NO_COLOR', 'No colours.'],
];

const FILES: readonly [path: string, meaning: string][] = [
  ['orch.config.yaml', 'Defaults of this repository; see `orch schema config`.'],
  ['.status/<id>.json', 'The record of a workstream: the truth about it.'],
  ['.logs/<id>.log, .logs/<id>.err', 'What its worker and its tools printed; older parts lie beside them.'],
  ['.logs/_events.ndjson', 'The audit trail.'],
  ['.worktrees/<id>/', 'Its worktree, on the branch orch/<id>.'],
];

/** Text as man(7) shows it literally. */
function plain(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('`', '\\(ga');
  const ascii = escaped.replace(/[^\n -~]/gu, (character) => {
    return `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
  });
  return ascii.replace(/^(['.])/gm, '\\&$1');
}

const bold = (text: string): string => `\\fB${plain(text)}\\fR`;
const item = (head: string, text: string): string => `.TP\n${head}\n${plain(text)}`;
const section = (title: string, ...blocks: string[]): string => [`.SH ${title}`, ...blocks].join('\n');

/** Where a value stands in the name of an option. */
function placeholder(name: string, spec: Spec): string {
  if (spec.choices !== undefined) return spec.choices.join('|');
  if (spec.type === 'number') return 'N';
  const isList = spec.array === true || spec.type === 'array';
  return `${name.toUpperCase().replaceAll('-', '_')}${isList ? ' ...' : ''}`;
}

function optionText(name: string, spec: Spec): string {
  const isOn = spec.type === 'boolean' && spec.default === true;
  const long = isOn ? `--no-${name}` : `--${name}`;
  const short = spec.alias === undefined ? '' : `${bold(`-${spec.alias}`)}, `;
  const value = spec.type === 'boolean' ? '' : ` \\fI${plain(placeholder(name, spec))}\\fR`;
  const { default: given = null, defaultDescription } = spec;
  const usual = defaultDescription ?? (given === null || typeof given === 'boolean' ? null : String(given));
  return item(
    `${short}${bold(long)}${value}`,
    `${spec.describe ?? ''}.${usual === null ? '' : ` Default: ${usual}.`}`,
  );
}

function exampleText([command, what]: Recorded['examples'][number]): string {
  return item(bold(command.replaceAll('$0', 'orch')), `${what}.`);
}

/** The whole page; the same for the same definitions, whatever the day. */
export async function manPage(version: string): Promise<string> {
  const own = recordVerb(null);
  const commands: string[] = [];
  for (const load of Object.values(VERBS)) {
    const { verb } = await load();
    const { options, positionals, examples } = recordVerb(verb);
    const mine = [...options].filter(([name]) => !own.options.has(name));
    commands.push(
      `.SS ${plain(`orch ${verb.command}`)}`,
      plain(`${verb.describe}.`),
      ...[...positionals].map(([name, { describe = '' }]) => item(`\\fI${plain(name)}\\fR`, `${describe}.`)),
      ...mine.map(([name, spec]) => optionText(name, spec)),
      '.PP',
      examples.length === 1 ? 'Example:' : 'Examples:',
      ...examples.map(exampleText),
    );
  }
  return `${[
    '.\\" Made by `npm run man` from lib/cli/commands; do not edit it by hand.',
    `.TH ORCH 1 "" "orch ${version}" "User Commands"`,
    section('NAME', plain('orch - runs a long refactor as independent workstreams that survive crashes')),
    section('SYNOPSIS', `.B orch\n\\fIcommand\\fR [\\fIargument\\fR ...] [\\fIoption\\fR ...]`),
    section('DESCRIPTION', ...INTRO.map(plain)),
    section('COMMANDS', ...commands),
    section('GLOBAL OPTIONS', ...[...own.options].map(([name, spec]) => optionText(name, spec))),
    section('EXIT STATUS', ...EXIT_CODES.map(([code, meaning]) => item(bold(code), meaning))),
    section('ENVIRONMENT', ...VARIABLES.map(([name, meaning]) => item(bold(name), meaning))),
    section('FILES', ...FILES.map(([path, meaning]) => item(`\\fI${plain(path)}\\fR`, meaning))),
    section('SEE ALSO', '.BR git (1),\n.BR git-worktree (1)'),
  ].join('\n')}\n`;
}
