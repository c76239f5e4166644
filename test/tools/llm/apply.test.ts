import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { viewOf, visibleFiles } from '../../../lib/git/visible.ts';
import { scopeMatcher } from '../../../lib/protocol/scope.ts';
import { readAnswer } from '../../../lib/tools/llm/answer.ts';
import type { EditFault } from '../../../lib/tools/llm/apply.ts';
import { changesFor } from '../../../lib/tools/llm/changes.ts';
import { writeChanges } from '../../../lib/tools/llm/write.ts';
import { isolate, sh } from '../../git/repo.ts';
import { block, repositoryWith, whole } from './bench.ts';

/** What the edits of an answer make of a real worktree, and what they are not allowed to. */

isolate();

let worktree = '';

beforeEach(async () => {
  worktree = await repositoryWith({
    'src/a.py': 'one\ntwo\nthree\n',
    'src/b.py': 'bee\n',
    'pkg/x.py': 'x\n',
    'pkg/sub/y.py': 'y\n',
    'README.md': 'hello\n',
    '.gitignore': 'build/\n*.log\n',
  });
});

afterEach(() => rmSync(worktree, { recursive: true }));

const at = (path: string): string => join(worktree, path);
const read = (path: string): string => readFileSync(at(path), 'utf8');

/** Carries an answer out; the faults where there are any. */
async function carryOut(text: string, scope?: string[], isSeen = true): Promise<EditFault[]> {
  const answer = readAnswer(text);
  expect(answer.faults).toEqual([]);
  const isInside = scope === undefined ? () => true : scopeMatcher(scope);
  const changes = await changesFor(answer.edits, await viewOf(worktree, undefined, undefined), {
    isInside,
    isSeen: () => isSeen,
  });
  if (!Array.isArray(changes)) return changes.faults;
  writeChanges(worktree, changes);
  return [];
}

const status = async (): Promise<string[]> =>
  (await sh(worktree, 'status', '--porcelain', '--untracked-files=all'))
    .split('\n')
    .filter((row) => row !== '');

test('blocks of one answer build on each other; what is not named stays', async () => {
  const text = [
    block('src/a.py', 'one', '1'),
    block('src/a.py', '1\ntwo', '1\n2'),
    whole('src/new/deep.py', 'new'),
    block('src/empty.py', '', 'made'),
  ].join('\n');
  expect(await carryOut(text)).toEqual([]);
  expect([read('src/a.py'), read('src/new/deep.py'), read('src/empty.py')]).toEqual([
    '1\n2\nthree\n',
    'new\n',
    'made\n',
  ]);
  expect(await status()).toHaveLength(3);
});

test('one edit that does not fit, and nothing is written', async () => {
  const faults = await carryOut(
    whole('src/new.py', 'x') + block('src/a.py', 'one', '1') + block('src/b.py', 'no', 'x'),
  );
  expect(faults).toMatchObject([{ path: 'src/b.py', miss: { search: ['no'] } }]);
  expect(await status()).toEqual([]);
});

test('a file is moved and edited in one answer; a folder is moved with all that git knows of it', async () => {
  mkdirSync(at('pkg/build'));
  writeFileSync(at('pkg/build/out.bin'), 'ignored');
  const text = ['MOVE: src/a.py -> lib/a.py', block('lib/a.py', 'one', '1'), 'MOVE: pkg -> lib/pkg'].join(
    '\n',
  );
  expect(await carryOut(text)).toEqual([]);
  expect([read('lib/a.py'), read('lib/pkg/x.py'), read('lib/pkg/sub/y.py')]).toEqual([
    '1\ntwo\nthree\n',
    'x\n',
    'y\n',
  ]);
  expect([existsSync(at('src/a.py')), existsSync(at('pkg/x.py')), existsSync(at('pkg/sub'))]).toEqual([
    false,
    false,
    false,
  ]);
  // What git ignores is not the model's to move.
  expect(read('pkg/build/out.bin')).toBe('ignored');
});

test('a file that is no text is moved as it is, with its mode', async () => {
  const bytes = Buffer.from([0, 255, 1, 254]);
  writeFileSync(at('src/tool.bin'), bytes);
  chmodSync(at('src/tool.bin'), 0o755);
  expect(await carryOut('MOVE: src/tool.bin -> bin/')).toEqual([]);
  expect(readFileSync(at('bin/tool.bin')).equals(bytes)).toBe(true);
  expect(statSync(at('bin/tool.bin')).mode & 0o777).toBe(0o755);
});

