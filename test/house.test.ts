import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mask } from '../scripts/house/mask.ts';
import { checkHouse } from '../scripts/house-check.ts';

const ROOT = join(import.meta.dirname, '..');
let copy = '';

beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'orch-house-'));
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

function plant(file: string, text: string): void {
  mkdirSync(dirname(join(copy, file)), { recursive: true });
  writeFileSync(join(copy, file), text);
}

function runCheck(root: string): { status: number | null; stdout: string; stderr: string } {
  const script = join(ROOT, 'scripts', 'house-check.ts');
  return spawnSync(process.execPath, ['--import', 'tsx', script, root], { cwd: ROOT, encoding: 'utf8' });
}

describe('the house check', () => {
  it('finds this tree in order, and a planted fault in a copy of it', () => {
    expect(runCheck(ROOT)).toMatchObject({ status: 0, stderr: '' });
    for (const folder of ['lib', 'bin', 'package.json'])
      cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
    expect(runCheck(copy)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^house in order: \d+ files\n$/),
    });
    plant('lib/store/planted.ts', "export const one = 1;\nimport '../git/run.ts';\n");
    const found = runCheck(copy);
    expect(found.status).toBe(1);
    expect(found.stderr).toBe('lib/store/planted.ts:2 store imports its brace-mate git\n');
  });

  const small: Record<string, string> = {
    'bin/orch.ts': "#!/usr/bin/env node\nimport '../lib/cli/main.ts';\n",
    'lib/errors.ts': 'export const one = 1;\n',
    'lib/protocol/layout.ts': "export const dir = '.status';\n",
    'lib/process/look.ts': "import { one } from '../errors.ts';\nexport const two = one;\n",
    'lib/store/lock.ts': "import { two } from '../process/look.ts';\nexport const three = two;\n",
    'lib/plan/read.ts': 'export const four = 4;\n',
    'lib/worker/main.ts': 'export const five = 5;\n',
    'lib/cli/main.ts': "import yargs from 'yargs';\nexport const six = yargs;\n",
  };

  it.each([
    ['an import upwards', 'lib/process/a.ts', "import '../store/lock.ts';", /above/],
    ['an import upwards, loaded late', 'lib/process/a.ts', "await import('../store/lock.ts');", /above/],
    ['an export from above', 'lib/protocol/a.ts', "export { three } from '../store/lock.ts';", /above/],
    ['a type from above', 'lib/protocol/a.ts', "import type { Three } from '../store/lock.ts';", /above/],
    [
      'an import of several lines',
      'lib/protocol/a.ts',
      "import {\n  three,\n} from '../store/lock.ts';",
      /above/,
    ],
    ['a brace-mate', 'lib/plan/a.ts', "import '../store/lock.ts';", /brace-mate/],
    ['a brace-mate of the worker', 'lib/executors/a.ts', "import '../worker/main.ts';", /brace-mate/],
    ['a file of lib above the rooms', 'lib/errors.ts', "import './protocol/layout.ts';", /above/],
    ['an unknown room', 'lib/attic/a.ts', 'export const a = 1;', /no layer/],
    ['bin that reaches deeper', 'bin/other.ts', "import '../lib/errors.ts';", /bin imports/],
    ['lib that imports scripts', 'lib/store/a.ts', "import '../../bin/orch.ts';", /outside of lib/],
    ['an import of nothing', 'lib/store/a.ts', "import './missing.ts';", /not there/],
    ['an import without its ending', 'lib/store/a.ts', "import './lock';", /not there/],
    ['a file that imports itself', 'lib/store/a.ts', "import './a.ts';", /cycle/],
    ['yargs in the worker', 'lib/worker/a.ts', "import yargs from 'yargs';", /yargs/],
    ['yargs below the worker', 'lib/plan/a.ts', "import { hideBin } from 'yargs/helpers';", /yargs/],
    ['utils', 'lib/store/utils.ts', 'export const a = 1;', /"utils"/],
    ['a folder of helpers', 'test/helpers/a.ts', 'export const a = 1;', /"helpers"/],
    ['a barrel', 'lib/store/index.ts', "export { three } from './lock.ts';", /"index"/],
    ['a test of types', 'test/types.test.ts', 'export const a = 1;', /"types"/],
    ['a spelled folder', 'lib/store/a.ts', "const a = join(root, '.status');", /spells/],
    ['a spelled path', 'lib/store/a.ts', "const a = '.logs/_events.ndjson';", /spells/],
    ['a spelled path in a template', 'lib/cli/a.ts', `const a = \`\${root}/.worktrees/\${id}\`;`, /spells/],
    ['an empty catch', 'lib/store/a.ts', 'try { a(); } catch {}', /empty catch/],
    [
      'a catch that only talks',
      'lib/store/a.ts',
      'try { a(); } catch (error) {\n  // never mind\n}',
      /empty catch/,
    ],
    ['any', 'lib/store/a.ts', 'export function a(b: any): void {}', /any/],
    ['as any', 'bin/a.ts', 'const a = b as any;', /any/],
    ['any inside', 'lib/store/a.ts', 'const a = new Map<string, any>();', /any/],
    ['a silenced compiler', 'lib/store/a.ts', '// @ts-ignore\nconst a = 1;', /type check/],
    ['a silenced lint', 'lib/store/a.ts', '// biome-ignore lint/x: y\nconst a = 1;', /lint/],
  ])('finds %s', (_, file, text, message) => {
    for (const [name, content] of Object.entries(small)) plant(name, content);
    expect(checkHouse(copy).faults).toEqual([]);
    const line = text.startsWith('import {\n') ? 4 : 2;
    plant(file, `\n${text}\n`);
    const { faults } = checkHouse(copy);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ file, message: expect.stringMatching(message) });
    if (!/layer|says nothing/.test(faults[0]?.message ?? '')) expect(faults[0]?.line).toBe(line);
  });

  it('finds a cycle of several files once', () => {
    plant('lib/store/a.ts', "import './b.ts';\n");
    plant('lib/store/b.ts', "import './c.ts';\n");
    plant('lib/store/c.ts', "import './a.ts';\n");
    expect(checkHouse(copy).faults.map(({ message }) => message)).toEqual([
      'closes a cycle: lib/store/a.ts → lib/store/b.ts → lib/store/c.ts → lib/store/a.ts',
    ]);
  });

  it('lets comments, docs, texts for people and ordinary code be', () => {
    plant(
      'lib/store/a.ts',
      [
        "/** Reads `.status/a.json`; import '../git/run.ts' is not one. */",
        "// catch {} and : any, '.status'",
        "const hint = 'look at .status/a.json and .logs';",
        `const text = \`of any kind: any, \${record.status} in .pids here\`;`,
        'const state = record.status;',
        'const pattern = /[\'"`]\\/.status: any/;',
        'const share = (a + b) / c / d;',
        "const name = 'a.status';",
        'const company = { any: 1, many: any.of };',
        'try { a(); } catch (error) { throw error; }',
        "const from = 'x'; const importer = (x) => x; importer('../git/run.ts');",
      ].join('\n'),
    );
    expect(checkHouse(copy).faults).toEqual([]);
  });
});

describe('mask', () => {
  it('keeps length and lines, and finds strings inside templates inside templates', () => {
    const source = `const a = \`x \${f(\`y \${'z'} w\`, { b: "c" })} v\`; // 'no'\nconst d = 'e';`;
    const { code, strings } = mask(source);
    expect(code).toHaveLength(source.length);
    expect(code.split('\n')).toHaveLength(2);
    expect(strings.map(({ text }) => text)).toEqual(['x ', 'y ', 'z', ' w', 'c', ' v', 'e']);
    expect(code).not.toContain('no');
  });

  it('survives astral characters, escapes and quotes in patterns', () => {
    const source =
      "const a = '😀'; const b = 'it\\'s'; const c = /['\"`/]/.test(d) ? 'yes' : 1 / 2; const e = 'f';";
    const { code, strings } = mask(source);
    expect(code).toHaveLength(source.length);
    expect(strings.map(({ text }) => text)).toEqual(['😀', "it\\'s", 'yes', 'f']);
  });
});
