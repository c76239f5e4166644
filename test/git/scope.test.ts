import { chmod, lstat, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../lib/git/checkpoint.ts';
import { scopeMatcher } from '../../lib/protocol/scope.ts';
import {
  checkpoint,
  countGitCalls,
  filesIn,
  folder,
  isolate,
  prepare,
  put,
  type Repo,
  reaches,
  repository,
  sh,
} from './repo.ts';

isolate();

const FILES = { 'src/a.ts': 'a\n', 'docs/d.md': 'd\n', 'top.txt': 'top\n', '.gitignore': '*.log\ndeps/\n' };
const SALVAGE = 'refs/orch/salvage/WS-1/1';

type Found = Checkpoint & { told: string[]; kept: string | null };

/** A checkpoint within a scope; `told` is what the worker would report, in order. */
async function within(
  repo: Repo,
  path: string,
  entries: string[],
  options: Partial<Parameters<typeof checkpoint>[2]> & { takesOut?: boolean } = {},
): Promise<Omit<Found, 'kept'>> {
  let told: string[] = [];
  const scope = { isInside: scopeMatcher(entries), takesOut: options.takesOut ?? true };
  const made = await checkpoint(repo, path, {
    ...options,
    scope,
    beforeMove: async ({ outside, salvaged }) => {
      told = outside
        .map(({ change, path: name, from }) => `${change} ${from ? `${from} > ` : ''}${name}`)
        .sort();
      // What is told of is safe already, and the branch has not moved.
      if (salvaged !== null) expect(await sh(repo.root, 'rev-parse', SALVAGE)).toBe(salvaged);
    },
  });
  return { ...made, told };
}

/** Commit, index and files are the same; nothing that is not ignored stands beside them. */
async function expectExact(repo: Repo, path: string, commit: string): Promise<void> {
  expect(await sh(repo.root, 'rev-parse', 'orch/WS-1', 'refs/orch/checkpoint/WS-1')).toBe(
    `${commit}\n${commit}`,
  );
  expect(await sh(path, 'rev-parse', 'HEAD')).toBe(commit);
  await sh(path, 'update-index', '-q', '--really-refresh');
  expect(await sh(path, 'status', '--porcelain', '--untracked-files=all')).toBe('');
}

async function commitAll(path: string, files: Record<string, string>): Promise<string> {
  await put(path, files);
  await sh(path, 'add', '-A');
  await sh(path, 'commit', '--quiet', '--allow-empty', '-m', 'by a tool');
  return await sh(path, 'rev-parse', 'HEAD');
}

describe('a scope that is enforced', () => {
  test('keeps what is inside, takes out what is not, and salvages the whole first', async () => {
    const repo = await repository(FILES);
    const exclude = ['copied'];
    const { path } = await prepare(repo, { exclude });
    await put(path, {
      'src/a.ts': 'A\n',
      'src/new/b.ts': 'b\n',
      'docs/d.md': 'D\n',
      'out/deep/o.txt': 'o\n',
    });
    await put(path, { copied: 'SECRET', 'x.log': 'ignored', 'deps/lib.js': 'library' });
    await rm(join(path, 'top.txt'));
    const { commit, salvaged, told, changed } = await within(repo, path, ['src/'], { exclude });
    expect(told).toEqual(['added out/deep/o.txt', 'deleted top.txt', 'modified docs/d.md']);
    expect(changed).toBe(true);
    expect(await filesIn(repo.root, commit)).toEqual({ ...FILES, 'src/a.ts': 'A\n', 'src/new/b.ts': 'b\n' });
    const { 'top.txt': _, ...rest } = FILES;
    const all = { 'src/a.ts': 'A\n', 'src/new/b.ts': 'b\n', 'docs/d.md': 'D\n', 'out/deep/o.txt': 'o\n' };
    expect(await filesIn(repo.root, salvaged ?? '')).toEqual({ ...rest, ...all });
    expect(await readFile(join(path, 'top.txt'), 'utf8')).toBe('top\n');
    expect(await readFile(join(path, 'deps/lib.js'), 'utf8')).toBe('library');
    await expect(lstat(join(path, 'out'))).rejects.toThrow('ENOENT');
    expect(await sh(path, 'status', '--porcelain')).toBe('?? copied');
    await rm(join(path, 'copied'));
    await expectExact(repo, path, commit);
  });

  test('with all inside makes no salvage, and with nothing inside an empty checkpoint', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await put(path, { 'src/b.ts': 'b' });
    expect(await within(repo, path, ['src'])).toMatchObject({ told: [], salvaged: null, changed: true });
    await put(path, { 'o.txt': 'o' });
    const { commit, changed, told } = await within(repo, path, ['src']);
    expect([changed, told]).toEqual([false, ['added o.txt']]);
    await expectExact(repo, path, commit);
  });

  test('a rename across the border goes whole, even with an edit; one inside stays', async () => {
    const text = Array.from({ length: 30 }, (_, n) => `line ${n}\n`).join('');
    const files = { ...FILES, 'src/x.ts': text, 'docs/y.md': `${text}y\n`, 'src/z.ts': `z\n${text}` };
    const repo = await repository(files);
    const { path } = await prepare(repo);
    await rename(join(path, 'src/x.ts'), join(path, 'docs/x.ts'));
    await writeFile(join(path, 'docs/x.ts'), `${text}edited\n`);
    await rename(join(path, 'docs/y.md'), join(path, 'src/y.md'));
    await rename(join(path, 'src/z.ts'), join(path, 'src/z2.ts'));
    const { commit, told } = await within(repo, path, ['src/**']);
    expect(told).toEqual(['renamed docs/y.md > src/y.md', 'renamed src/x.ts > docs/x.ts']);
    const { 'src/z.ts': z = '', ...rest } = files;
    expect(await filesIn(repo.root, commit)).toEqual({ ...rest, 'src/z2.ts': z });
    await expectExact(repo, path, commit);
  });

  test('a rename that changes only the case of a name leaves the scope of that name', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await sh(path, 'mv', 'src/a.ts', 'src/A.ts');
    const { commit, told } = await within(repo, path, ['src/a.ts']);
    expect(told).toEqual(['renamed src/a.ts > src/A.ts']);
    expect(await filesIn(repo.root, commit)).toEqual(FILES);
    await expectExact(repo, path, commit);
  });

  test('names of any kind come back and go', async () => {
    const odd = ['new\nline', ' space ', '*', '[a]', ':(top)x', '-dash', '"quoted"', 'ünï', '\ttab'];
    const named = (folder: string, text: string) =>
      Object.fromEntries(odd.map((name) => [`${folder}/${name}`, text]));
    const repo = await repository({ ...FILES, ...named('docs', '1'), ...named('src', '1') });
    const { path } = await prepare(repo);
    const bytes = (at: string): Buffer =>
      Buffer.concat([Buffer.from(`${path}/${at}/`), Buffer.from([0xff, 0xfe])]);
    await put(path, { ...named('docs', '2'), ...named('src', '2'), ...named('out', '2') });
    await writeFile(bytes('out'), 'bytes');
    await writeFile(bytes('src'), 'bytes');
    const { commit, told } = await within(repo, path, ['src']);
    expect(told).toHaveLength(2 * odd.length + 1);
    expect(told).toContain('modified docs/new\nline');
    for (const name of odd) {
      expect(await sh(repo.root, 'cat-file', 'blob', `${commit}:docs/${name}`)).toBe('1');
      expect(await sh(repo.root, 'cat-file', 'blob', `${commit}:src/${name}`)).toBe('2');
    }
    expect(await sh(repo.root, 'ls-tree', '-r', '--name-only', commit, 'src/')).toContain('"src/\\377\\376"');
    expect(await sh(repo.root, 'ls-tree', '-r', '--name-only', SALVAGE, 'out/')).toContain(
      '"out/\\377\\376"',
    );
    await expectExact(repo, path, commit);
  });

  test('modes and links are changes like others', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await chmod(join(path, 'top.txt'), 0o755);
    await chmod(join(path, 'src/a.ts'), 0o755);
    await rm(join(path, 'docs/d.md'));
    await symlink('/etc/passwd', join(path, 'docs/d.md'));
    const { commit, told } = await within(repo, path, ['src']);
    expect(told).toEqual(['modified docs/d.md', 'modified top.txt']);
    const modes = (await sh(repo.root, 'ls-tree', '-r', commit)).split('\n').map((row) => row.slice(0, 6));
    expect(modes).toEqual(['100644', '100644', '100755', '100644']);
    expect((await lstat(join(path, 'docs/d.md'))).isFile()).toBe(true);
    await expectExact(repo, path, commit);
  });

  test('a link in the place of a folder is not followed', async () => {
    const away = await folder();
    await put(away, { 'd.md': 'the user’s', 'a.ts': 'the user’s' });
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    for (const name of ['src', 'docs']) {
      await rm(join(path, name), { recursive: true });
      await symlink(away, join(path, name));
    }
    const { commit, told } = await within(repo, path, ['src/']);
    expect(told).toEqual(['added docs', 'deleted docs/d.md']);
    expect(await filesIn(repo.root, commit)).toEqual({
      '.gitignore': FILES['.gitignore'],
      'docs/d.md': 'd\n',
      'top.txt': 'top\n',
      src: away,
    });
    expect(await readlink(join(path, 'src'))).toBe(away);
    expect((await lstat(join(path, 'docs'))).isDirectory()).toBe(true);
    expect(await readFile(join(away, 'd.md'), 'utf8')).toBe('the user’s');
    expect(await readFile(join(away, 'a.ts'), 'utf8')).toBe('the user’s');
    await expectExact(repo, path, commit);
  });

  test('a file where a folder comes back goes with it', async () => {
    const repo = await repository({ ...FILES, 'x/in.ts': 'i', 'x/out.md': 'o' });
    const { path } = await prepare(repo);
    await rm(join(path, 'x'), { recursive: true });
    await rm(join(path, 'top.txt'));
    await put(path, { x: 'a file', 'top.txt/in.ts': 'b' });
    const { commit, told } = await within(repo, path, ['**/*.ts', 'x/in.ts', '{x,y}']);
    expect(told).toEqual(['deleted top.txt', 'deleted x/out.md', 'in_the_way top.txt/in.ts', 'in_the_way x']);
    expect(await filesIn(repo.root, commit)).toEqual({ ...FILES, 'x/out.md': 'o' });
    await expectExact(repo, path, commit);
  });
});

