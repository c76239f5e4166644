import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPlan } from '../../lib/plan/read.ts';
import { faultsOf, folderWith, placesOf, readFiles, soundOf } from './scratch.ts';

/** An analysis in the shape that people write: emoji, bold labels, chains in code blocks, more tables. */
const ANALYSIS = `# Independent Workstreams

**Total**: 40

## Summary

**Five workstreams** can start at once:

| Workstream ID | Category | Priority | Complexity |
|---------------|:--------:|---------:|------------|
| \`db-7-split-tables\` | Storage | CRITICAL | Low |
| \`ui-2-dark-theme\`  | Front | medium | High |
| **db-9** | Storage | 🟠 High | Low |
| [probe-001](#probes) | Tests | – | Low |
| \`probe-pipeline\` | Tests | 2.5 | Low |

---

### 🔴 **CRITICAL - start now**

#### DB-7: Split *the* Tables - Phase 0
**Status**: Independent
**Impact**: HIGH

**What it does**:
- Creates directories: \`.a/\`, \`.b/\`
- Moves the tables
  into one schema
- Keeps old names:
  - as views
  - for a year

**Why now**:
- Not a task

---

### 🟡 Later

#### [UI-2](https://example.org/ui): Dark Theme
**Status**: Independent
**What it does**:
* Swaps the palette

#### 1. DB-9 Index the tables
##### Tasks
1. Add an index
2. [ ] Measure it

#### PROBE-001 & PROBE-PIPELINE
**What they do**:
- Probe

## Chains

#### **Chain 1: Storage**
\`\`\`
# db-7 (independent)
  └─ db-8
| Workstream ID |
|---|
| not-me |
\`\`\`

## Statistics

| Metric | Count |
|---|---|
| DB-7 | 40 |
`;
const NAME = 'INDEPENDENT_WORKSTREAMS_ANALYSIS.md';
const table = (...ids: string[]) => `| Workstream ID |\n|---|\n${ids.map((id) => `| ${id} |\n`).join('')}\n`;
const section = (heading: string, ...tasks: string[]) =>
  `## ${heading}\n\nTasks:\n\n${tasks.map((task) => `- ${task}\n`).join('')}\n`;
const ws = (id: string, more: object = {}) => ({ id, tasks: [`do ${id}`], ...more });
const prompts = (tasks: readonly { kind: string; prompt?: string }[] | undefined) =>
  tasks?.map((task) => task.prompt);

test.each([
  ['LF', ANALYSIS],
  ['CRLF', ANALYSIS.replaceAll('\n', '\r\n')],
])('an analysis alone: order, priorities, titles and tasks (%s)', async (_, text) => {
  const all = soundOf(await readFiles({ [NAME]: text }, []));
  expect(all.map(({ id, priority, title, source }) => [id, priority, title, source])).toEqual([
    ['db-7-split-tables', 3, 'Split the Tables - Phase 0', `${NAME}:21`],
    ['ui-2-dark-theme', 1, 'Dark Theme', `${NAME}:40`],
    ['db-9', 2, 'Index the tables', `${NAME}:45`],
    ['probe-001', 1, 'probe-001', `${NAME}:50`],
    ['probe-pipeline', 2.5, 'probe-pipeline', `${NAME}:50`],
  ]);
  expect(all.map(({ tasks }) => prompts(tasks))).toEqual([
    [
      'Creates directories: `.a/`, `.b/`',
      'Moves the tables into one schema',
      'Keeps old names:\n- as views\n- for a year',
    ],
    ['Swaps the palette'],
    ['Add an index', 'Measure it'],
    ['Probe'],
    ['Probe'],
  ]);
});

test('workstream files win over sections, beside the analysis before the root, or where it is told', async () => {
  const root = await folderWith({
    [`docs/${NAME}`]: ANALYSIS,
    'docs/workstreams/one.json': [
      ws('db-7-split-tables', { priority: 'low' }),
      ws('not-selected', { tasks: 5 }),
    ],
    'docs/workstreams/two.yaml': 'id: DB-9\ntasks: [from yaml]\nmetadata: {priority: low}\n',
    'workstreams/ui.json': ws('ui-2-dark-theme'),
  });
  const tasksOf = async (options: object = {}) =>
    soundOf(await readPlan(root, [`docs/${NAME}`], { cwd: root, ...options })).map(
      ({ id, priority, tasks, source }) => [id, priority, prompts(tasks)?.[0], source],
    );
  const own = await tasksOf();
  expect(own[0]).toEqual(['db-7-split-tables', 3, 'do db-7-split-tables', 'docs/workstreams/one.json:2']);
  expect(own[1]?.[2]).toBe('Swaps the palette');
  // The file's spelling is the id.
  expect(own[2]).toEqual(['DB-9', 2, 'from yaml', 'docs/workstreams/two.yaml:1']);
  const told = await tasksOf({ workstreams: 'workstreams' });
  expect(told[0]?.[2]).toBe('Creates directories: `.a/`, `.b/`');
  expect(told[1]?.[2]).toBe('do ui-2-dark-theme');
});

