import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from '../rig/repository.ts';
import { type Case, type Row, refuseAll, untouched } from './table.ts';

/** Plans that are malformed, one fault each, and ids that are no ids. */

const RUN = [{ run: 'true' }];
const one = (fields: object): string => JSON.stringify({ id: 'A', tasks: RUN, ...fields });

/** What is wrong, and the content of the file. */
const FILES: [what: string, name: string, content: string | Buffer][] = [
  ['an empty file', 'empty.json', ''],
  ['an empty file', 'empty.yaml', ''],
  ['a file that is too big', 'huge.json', Buffer.alloc(4 * 1024 * 1024 + 1, 0x20)],
  ['a binary file', 'binary.json', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3, 0xfe, 0xff])],
  ['not UTF-8', 'latin-1.json', Buffer.from('{"id": "caf\u00e9"}', 'latin1')],
  ['neither JSON nor YAML', 'plan.txt', 'do it'],
  ['bad JSON', 'syntax.json', '[\n  {"id": "A",, "tasks": []}\n]'],
  ['bad YAML', 'syntax.yaml', 'id: A\ntasks:\n  - [run\n'],
  ['nested without end', 'deep.json', '['.repeat(5000) + ']'.repeat(5000)],
  ['a YAML alias of itself', 'alias.yaml', 'a: &a [*a]\n'],
  ['no workstream', 'none.json', '{"workstreams": []}'],
  ['no object', 'number.json', '7'],
  ['a list in a list', 'nested.json', '[[]]'],
  ['null for a workstream', 'null.json', '[null]'],
  ['a key twice', 'key-twice.json', '{"id": "A", "id": "B", "tasks": ["x"]}'],
  ['no id', 'no-id.json', JSON.stringify({ tasks: RUN })],
  ['an id that is a number', 'number-id.json', one({ id: 7 })],
  ['an id twice', 'id-twice.json', `[\n${one({})},\n${one({})}\n]`],
  ['ids that differ in case alone', 'id-case.json', `[\n${one({})},\n${one({ id: 'a' })}\n]`],
  ['an unknown dependency', 'unknown.json', one({ depends_on: ['Z'] })],
  ['a cycle', 'cycle.json', `[\n${one({ depends_on: ['B'] })},\n${one({ id: 'B', depends_on: ['A'] })}\n]`],
  ['it waits for itself', 'itself.json', one({ depends_on: ['A'] })],
  ['no tasks', 'no-tasks.json', '{"id": "A"}'],
  ['an empty task', 'empty-task.json', one({ tasks: [''] })],
  ['tasks that are no list', 'tasks.json', one({ tasks: 'do it' })],
  ['a task that is two', 'two.json', one({ tasks: [{ run: 'true', prompt: 'do it' }] })],
  ['a NUL character', 'nul.json', one({ tasks: [{ run: 'a\0b' }] })],
  ['a field by another name', 'misnamed.json', one({ dependencies: ['B'] })],
  ['a step that waits for none', 'steps.json', one({ steps: [{ id: 's', tasks: RUN, depends_on: ['t'] }] })],
  ['a path that leads out', 'scope.json', one({ files_scope: ['../x'] })],
  ['a path that leads out', 'copy.json', one({ copy: ['/etc/passwd'] })],
  ['a variable that is orch’s', 'env.json', one({ env: { GIT_DIR: 'x' } })],
  ['a bad duration', 'timeout.json', one({ timeout: 'soon' })],
  ['a bad priority', 'priority.json', one({ priority: 'urgent' })],
  ['a bad tool', 'tool.json', one({ tool: 7 })],
  ['a bad number', 'breaker.json', one({ circuit_breaker: { max_attempts: -1 } })],
  ['a bad acceptance test', 'check.json', one({ acceptance_tests: [{ run: 7 }] })],
  [
    'a fault in each workstream: all are told',
    'many.json',
    `[\n${one({ id: '' })},\n${one({ tasks: [] })},\n{}\n]`,
  ],
];

/** Ids, which become names of files, branches and refs. */
const IDS: [what: string, id: string][] = [
  ['it leaves the folder', '../x'],
  ['it is a path', 'a/b'],
  ['it looks like an option', '-x'],
  ['it looks like a lock', 'x.lock'],
  ['it is taken by orch', 'integration'],
  ['it is taken by orch', '_plan'],
  ['two dots', 'a..b'],
  ['a dot at its end', 'x.'],
  ['it is too long', 'x'.repeat(101)],
  ['a newline', 'a\nb'],
  ['an escape sequence', 'a\u001b[31mb'],
  ['a letter that has two spellings', 'é'],
  ['nothing', ''],
];

const invalid = (what: string, ...args: string[]): Case => ({ what, args, exit: 2, code: 'PLAN_INVALID' });

/** Faults of plan files: nothing is launched, and each is told with its place. */
export async function plans(rig: Rig): Promise<Row[]> {
  const write = (name: string, content: string | Buffer): void =>
    writeFileSync(join(rig.root, name), content);
  for (const [, name, content] of FILES) write(name, content);
  for (const name of ['folder.json', 'folder']) mkdirSync(join(rig.root, name));
  symlinkSync('nowhere.json', join(rig.root, 'link.json'));
  execFileSync('mkfifo', [join(rig.root, 'pipe.json')]);
  write('prompt.json', JSON.stringify({ id: 'A', tasks: ['Make it better.'], tool: ['nonesuch'] }));
  return untouched(rig, () =>
    refuseAll(rig, [
      { what: 'no plan', args: ['launch'], exit: 2, code: 'PLAN_NOT_FOUND' },
      { what: 'no such file', args: ['launch', 'absent.yaml'], exit: 2, code: 'PLAN_NOT_FOUND' },
      { what: 'a link to nowhere', args: ['launch', 'link.json'], exit: 2, code: 'PLAN_NOT_FOUND' },
      invalid('a folder without a plan', 'launch', 'folder'),
      invalid('a folder by the name of a file', 'launch', 'folder.json'),
      invalid('a pipe', 'launch', 'pipe.json'),
      ...FILES.map(([what, name]) => invalid(what, 'launch', name)),
      { what: 'no tool that could do it', args: ['launch', 'prompt.json'], exit: 2, code: 'NO_TOOL' },
    ]),
  );
}

/** Ids that are hostile, in a plan: no name is made of them. */
export async function ids(rig: Rig): Promise<Row[]> {
  for (const [at, [, id]] of IDS.entries()) writeFileSync(join(rig.root, `id-${at}.json`), one({ id }));
  const rows = await untouched(rig, () =>
    refuseAll(
      rig,
      IDS.map(([what, id], at) => ({
        ...invalid(what, 'launch', `id-${at}.json`),
        shown: JSON.stringify(id.length > 20 ? `${id.slice(0, 10)}…` : id),
      })),
    ),
  );
  return rows;
}
