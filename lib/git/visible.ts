import { selfAndAbove } from '../protocol/scope.ts';
import { findWorktree } from './admin.ts';
import { placeOf } from './nested.ts';
import { commonDirOf } from './repository.ts';
import { type GitOptions, git, splitNul } from './run.ts';

/** How git is asked what of a worktree may be shown to a model. */
export type View = {
  path: string;
  place: GitOptions;
  /** Copied files, and what `setup` made: they enter no commit. */
  exclude: ReadonlySet<string>;
};

/**
 * The view of the worktree at `path`. Where it is orch's worktree of `id`, git is told where its repository is: a tool
 * may have put another one there, whose rules would show what is ignored.
 */
export async function viewOf(path: string, root: string | undefined, id: string | undefined): Promise<View> {
  if (root === undefined || id === undefined) return { path, place: {}, exclude: new Set() };
  const found = await findWorktree(root, await commonDirOf(root), id);
  if (found.kind !== 'ready' || found.worktree.path !== path) return { path, place: {}, exclude: new Set() };
  return {
    path,
    place: placeOf(found.worktree),
    exclude: new Set(found.marker.exclude.map((one) => one.replace(/\/+$/, ''))),
  };
}

const isExcluded = ({ exclude }: View, path: string): boolean =>
  selfAndAbove(path).some((one) => exclude.has(one));

/** Files that are tracked and there, and those that git would add: what it ignores is not among them. Sorted. */
export async function visibleFiles(view: View): Promise<string[]> {
  const { path, place } = view;
  const ask = async (...how: string[]): Promise<string[]> =>
    splitNul((await git(path, ['ls-files', '-z', ...how], place)).stdout);
  const listed = await ask('--cached', '--others', '--exclude-standard');
  const gone = new Set(await ask('--deleted'));
  // A name that ends in a slash is a repository inside this one.
  const there = listed.filter((one) => !gone.has(one) && !one.endsWith('/') && !isExcluded(view, one));
  return [...new Set(there)].sort();
}

/** Those of `paths` that no commit would hold: ignored ones and excluded ones. They need not be there. */
export async function outsideCommits(view: View, paths: readonly string[]): Promise<string[]> {
  const excluded = paths.filter((path) => isExcluded(view, path));
  if (paths.length === 0) return excluded;
  // With `./` before it no path is taken for a magic one.
  const input = paths.map((path) => `./${path}\0`).join('');
  const options = { ...view.place, input, answers: [1] };
  const { stdout } = await git(view.path, ['check-ignore', '-z', '--stdin'], options);
  const ignored = splitNul(stdout).map((path) => path.replace(/^\.\//, ''));
  return [...new Set([...excluded, ...ignored])];
}
