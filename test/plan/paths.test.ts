import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyFault, pathFault, tidyPath } from '../../lib/plan/paths.ts';
import { folderWith } from './scratch.ts';

test.each([
  'src',
  'src/',
  './src',
  'a/b.py',
  '**/*.ts',
  'src/{a,b}/*',
  '.github/workflows/',
  '.gitignore',
  '...',
  'a..b',
  '.',
])('%j stays inside', (path) => {
  expect(pathFault(path)).toBeNull();
});

test.each([
  '',
  '/etc/passwd',
  '..',
  '../x',
  'a/../../x',
  'a/..',
  '{a,..}/x',
  'a\\..\\b',
  'C:/x',
  '~/x',
  '~',
  'a\0b',
  'a\nb',
  '.git',
  '.git/config',
  'sub/.GIT/hooks',
  '{.git,x}/y',
  '!src',
  ':(top)x',
])('%j does not', (path) => {
  expect(pathFault(path)).toMatch(/^must /);
});

test('tidied paths keep the slash that says folder', () => {
  expect(['./src//a/', 'src', './'].map(tidyPath)).toEqual(['src/a/', 'src', './']);
});

test('copy: absent and inside are fine, links out are not', async () => {
  const root = await folderWith({ '.env': 'A=1', 'real/deep/x': '1' });
  const outside = await folderWith({ secret: 's' });
  await mkdir(join(root, '.git'));
  await symlink(join(outside, 'secret'), join(root, 'leak'));
  await symlink(outside, join(root, 'out'));
  await symlink('real/deep', join(root, 'alias'));
  await symlink('nowhere', join(root, 'dangling'));
  await symlink('loop', join(root, 'loop'));
  await symlink('.git', join(root, 'git'));
  for (const name of ['.env', 'absent', 'absent/more', 'real/', 'alias/x', '.env/x']) {
    expect([name, await copyFault(root, name)]).toEqual([name, null]);
  }
  for (const name of ['leak', 'out/secret', 'out', 'dangling', 'loop', '.', './', 'git']) {
    expect([name, await copyFault(root, name)]).toEqual([name, expect.stringMatching(/^must /)]);
  }
});

test('copy: the root itself may be reached through a link', async () => {
  const root = await folderWith({ 'real/.env': 'A=1' });
  await symlink('real', join(root, 'link'));
  expect(await copyFault(join(root, 'link'), '.env')).toBeNull();
});