test('without a folder beside it, the one at the root', async () => {
  const root = await folderWith({ 'docs/a.md': table('a'), 'workstreams/x.json': ws('a') });
  expect(soundOf(await readPlan(root, ['a.md'], { cwd: join(root, 'docs') }))).toHaveLength(1);
});

test('only the selected are judged; other broken files get a warning, a selected one is a fault', async () => {
  const files = {
    'a.md': table('a', 'b') + section('A', 'x') + section('B', 'x'),
    'workstreams/a.json': ws('a', { colour: 1 }),
    'workstreams/other.json': '{"id": "o",\n oops',
    'workstreams/faulty.json': ws('faulty', { tasks: 'x', depends_on: ['nobody'], colour: 1 }),
    'workstreams/odd.json': '5',
  };
  const result = await readFiles(files, ['a.md']);
  expect(soundOf(result).map(({ source }) => source)).toEqual(['workstreams/a.json:1', 'a.md:12']);
  expect(result.warnings.map(({ file, line, code }) => `${file}:${line} ${code}`)).toEqual([
    'workstreams/a.json:6 unknown_field',
    'workstreams/odd.json:1 wrong_type',
    'workstreams/other.json:2 syntax',
  ]);
  const broken = await readFiles({ ...files, 'workstreams/B.json': '{"id": "b", oops' }, ['a.md']);
  expect(faultsOf(broken)).toMatchObject([{ file: 'workstreams/B.json', code: 'syntax' }]);
  const twice = await readFiles({ ...files, 'workstreams/z.json': [ws('a')] }, ['a.md']);
  expect(faultsOf(twice)).toMatchObject([{ file: 'workstreams/z.json', code: 'duplicate_id', line: 3 }]);
});

test('a folder of details that is not there, no folder, empty, or of no use is a fault', async () => {
  const files = { 'a.md': table('a') + section('a', 'x'), 'a.json': ws('a'), 'empty/x.txt': '' };
  const codeOf = async (folder: string, plan: string) =>
    faultsOf(await readFiles(files, [plan], { workstreams: folder })).map(
      ({ file, code }) => `${file} ${code}`,
    );
  expect(await codeOf('absent', 'a.md')).toEqual(['absent not_found']);
  expect(await codeOf('a.json', 'a.md')).toEqual(['a.json not_a_folder']);
  expect(await codeOf('empty', 'a.md')).toEqual(['empty empty']);
  expect(await codeOf('empty', 'a.json')).toEqual(['empty unsupported']);
});

test('an analysis beside other arguments: what both name is there once', async () => {
  const files = { 'a.md': table('b', 'a'), 'workstreams/a.json': ws('a'), 'workstreams/b.json': ws('b') };
  expect(
    soundOf(await readFiles({ ...files, 'c.json': ws('c') }, ['a.md', 'workstreams', 'c.json'])).map(
      ({ id }) => id,
    ),
  ).toEqual(['b', 'a', 'c']);
});