test('a moved file leaves room for a new one in its place', async () => {
  expect(await carryOut(`MOVE: src/b.py -> src/c.py\n${whole('src/b.py', 'new bee')}`)).toEqual([]);
  expect([read('src/c.py'), read('src/b.py')]).toEqual(['bee\n', 'new bee\n']);
});

test('files and folders are removed, and folders that are empty then', async () => {
  expect(await carryOut('DELETE: pkg/\nDELETE: src/b.py')).toEqual([]);
  expect([existsSync(at('pkg')), existsSync(at('src/b.py')), existsSync(at('src/a.py'))]).toEqual([
    false,
    false,
    true,
  ]);
});

test('modes are kept; a new script can be run', async () => {
  chmodSync(at('src/b.py'), 0o755);
  const text =
    block('src/b.py', 'bee', 'wasp') + whole('run.sh', '#!/bin/sh\necho') + whole('plain.txt', 'x');
  expect(await carryOut(text)).toEqual([]);
  expect(statSync(at('src/b.py')).mode & 0o777).toBe(0o755);
  expect(statSync(at('run.sh')).mode & 0o100).toBe(0o100);
  expect(statSync(at('plain.txt')).mode & 0o100).toBe(0);
});

test('a file that the model has not seen is not written anew; a new or an empty one is', async () => {
  writeFileSync(at('src/empty.py'), '');
  expect(await carryOut(whole('src/a.py', 'x'), undefined, false)).toHaveLength(1);
  const moved = `MOVE: src/b.py -> src/c.py\n${whole('src/c.py', 'x')}`;
  expect(await carryOut(moved, undefined, false)).toHaveLength(1);
  expect(await carryOut(whole('src/empty.py', 'x') + whole('src/new.py', 'x'), undefined, false)).toEqual([]);
});

test('an answer that changes nothing writes nothing', async () => {
  const before = statSync(at('src/b.py'), { bigint: true });
  expect(await carryOut(block('src/b.py', 'bee', 'bee') + whole('README.md', 'hello'))).toEqual([]);
  expect(statSync(at('src/b.py'), { bigint: true }).ino).toBe(before.ino);
  expect(await status()).toEqual([]);
});

test.each([
  ['a file that is not there', block('src/none.py', 'a', 'b')],
  ['an empty search in a file with text', block('src/a.py', '', 'x')],
  ['a folder', whole('src', 'x')],
  ['below a file', whole('README.md/x', 'x')],
  ['a file that would be a folder', whole('n', 'x') + whole('n/m', 'x')],
  ['over another file', 'MOVE: src/a.py -> src/b.py'],
  ['over a folder', 'MOVE: src/a.py -> pkg'],
  ['nothing to move', 'MOVE: src/none.py -> x.py'],
  ['nothing to remove', 'DELETE: none'],
  ['a file twice removed', 'DELETE: src/a.py\nDELETE: src/a.py'],
  ['an edit of what was removed', `DELETE: src/a.py\n${block('src/a.py', 'one', '1')}`],
  ['fences around the content', whole('src/f.py', '```python\nx\n```')],
  ['what git ignores', whole('build/out.py', 'x')],
  ['what git ignores, by name', whole('src/x.log', 'x')],
  ['a move to what git ignores', 'MOVE: src/a.py -> build/a.py'],
  ['git itself', whole('.git/hooks/pre-commit', 'x')],
  ['git itself in capitals', whole('.GIT/config', 'x')],
  ['git itself with a hidden character', whole('.g\u200cit/config', 'x')],
  ['git in a folder', whole('src/.git/config', 'x')],
  ['a file named .git', whole('sub/.git', 'gitdir: /tmp')],
  ['the folders of orch', whole('.status/a.json', 'x')],
  ['a secret', whole('.env', 'x')],
  ['up', whole('../x', 'x')],
  ['up, in the middle', whole('src/../../x', 'x')],
  ['from the top', whole('/tmp/orch-owned', 'x')],
  ['a drive', whole('C:/x', 'x')],
  ['a backslash', whole('src\\x', 'x')],
  ['a very long name', whole('x'.repeat(300), 'x')],
  ['a control character', whole('a\u001bb', 'x')],
  ['nothing', 'DELETE: `./`'],
  ['the top', 'DELETE: .'],
  ['a move from outside', 'MOVE: ../x -> y'],
  ['a move to outside', 'MOVE: src/a.py -> ../y'],
])('refused, and nothing is changed: %s', async (_, text) => {
  expect((await carryOut(text)).length).toBeGreaterThan(0);
  expect(await status()).toEqual([]);
});

