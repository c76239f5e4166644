import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

const PAGE = join(import.meta.dirname, '../../docs/containment.md');

/** What became of one kind of process in one way of keeping them together: dead after each of the three ends? */
export type Fates = ReadonlyMap<string, { ends: boolean; stopped: boolean; killed: boolean }>;

/** Who they are, in the order of the table. */
export const KINDS: ReadonlyMap<string, string> = new Map([
  ['child', 'a child in the background'],
  ['new_session', 'a session of its own (`setsid`)'],
  ['double_fork', 'a double fork: its parent is gone'],
  ['session_and_double_fork', '`setsid` and a double fork'],
  ['no_environment', 'a cleared environment (`env -i`)'],
  ['other_folder', 'a folder outside of the worktree'],
  ['all_at_once', 'all of these at once, files closed, the session leader gone'],
  ['nohup', '`nohup`'],
  ['renamed', 'a daemon that renames itself'],
  ['deaf', 'one that ignores SIGTERM'],
  ['crowd', '200 processes'],
  ['stopped_group', 'a process group of its own, stopped by SIGSTOP'],
  ['forks_when_killed', 'one that forks away when it gets SIGTERM'],
]);

const HEAD = `# Containment

What a task starts must not outlive it. There are three ways to keep its processes together; this page shows what each
one catches. The table is made by \`test/violence/escape-zoo.violence.ts\`, which lets all of these loose; do not edit the page by
hand (\`UPDATE_DOCS=1 npm run endurance -- escape-zoo\` writes it anew).

## The tiers

| \`containment\` | what it is | needs | costs |
| --- | --- | --- | --- |
| \`scope\` | each command runs in a systemd scope of its own. The kernel keeps its processes together, whatever they do, and kills them with one order | cgroup v2 and a systemd manager: root's, or the user's | about 0.1 s a command; the manager of a user ends with the last login unless lingering is on |
| \`pid_namespace\` | the commands of an attempt share a PID namespace that ends with its worker | root, or user namespaces | commands see other PIDs than everybody else; without root, \`sudo\` does not work in them |
| \`sweep\` | processes are looked for: by what they inherit (variables, session, a mark among the resource limits), by their parents, by their folder | nothing; the mark needs \`prlimit\` of util-linux | a look at \`/proc\` at each end |

\`containment: auto\`, the default, takes \`scope\` where a scope can be made and outlasts the login (root's manager, or
lingering), else \`sweep\`. It never takes a PID namespace: that changes what a command sees, and is for those who ask.
What is asked for and cannot be had is refused. \`orch doctor\` tries all of them.

A sweep goes with every tier. In all of them the worker itself stays outside: its PID, its record and its log are as ever.

## The zoo

After a command that left them behind (*end*), after \`orch stop\` (*stop*), and after \`kill -9\` of the worker and then
\`orch reap\` (*kill*). The first two columns are without \`prlimit\`, so that each tier shows what it can do by itself.

`;

const TAIL = `
No tier reaches what a command asks somebody else to start (cron, docker, \`systemd-run\`, \`at\`), unless a sandbox hides
the way there. A process that sets RLIMIT_RTTIME anew sheds the mark of the sweep; nothing sheds a scope or a namespace
without root.
`;

const NAMES = ['end', 'stop', 'kill'];

/** The page on disk must say what was found; with UPDATE_DOCS=1 it is made to. A column that was not tried stays. */
export function expectPage(columns: ReadonlyMap<string, Fates | null>): void {
  const before = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
  const titles = [...columns.keys()];
  const head = `| what tries to get away | ${titles.join(' | ')} |\n| --- |${' --- |'.repeat(titles.length)}`;
  const rows = [...KINDS].map(([name, text]) => {
    const cells = titles.map((title, at) => {
      const fates = columns.get(title) ?? null;
      return fates === null ? cellOf(before, text, at) : fateText(fates, name);
    });
    return `| ${text} | ${cells.join(' | ')} |`;
  });
  const table = [head, ...rows].join('\n');
  process.stdout.write(`${table}\n`);
  const page = `${HEAD}${table}\n${TAIL}`;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, 'utf8')).toBe(page);
}

function fateText(fates: Fates, name: string): string {
  const fate = fates.get(name);
  const all = [fate?.ends, fate?.stopped, fate?.killed];
  if (all.every((dead) => dead === true)) return 'dead';
  const alive = NAMES.filter((_, at) => all[at] !== true);
  return alive.length === NAMES.length ? '**alive**' : `**alive** after ${alive.join(', ')}`;
}

/** What an earlier run on another machine has found. */
function cellOf(page: string, row: string, at: number): string {
  const line = page.split('\n').find((one) => one.startsWith(`| ${row} |`));
  return line?.split(' | ')[at + 1]?.replace(/ \|$/, '') ?? 'not tried';
}
