import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesOfScope } from '../../lib/git/task-files.ts';
import { isolate, prepare, put, repository, sh } from './repo.ts';

isolate();

const scopeOf = (files_scope: string[], files_create: string[] = []) => ({
  id: 'WS-1',
  files_scope,
  files_create,
});

test('files come in the order of the plan, each once, and only what git tracks', async () => {
  const repo = await repository({
    'src/b.ts': '',
    'src/a.ts': '',
    'src/deep/c.ts': '',
    'docs/d.md': '',
    'e[1].txt': '',
    '.gitignore': '*.log\n',
  });
  const { path } = await prepare(repo);
  await put(path, { 'src/x.log': '', 'src/new.ts': '' });
  const found = await filesOfScope(
    repo.root,
    scopeOf(
      ['src/deep/', 'docs/*.md', 'src', 'e[1].txt'],
      ['src/a.ts', 'made/new.ts', 'made/*.ts', './made/', 'src'],
    ),
    repo.base,
    [],
  );
  expect(found).toEqual({
    present: ['src/deep/c.ts', 'docs/d.md', 'src/a.ts', 'src/b.ts', 'e[1].txt'],
    toCreate: ['made/new.ts'],
    total: 5,
  });
});

test('nothing that a link leads to, that was copied in, or that is gone', async () => {
  const repo = await repository({
    'src/a.ts': 'a',
    'src/b.ts': 'b',
    'lib/c.ts': 'c',
    '.env': 'S=1\n',
    'src/gone.ts': '',
  });
  await symlink('/etc/passwd', join(repo.root, 'src/link.ts'));
  await sh(repo.root, 'add', '-A');
  await sh(repo.root, 'commit', '-q', '-m', 'link');
  const base = await sh(repo.root, 'rev-parse', 'HEAD');
  const { path } = await prepare({ ...repo, base });
  await rm(join(path, 'lib'), { recursive: true });
  await symlink('/etc', join(path, 'lib'));
  await rm(join(path, 'src/b.ts'));
  await symlink('/etc/passwd', join(path, 'src/b.ts'));
  await rm(join(path, 'src/gone.ts'));
  const found = await filesOfScope(repo.root, scopeOf(['.'], ['lib/c.ts']), base, ['.env']);
  expect(found.present).toEqual(['src/a.ts']);
  expect(found.toCreate).toEqual([]);
});

test('very many files are cut, and counted', async () => {
  const files = Object.fromEntries(Array.from({ length: 1_200 }, (_, n) => [`s/${n}.txt`, '']));
  const repo = await repository(files);
  await prepare(repo);
  const { present, total } = await filesOfScope(repo.root, scopeOf(['s/**']), repo.base, []);
  expect([present.length, total]).toEqual([1_000, 1_200]);
});

test('without a scope there are none', async () => {
  const repo = await repository();
  expect(await filesOfScope(repo.root, scopeOf([]), repo.base, [])).toEqual({
    present: [],
    toCreate: [],
    total: 0,
  });
});
