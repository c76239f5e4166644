import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { viewOf, visibleFiles } from '../../../lib/git/visible.ts';
import { gatherContext, type Sources } from '../../../lib/tools/llm/context.ts';
import { treeMap } from '../../../lib/tools/llm/map.ts';
import { isolate } from '../../git/repo.ts';
import { repositoryWith } from './bench.ts';

/** Which files are shown with a task, in which order, and what becomes of those that do not fit. */

isolate();

let worktree = '';
const large = Array.from({ length: 4_000 }, (_, at) => `line ${at} of it`).join('\n');

beforeEach(async () => {
  worktree = await repositoryWith({
    '.gitignore': '*.log\n',
    'a.py': 'content of a\n',
    'b.py': 'content of b\n',
    'large.py': `${large}\n`,
    'key.py': `-----BEGIN RSA PRIVATE KEY-----\n${'A'.repeat(80)}\n-----END RSA PRIVATE KEY-----\n`,
    'config/.env.local': 'SECRET=1\n',
    'markers.md': '<<<<<<< SEARCH\n=======\n',
  });
  writeFileSync(join(worktree, 'bytes.bin'), Buffer.from([0, 1, 2]));
  writeFileSync(join(worktree, 'private.log'), 'private\n');
});

afterEach(() => rmSync(worktree, { recursive: true }));

async function gather(more: Partial<Sources>) {
  const visible = await visibleFiles(await viewOf(worktree, undefined, undefined));
  const sources = { worktree, visible, present: [], toCreate: [], prompt: '', budgetBytes: 100_000 };
  return gatherContext({ ...sources, ...more });
}

test('the scope in plan order, what the task names first', async () => {
  const present = ['b.py', 'a.py', 'markers.md'];
  expect((await gather({ present })).shown).toEqual(present);
  expect((await gather({ present, prompt: 'Mend `a.py`, please.' })).shown).toEqual([
    'a.py',
    'b.py',
    'markers.md',
  ]);
});

test('without a scope only what the task names is shown, and the map of all', async () => {
  const { shown, text } = await gather({ prompt: 'Move ./b.py to lib/b.py.' });
  expect(shown).toEqual(['b.py']);
  expect(text).toContain('content of b');
  expect(text).not.toContain('content of a');
  expect(text).toContain('\na.py\n');
});

test('secrets, ignored files, bytes and what is not there are named and never shown', async () => {
  const present = ['key.py', 'config/.env.local', 'private.log', 'bytes.bin', 'none.py', 'a.py'];
  const { shown, leftOut, text } = await gather({ present });
  expect(shown).toEqual(['a.py']);
  expect(leftOut.map(({ path }) => path)).toEqual(present.slice(0, -1));
  for (const secret of ['AAAA', 'SECRET=1', 'private\n']) expect(text).not.toContain(secret);
});

test('a large file is shown in part; what does not fit is named; smaller ones after it still come', async () => {
  const { shown, leftOut, text } = await gather({ present: ['large.py', 'a.py'], budgetBytes: 20_000 });
  expect(shown).toEqual(['large.py', 'a.py']);
  expect(text).toContain('READ: large.py lines N-M');
  expect(text).toContain('1| line 0 of it');
  expect(leftOut).toEqual([]);
  expect(Buffer.byteLength(text)).toBeLessThan(22_000);
  const tight = await gather({
    present: ['a.py', 'large.py', 'b.py'],
    budgetBytes: 4_100,
    prompt: 'x'.repeat(9),
  });
  expect(tight.shown).toContain('b.py');
});

test('a file with markers is shown between longer ones', async () => {
  const { text } = await gather({ present: ['markers.md'] });
  expect(text).toContain('<<<<<<<< WHOLE FILE\n<<<<<<< SEARCH\n=======\n>>>>>>>> WHOLE FILE');
});

test('files to create are named', async () => {
  expect((await gather({ toCreate: ['new/x.py'] })).text).toContain('# Files to create\n\nnew/x.py');
});

test('the map of a large tree names folders, within its bound', () => {
  const paths = Array.from({ length: 50_000 }, (_, at) => `top/${at % 100}/${at % 7}/file-${at}.py`);
  const map = treeMap(paths, 16 * 1024);
  expect(Buffer.byteLength(map)).toBeLessThanOrEqual(16 * 1024);
  expect(map).toContain('top/5/');
  expect(
    Buffer.byteLength(
      treeMap(
        Array.from({ length: 9_000 }, (_, at) => `file-${at}`),
        16 * 1024,
      ),
    ),
  ).toBeLessThan(17_000);
  expect(treeMap(['a\nb', 'c'], 100)).toBe('c');
});