describe('headings', () => {
  const idOf = async (id: string, heading: string, more: string[] = []) => {
    const text = table(id, ...more) + section(heading, 'x') + more.map((one) => section(one, 'y')).join('');
    const result = await readFiles({ 'a.md': text });
    if (!result.ok) return result.faults.map(({ code }) => code).join();
    return prompts(result.workstreams[0]?.tasks)?.join();
  };

  test.each([
    ['ws-22-schema', 'WS-22'],
    ['ws-22-schema', 'Ws-22-Schema: Title'],
    ['ws-22-schema', 'WS-22 - Title'],
    ['ws-22-schema', 'WS-22 — Title'],
    ['ws-22-schema', 'WS-22 (urgent)'],
    ['ws-22-schema', 'WS-22. Title'],
    ['ws-22-schema', 'WS-22 Title'],
    ['ws-22-schema', '🔴 **WS-22**: Title'],
    ['ws-22-schema', '1️⃣ WS-22: Title'],
    ['ws-22-schema', '3.2. `WS-22` Title'],
    ['ws-22-schema', '[WS-22](#x): Title'],
    ['ws-22-schema', '[WS-22][ref]: Title'],
    ['ws-22-schema', '<a id="x"></a>WS-22: Title'],
    ['ws-22-schema', 'Workstream WS-22: Title'],
    ['ws-22-schema', 'Workstream: WS-22'],
    ['ws-22-schema', 'WS: all of them'],
    ['ws-22-schema', 'WS-21, WS-22 and WS-23'],
    ['ws-22-schema', 'WS-21 & WS-22: Title'],
    ['ws-22-schema', 'WS-21 / WS-22'],
    ['setup', 'Setup'],
    ['setup', '**Setup**: Title'],
    ['a_b', '__A_b__'],
  ])('%s is named by %j', async (id, heading) => {
    expect(await idOf(id, heading)).toBe('x');
  });

  test.each([
    ['ws-22-schema', 'WS-2'],
    ['ws-22-schema', 'WS-22-schem'],
    ['ws-22-schema', 'WS-22-schema-2'],
    ['ws-22-schema', 'WS-23: after WS-22'],
    ['ws-22-schema', 'About WS-22'],
    ['ws-22', 'WS-22-schema'],
    ['ws.22', 'WS'],
    ['setup', 'Setup of all'],
    ['wave-1', 'Wave one'],
  ])('%s is not named by %j', async (id, heading) => {
    expect(await idOf(id, heading)).toBe('no_details');
  });

  test('the longest name wins, an equal one is for its id alone', async () => {
    expect(await idOf('ws-1-a-b', 'WS-1-A', ['ws-1'])).toBe('x');
    expect(await idOf('ws-1-a', 'WS-2', ['ws-1'])).toBe('no_details');
    const text = table('ws-1', 'ws-1-a') + section('WS-1', 'x') + section('WS-1-A', 'y');
    expect(soundOf(await readFiles({ 'a.md': text })).map(({ tasks }) => prompts(tasks))).toEqual([
      ['x'],
      ['y'],
    ]);
  });

  test('what could mean several is a fault, told where it stands', async () => {
    const shared = table('ws-1-a', 'ws-1-b') + section('WS-1: Title', 'x');
    expect(placesOf(await readFiles({ 'a.md': shared }))).toEqual(['ambiguous@6:1', 'ambiguous@6:1']);
    const twice = table('ws-1') + section('WS-1', 'x') + section('WS-1', 'x');
    expect(placesOf(await readFiles({ 'a.md': twice }))).toEqual(['ambiguous@11:1']);
    const files = { 'a.md': twice, 'workstreams/x.json': ws('ws-1') };
    expect(soundOf(await readFiles(files, ['a.md']))).toHaveLength(1);
    // Headings that hold no tasks do not compete.
    expect(
      soundOf(await readFiles({ 'a.md': `${table('ws-1')}## WS-1: risks\n\n${section('WS-1', 'x')}` })),
    ).toHaveLength(1);
  });

  test("another workstream's section inside is not its own", async () => {
    const text = `${table('a', 'b')}# A\n\n${section('B', 'x')}`;
    expect(placesOf(await readFiles({ 'a.md': text }))).toEqual(['no_details@6:1']);
    const inner = `${table('a')}# A\n\n## Background\n\n- no\n\n### What it does\n\n- x\n- y\n`;
    expect(prompts(soundOf(await readFiles({ 'a.md': inner }))[0]?.tasks)).toEqual(['x', 'y']);
  });
});

