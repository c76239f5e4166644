import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failpoint } from '../failpoint.ts';
import { worktreesDir } from '../protocol/layout.ts';
import { kindOf, readText, type Worktree } from './admin.ts';
import { sync } from './durable.ts';
import { type GitOptions, git, splitNul } from './run.ts';

/** How git is called for a worktree: its place is told, not looked for, since a tool may have changed `.git`. */
export function placeOf(worktree: Worktree, index?: string): GitOptions {
  const place = { gitDir: worktree.admin, workTree: worktree.path };
  return index === undefined ? place : { ...place, index };
}

/**
 * Git repositories that a tool made inside the worktree (`git init`, `git clone`, `git worktree add`), as
 * paths relative to it: untracked ones, and those that the index holds as a link although neither
 * `.gitmodules` nor `known` (a commit) has them there. Ignored ones do not count.
 */
export async function findNested(
  worktree: Worktree,
  known: string | null,
  index?: string,
): Promise<string[]> {
  const place = placeOf(worktree, index);
  const others = await git(worktree.path, ['ls-files', '-z', '--others', '--exclude-standard'], place);
  const untracked = splitNul(others.stdout)
    .filter((path) => path.endsWith('/'))
    .map((path) => path.slice(0, -1));
  const staged = await git(worktree.path, ['ls-files', '-z', '--stage'], place);
  const links = splitNul(staged.stdout)
    .filter((entry) => entry.startsWith('160000 '))
    .map((entry) => entry.slice(entry.indexOf('\t') + 1));
  if (links.length === 0) return untracked;
  const declared = new Set([...(await submodules(worktree)), ...(await linksIn(worktree, known, links))]);
  return [...new Set([...untracked, ...links.filter((path) => !declared.has(path))])];
}

async function submodules(worktree: Worktree): Promise<string[]> {
  const file = join(worktree.path, '.gitmodules');
  if ((await kindOf(file)) !== 'file') return [];
  const args = ['config', '--null', '--file', file, '--get-regexp', '\\.path$'];
  const { stdout } = await git(worktree.path, args, { ...placeOf(worktree), answers: [1] });
  return splitNul(stdout).map((entry) => entry.slice(entry.indexOf('\n') + 1));
}

async function linksIn(worktree: Worktree, commit: string | null, paths: string[]): Promise<string[]> {
  if (commit === null) return [];
  const args = ['--literal-pathspecs', 'ls-tree', '-z', commit, '--', ...paths];
  const { stdout } = await git(worktree.path, args, placeOf(worktree));
  return splitNul(stdout)
    .filter((entry) => entry.startsWith('160000 '))
    .map((entry) => entry.slice(entry.indexOf('\t') + 1));
}

/** Where repositories found inside a worktree are moved to before it is cleaned; `_` names are orch's own. */
const keptDir = (root: string, id: string): string => join(worktreesDir(root), '_kept', id);

/**
 * Moves nested repositories out of the worktree, whole, and returns where they are now. A commit cannot hold
 * them, and copying their history may need what is not there (a shallow clone), so they are kept as they are.
 */
export async function moveNestedAside(worktree: Worktree, paths: readonly string[]): Promise<string[]> {
  const kept: string[] = [];
  for (const path of paths) {
    const from = join(worktree.path, path);
    // An empty folder that stands for a link has nothing to keep.
    if ((await kindOf(join(from, '.git'))) === 'absent') continue;
    kept.push(await moveAside(worktree, from, path));
  }
  return kept;
}

/** Moves one file or folder of the worktree to a free name in the kept folder; one atomic rename. */
export async function moveAside(worktree: Worktree, from: string, name: string): Promise<string> {
  const folder = keptDir(worktree.root, worktree.id);
  let to = join(folder, name);
  for (let n = 1; (await kindOf(to)) !== 'absent'; n += 1) to = join(folder, `${name}.${n}`);
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  failpoint('git.aside.move');
  await rename(from, to);
  failpoint('git.aside.moved');
  await sync(dirname(to));
  return to;
}

/**
 * Makes the worktree's `.git` lead to its admin folder again; what a tool put in its place is moved aside.
 * Without it git would look further up and take the user's checkout for the worktree.
 */
export async function mendLink(worktree: Worktree): Promise<string[]> {
  const own = `gitdir: ${worktree.admin}`;
  const link = join(worktree.path, '.git');
  const kind = await kindOf(link);
  if (kind === 'file' && (await readText(link))?.trim() === own) return [];
  const replaced = kind === 'absent' ? [] : [await moveAside(worktree, link, 'worktree.git')];
  await writeFile(link, `${own}\n`);
  failpoint('git.link.mended');
  return replaced;
}

/** HEADs of nested worktrees of this very repository: their commits are nowhere else named. */
export async function nestedHeads(worktree: Worktree, paths: readonly string[]): Promise<string[]> {
  const heads: string[] = [];
  for (const path of paths) {
    const file = join(worktree.path, path, '.git');
    if ((await kindOf(file)) !== 'file') continue;
    const gitDir = /^gitdir: (.*)\n?$/.exec((await readText(file)) ?? '')?.[1];
    if (!gitDir?.startsWith(`${worktree.commonDir}/worktrees/`)) continue;
    const args = ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'];
    const { stdout } = await git(worktree.path, args, { gitDir, answers: [1] });
    if (stdout !== '') heads.push(stdout.trim());
  }
  return heads;
}