test('links are neither followed nor replaced, whatever part of the path they are', async () => {
  const outside = `${worktree}.outside`;
  mkdirSync(outside);
  writeFileSync(join(outside, 'f.txt'), 'theirs\n');
  symlinkSync(outside, at('out'));
  symlinkSync(join(outside, 'f.txt'), at('f.txt'));
  symlinkSync(at('src'), at('inner'));
  for (const text of [
    whole('out/f.txt', 'mine'),
    whole('out/new.txt', 'mine'),
    whole('f.txt', 'mine'),
    block('f.txt', 'theirs', 'mine'),
    block('inner/a.py', 'one', '1'),
    'DELETE: f.txt',
    'DELETE: out',
    'MOVE: f.txt -> g.txt',
    'MOVE: src/a.py -> out/a.py',
    'MOVE: out/f.txt -> g.txt',
  ]) {
    expect([text, (await carryOut(text)).length]).not.toEqual([text, 0]);
  }
  expect(readFileSync(join(outside, 'f.txt'), 'utf8')).toBe('theirs\n');
  expect(readdirSync(outside)).toEqual(['f.txt']);
  expect([lstatSync(at('f.txt')).isSymbolicLink(), read('src/a.py')]).toEqual([true, 'one\ntwo\nthree\n']);
  rmSync(outside, { recursive: true });
});

test('another repository in the worktree is not touched', async () => {
  await sh(worktree, 'init', '--quiet', 'sub');
  expect(await carryOut(whole('sub/x.py', 'x'))).toHaveLength(1);
  expect(await carryOut('DELETE: sub')).toHaveLength(1);
  expect(await carryOut('MOVE: sub -> other')).toHaveLength(1);
});

test('both ends of a move, and each file of a folder, must be in the scope', async () => {
  expect(await carryOut('MOVE: src/a.py -> lib/a.py', ['src'])).toHaveLength(1);
  expect(await carryOut('MOVE: README.md -> src/R.md', ['src'])).toHaveLength(1);
  expect(await carryOut('DELETE: pkg', ['pkg/sub'])).toHaveLength(1);
  expect(await status()).toEqual([]);
  expect(await carryOut('DELETE: pkg', ['pkg/**'])).toEqual([]);
});

test('a link that comes between check and write is seen, and nothing is left lying', async () => {
  const view = await viewOf(worktree, undefined, undefined);
  const { edits } = readAnswer(whole('new/a.py', 'x') + whole('src/a.py', 'y'));
  const changes = await changesFor(edits, view, { isInside: () => true, isSeen: () => true });
  if (!Array.isArray(changes)) throw new Error('refused');
  rmSync(at('src'), { recursive: true });
  symlinkSync(at('pkg'), at('src'));
  expect(() => writeChanges(worktree, changes)).toThrow(expect.objectContaining({ code: 'BUSY' }));
  expect(existsSync(at('new'))).toBe(false);
  expect(readdirSync(at('pkg')).sort()).toEqual(['sub', 'x.py']);
});

test.skipIf(process.getuid?.() === 0)('a folder that cannot be written to costs nothing', async () => {
  chmodSync(at('src'), 0o555);
  const text = whole('new/a.py', 'x') + block('src/a.py', 'one', '1');
  await expect(carryOut(text)).rejects.toMatchObject({ code: 'IO' });
  chmodSync(at('src'), 0o755);
  expect(await status()).toEqual([]);
});

test('what a model may see is what git would commit', async () => {
  writeFileSync(at('note.log'), 'x');
  writeFileSync(at('untracked.py'), 'x');
  rmSync(at('src/b.py'));
  await sh(worktree, 'init', '--quiet', 'sub');
  const view = { ...(await viewOf(worktree, undefined, undefined)), exclude: new Set(['pkg']) };
  expect(await visibleFiles(view)).toEqual(['.gitignore', 'README.md', 'src/a.py', 'untracked.py']);
});
