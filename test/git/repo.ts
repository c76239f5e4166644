import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll } from 'vitest';
import { readCheckpoints } from '../../lib/git/chain.ts';
import { type Checkpoint, commitCheckpoint } from '../../lib/git/checkpoint.ts';
import { type Prepared, prepareWorktree } from '../../lib/git/worktree.ts';

const made: string[] = [];

/** Runs the whole file without the developer's git configuration; repositories are removed at its end. */
export function isolate(): void {
  const before = { HOME: process.env['HOME'], XDG_CONFIG_HOME: process.env['XDG_CONFIG_HOME'] };
  beforeAll(async () => {
    const home = await folder();
    process.env['HOME'] = home;
    process.env['XDG_CONFIG_HOME'] = join(home, '.config');
  });
  afterAll(async () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await Promise.all(made.map((path) => rm(path, { recursive: true, force: true })));
  });
}

export async function folder(): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'orch-git-')));
  made.push(path);
  return path;
}

/** How many git commands `work` starts by the PATH. */
export async function countGitCalls<T>(work: () => Promise<T>): Promise<{ calls: number; result: T }> {
  const [bin, notes] = [await folder(), join(await folder(), 'calls')];
  const real = (await execa('sh', ['-c', 'command -v git'])).stdout;
  await put(bin, { git: `#!/bin/sh\necho x >> '${notes}'\nexec '${real}' "$@"\n` });
  await chmod(join(bin, 'git'), 0o755);
  await writeFile(notes, '');
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = `${bin}${delimiter}${before}`;
  try {
    const result = await work();
    return { calls: (await readFile(notes, 'utf8')).length / 2, result };
  } finally {
    process.env['PATH'] = before;
  }
}

/** Plain git, as a user or a tool would run it. */
export async function sh(cwd: string, ...args: string[]): Promise<string> {
  const env = {
    GIT_AUTHOR_NAME: 'Tool',
    GIT_AUTHOR_EMAIL: 't@x',
    GIT_COMMITTER_NAME: 'Tool',
    GIT_COMMITTER_EMAIL: 't@x',
  };
  return (await execa('git', args, { cwd, env, stdin: 'ignore' })).stdout;
}

export async function put(root: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

export type Repo = { root: string; base: string };

export async function repository(
  files: Record<string, string> = { 'a.txt': 'a\n', '.gitignore': '*.log\n' },
): Promise<Repo> {
  const root = await folder();
  await sh(root, 'init', '--quiet', '--initial-branch=main');
  await put(root, files);
  await sh(root, 'add', '-A');
  await sh(root, 'commit', '--quiet', '-m', 'base');
  await put(root, { '.worktrees/.gitignore': '*\n' });
  return { root, base: await sh(root, 'rev-parse', 'HEAD') };
}

export async function prepare(
  repo: Repo,
  options: Partial<Parameters<typeof prepareWorktree>[0]> = {},
): Promise<Prepared> {
  return await prepareWorktree({ ...repo, id: 'WS-1', attempt: 1, fresh: false, ...options });
}

export async function checkpoint(
  repo: Repo,
  path: string,
  options: Partial<Parameters<typeof commitCheckpoint>[0]> = {},
): Promise<Checkpoint> {
  const id = options.id ?? 'WS-1';
  const previous = await readCheckpoints(repo.root, id);
  const taskIndex = previous.done.length + 1;
  const fixed = { root: repo.root, id, worktree: path, run: 'r1', attempt: 1, base: repo.base, exclude: [] };
  const task = { taskIndex, taskCount: 9, digest: `digest-${taskIndex}`, subject: `task ${taskIndex}` };
  return await commitCheckpoint({ ...fixed, ...task, previous, ...options });
}

/** Files in a commit with their content. */
export async function filesIn(root: string, commit: string): Promise<Record<string, string>> {
  const names = (await sh(root, 'ls-tree', '-r', '-z', '--name-only', commit)).split('\0').filter(Boolean);
  const files: Record<string, string> = {};
  for (const name of names) {
    files[name] = (
      await execa('git', ['cat-file', 'blob', `${commit}:${name}`], { cwd: root, stripFinalNewline: false })
    ).stdout;
  }
  return files;
}

/** True if `ref` reaches `commit`. */
export async function reaches(root: string, ref: string, commit: string): Promise<boolean> {
  const result = await execa('git', ['merge-base', '--is-ancestor', commit, ref], {
    cwd: root,
    reject: false,
  });
  if (result.exitCode !== 0 && result.exitCode !== 1) throw result;
  return result.exitCode === 0;
}