describe('commits of a tool', () => {
  test('stay on the branch if each is inside', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    const tool = await commitAll(path, { 'src/b.ts': 'b' });
    const { commit, told } = await within(repo, path, ['src']);
    expect(told).toEqual([]);
    expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(tool);
  });

  test('leave the branch if one is not, and stay reachable', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    const first = await commitAll(path, { 'src/b.ts': 'b' });
    const second = await commitAll(path, { 'src/c.ts': 'c', 'out.txt': 'o' });
    await put(path, { 'loose.txt': 'l', 'src/d.ts': 'd' });
    const { commit, told } = await within(repo, path, ['src']);
    expect(told).toEqual(['added loose.txt', 'added out.txt']);
    expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(repo.base);
    expect(await filesIn(repo.root, commit)).toEqual({
      ...FILES,
      'src/b.ts': 'b',
      'src/c.ts': 'c',
      'src/d.ts': 'd',
    });
    for (const one of [first, second]) {
      expect(await reaches(repo.root, SALVAGE, one)).toBe(true);
      expect(await reaches(repo.root, commit, one)).toBe(false);
    }
    expect((await filesIn(repo.root, SALVAGE))['loose.txt']).toBe('l');
    await expectExact(repo, path, commit);
  });

  test('leave the branch if one was not, although a later one undid it', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    const secret = await commitAll(path, { 'secret.txt': 's' });
    await rm(join(path, 'secret.txt'));
    await commitAll(path, { 'src/b.ts': 'b' });
    const { commit, told, salvaged } = await within(repo, path, ['src']);
    expect(told).toEqual(['undone secret.txt']);
    expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(repo.base);
    expect(await reaches(repo.root, salvaged ?? '', secret)).toBe(true);
    await expectExact(repo, path, commit);
  });

  test('that merge count by what they are made of', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await sh(path, 'switch', '--quiet', '-c', 'side');
    await commitAll(path, { 'src/side.ts': 's' });
    await sh(path, 'switch', '--quiet', 'orch/WS-1');
    await commitAll(path, { 'src/main.ts': 'm' });
    await sh(path, 'merge', '--quiet', '--no-edit', 'side');
    const tool = await sh(path, 'rev-parse', 'HEAD');
    const one = await within(repo, path, ['src']);
    expect([one.told, await sh(repo.root, 'rev-parse', `${one.commit}^`)]).toEqual([[], tool]);
    await sh(path, 'switch', '--quiet', 'side');
    await commitAll(path, { 'out.txt': 'o' });
    await sh(path, 'switch', '--quiet', 'orch/WS-1');
    await commitAll(path, { 'src/more.ts': 'm' });
    await sh(path, 'merge', '--quiet', '--no-edit', 'side');
    const two = await within(repo, path, ['src']);
    expect([two.told, await sh(repo.root, 'rev-parse', `${two.commit}^`)]).toEqual([
      ['added out.txt'],
      one.commit,
    ]);
    await expectExact(repo, path, two.commit);
  });
});