describe('faults and warnings', () => {
  test.each([
    ['no table', '# a\n\nTasks:\n- x\n', ['no_table@1:1']],
    ['empty', '', ['no_table@1:1']],
    ['another table', 'x\n\n| ID | P |\n|---|---|\n| a | b |\n', ['no_table@3:1']],
    ['a table without its rule', '| Workstream ID |\n| a |\n', ['no_table@1:1']],
    ['a table in code', `\`\`\`\n${table('a')}\`\`\`\n`, ['no_table@1:1']],
    ['no rows', '| Workstream ID |\n|---|\n', ['empty@1:1']],
    ['two tables', `${table('a')}${section('a', 'x')}${table('b')}`, ['ambiguous@11:1']],
    [
      'two columns',
      '| Workstream ID | workstream id |\n|-|-|\n| a | b |\n\n# a\n\nTasks:\n- x\n',
      ['ambiguous@1:19'],
    ],
    ['a row without id', '|P|Workstream ID|\n|-|-|\n|high||\n', ['missing_id@3:6']],
    ['a bad id', `${table('../a')}`, ['bad_id@3:3']],
    ['an id with a blank', table('a b'), ['bad_id@3:3']],
    ['text glued to the table', `${table('a').trimEnd()}\nand so on\n\n${section('a', 'x')}`, ['bad_id@4:1']],
    ['an id twice', table('a', 'b', 'A') + section('a', 'x') + section('b', 'x'), ['duplicate_id@5:3']],
    [
      'a bad priority',
      '| Workstream ID | Priority |\n|-|-|\n| a | soon |\n\n# a\n\nTasks:\n- x\n',
      ['bad_priority@3:7'],
    ],
    ['neither file nor section', `${table('a', 'b')}${section('b', 'x')}`, ['no_details@3:3']],
    ['a section without bullets', `${table('a')}# a\n\n**What it does**: it works\n`, ['no_details@5:1']],
    ['a label without bullets', `${table('a')}# a\n\n**Tasks**:\n\nDo it.\n`, ['no_details@7:1']],
    ['two lists', `${table('a')}# a\n\nWhat it does:\n- x\n\nTasks:\n- y\n`, ['ambiguous@11:1']],
    ['an empty bullet', `${table('a')}# a\n\nTasks:\n- x\n-\n`, ['empty@9:1']],
    ['all ticked off', `${table('a')}# a\n\nTasks:\n- [x] x\n`, ['no_tasks@5:1']],
    ['too deep', `${'>'.repeat(200_000)}`, ['too_deep@1:1']],
    ['too many lines', `${table('a')}${'- x\n'.repeat(6_000)}`, ['too_large@1:1']],
  ])('%s', async (_, text, places) => {
    const name = 'a.md';
    expect(placesOf(await readFiles({ [name]: text }))).toEqual(places);
    // A carriage return moves no line and no column.
    expect(placesOf(await readFiles({ [name]: text.replaceAll('\n', '\r\n') }))).toEqual(places);
  });

  test('an id with neither is named, with what to write', async () => {
    const [fault] = faultsOf(await readFiles({ 'a.md': table('lonely') }));
    expect(fault?.message).toContain('"lonely"');
    expect(fault?.hint).toContain('workstreams/lonely.json');
  });

  test('ticked tasks are left out, labels that sections cannot say are told', async () => {
    const text = `${table('a')}# a\n\n**Status**: x\n**Depends on**: b\n**Files**: none\n\nTasks:\n- [X] old\n- [ ] new\n- tests: add some\n`;
    const result = await readFiles({ 'a.md': text });
    expect(prompts(soundOf(result)[0]?.tasks)).toEqual(['new', 'tests: add some']);
    expect(result.warnings.map(({ code, line, column }) => `${code}@${line}:${column}`)).toEqual([
      'unread_label@7:1',
      'done_task@12:1',
    ]);
  });

  test('bytes that are not UTF-8, and too many of them', async () => {
    expect(placesOf(await readFiles({ 'a.md': Buffer.from([0x23, 0x0a, 0xff]) }))).toEqual(['encoding@2:1']);
    expect(placesOf(await readFiles({ 'a.md': 'x'.repeat(600_000) }))).toEqual(['too_large@1:1']);
  });

  test('faults of files are told in them, those of sections in the analysis', async () => {
    const files = {
      'a.md': table('a', 'b') + section('b', 'x', '\u0007'),
      'workstreams/a.json': '{"id": "a",\n "tasks": [5]}',
    };
    const faults = faultsOf(await readFiles(files, ['a.md']));
    expect(faults.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`)).toEqual([
      'workstreams/a.json:2:12 wrong_type',
    ]);
  });
});

test('the definition is that of the work: neither its place nor its priority', async () => {
  const definition = async (text: string) => soundOf(await readFiles({ 'a.md': text }))[0]?.definition;
  const plain = await definition(table('a') + section('a', 'x'));
  const ranked = '| Priority | Workstream ID |\n|-|-|\n| low | a |\n\nMore.\n\n';
  expect(await definition(ranked + section('a', 'x'))).toBe(plain);
  expect(await definition(ranked + section('a', 'y'))).not.toBe(plain);
});

test('a thousand rows and their sections are read in a few seconds', async () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => `ws-${index}-with-a-name`);
  const text = table(...ids) + ids.map((_, index) => section(`WS-${index}: Title`, 'one', 'two')).join('');
  const started = process.cpuUsage();
  const all = soundOf(await readFiles({ 'a.md': text }));
  expect(all.map(({ id }) => id)).toEqual(ids);
  expect(process.cpuUsage(started).user).toBeLessThan(8_000_000);
});