describe('what git itself judges by', () => {
  test('a .gitignore outside that is emptied does not cost what it ignored', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await put(path, {
      'deps/lib.js': 'library',
      '.gitignore': '',
      'src/b.ts': 'b',
      'x.log': 'x',
      'o.txt': 'o',
    });
    const { commit, told } = await within(repo, path, ['src']);
    expect(told).toEqual(['added o.txt', 'modified .gitignore']);
    expect(await readFile(join(path, 'deps/lib.js'), 'utf8')).toBe('library');
    expect(await readFile(join(path, 'x.log'), 'utf8')).toBe('x');
    expect(await filesIn(repo.root, commit)).toEqual({ ...FILES, 'src/b.ts': 'b' });
    await expectExact(repo, path, commit);
  });

  test('a .gitignore outside hides nothing, neither inside nor outside', async () => {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await put(path, {
      '.gitignore': 'hidden*\n',
      'src/hidden.ts': 'h',
      'hidden/.gitignore': 'x',
      'hidden/x': 'x',
    });
    const { commit, told } = await within(repo, path, ['src']);
    expect(told).toEqual(expect.arrayContaining(['modified .gitignore', 'added hidden/.gitignore']));
    expect(told).toContain('added hidden/x');
    expect(await filesIn(repo.root, commit)).toEqual({ ...FILES, 'src/hidden.ts': 'h' });
    expect((await filesIn(repo.root, SALVAGE))['hidden/x']).toBe('x');
    await expectExact(repo, path, commit);
  });

  test('files that git would always change are not the work of the tool', async () => {
    const repo = await repository({ ...FILES, 'crlf.txt': 'a\r\nb\r\n' });
    await put(repo.root, { '.gitattributes': '*.txt text\n' });
    await sh(repo.root, 'add', '.gitattributes');
    await sh(repo.root, 'commit', '--quiet', '-m', 'attributes');
    const base = await sh(repo.root, 'rev-parse', 'HEAD');
    const { path } = await prepare({ ...repo, base });
    await put(path, { 'src/b.ts': 'b', 'crlf.txt': 'a\r\nb\r\n' });
    const { commit, told } = await within({ ...repo, base }, path, ['src']);
    expect(told).toEqual([]);
    expect(await sh(repo.root, 'diff', '--name-only', base, commit)).toBe('src/b.ts');
  });

  test('a submodule outside is put back, its edits and commits are not lost', async () => {
    const library = await repository({ 'lib.txt': '1\n' });
    const repo = await repository(FILES);
    await sh(
      repo.root,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      '--quiet',
      'add',
      library.root,
      'vendor/lib',
    );
    await sh(repo.root, 'commit', '--quiet', '-m', 'submodule');
    const base = await sh(repo.root, 'rev-parse', 'HEAD');
    const here = { ...repo, base };
    const { path } = await prepare(here);
    await sh(path, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'update', '--init');
    const before = await sh(join(path, 'vendor/lib'), 'rev-parse', 'HEAD');
    const tool = await commitAll(join(path, 'vendor/lib'), { 'lib.txt': '2\n' });
    await put(path, { 'src/b.ts': 'b', 'vendor/lib/loose.txt': 'l' });
    const one = await within(here, path, ['src']);
    expect(one.told).toEqual(['modified vendor/lib']);
    expect(await sh(repo.root, 'ls-tree', one.commit, 'vendor/lib')).toContain(before);
    expect(await sh(join(path, 'vendor/lib'), 'rev-parse', 'HEAD')).toBe(before);
    expect(await readFile(join(path, 'vendor/lib/loose.txt'), 'utf8')).toBe('l');
    await sh(join(path, 'vendor/lib'), 'cat-file', '-e', tool);
    expect((await within(here, path, ['src'])).told).toEqual([]);
    await sh(join(path, 'vendor/lib'), 'checkout', '--quiet', tool);
    expect((await within(here, path, ['vendor/'])).told).toEqual([]);
    expect(await sh(repo.root, 'ls-tree', 'orch/WS-1', 'vendor/lib')).toContain(tool);
  });

  test('a submodule whose .git leads to a checkout of the user moves nothing there', async () => {
    const library = await repository({ 'lib.txt': '1\n' });
    const repo = await repository(FILES);
    await sh(
      repo.root,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      '--quiet',
      'add',
      library.root,
      'lib',
    );
    await sh(repo.root, 'commit', '--quiet', '-m', 'submodule');
    const here = { ...repo, base: await sh(repo.root, 'rev-parse', 'HEAD') };
    const { path } = await prepare(here);
    const later = await commitAll(library.root, { 'lib.txt': '2\n' });
    await put(path, { 'lib/.git': `gitdir: ${library.root}/.git\n` });
    expect((await within(here, path, ['src'])).told).toEqual(['modified lib']);
    expect(await sh(library.root, 'rev-parse', 'HEAD')).toBe(later);
    expect(await sh(library.root, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
  });
});

test('a scope that only warns keeps all and tells of it', async () => {
  const repo = await repository(FILES);
  const { path } = await prepare(repo);
  const tool = await commitAll(path, { 'out.txt': 'o' });
  await put(path, { 'src/b.ts': 'b', 'top.txt': 'T' });
  const { commit, told, salvaged } = await within(repo, path, ['src'], { takesOut: false });
  expect([told, salvaged]).toEqual([['added out.txt', 'modified top.txt'], null]);
  expect(await filesIn(repo.root, commit)).toEqual({
    ...FILES,
    'out.txt': 'o',
    'src/b.ts': 'b',
    'top.txt': 'T',
  });
  expect(await sh(repo.root, 'rev-parse', `${commit}^`)).toBe(tool);
});

test('10,000 files outside take no more git calls than one', async () => {
  const counts: number[] = [];
  for (const count of [1, 10_000]) {
    const repo = await repository(FILES);
    const { path } = await prepare(repo);
    await put(path, { 'src/b.ts': 'b' });
    await mkdir(join(path, 'out'));
    for (let n = 0; n < count; n += 1) await writeFile(join(path, `out/${n}`), `${n}\n`);
    const { calls, result } = await countGitCalls(() => within(repo, path, ['src']));
    expect(result.told).toHaveLength(count);
    counts.push(calls);
    await expectExact(repo, path, result.commit);
  }
  expect(counts[0]).toBeGreaterThan(5);
  expect(counts[1]).toBe(counts[0]);
}, 120_000);
