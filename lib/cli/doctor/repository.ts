import { accessSync, constants } from 'node:fs';
import { errnoOf } from '../../errors.ts';
import { branchFaults } from '../../git/branches.ts';
import { openOperations, submodulesIn, worktreesOf } from '../../git/condition.ts';
import { hasTrackedChanges, type Repository, trackedUnder } from '../../git/repository.ts';
import { git } from '../../git/run.ts';
import { STATE_FOLDERS } from '../../protocol/layout.ts';
import { refuseTracked, unsafeFolder } from '../../store/folders.ts';
import { readRecord } from '../../store/records.ts';
import { type Check, checked, fail, ok, some, warn } from './check.ts';

/** What the repository is like; `ids` are the workstreams that its plan would make branches for. */
export async function checkRepository(
  { root, commonDir }: Repository,
  ids: readonly string[],
): Promise<Check[]> {
  return Promise.all([
    checked('repository', () => checkHead(root)),
    checked('operation', () => checkOperations(commonDir)),
    checked('changes', () => checkChanges(root)),
    checked('submodules', () => checkSubmodules(root)),
    checked('worktrees', () => checkWorktrees(root)),
    checked('branches', () => checkBranches(root, ids)),
    checked('folders', () => checkFolders(root)),
  ]);
}

async function checkHead(root: string): Promise<Check> {
  const { stdout } = await git(root, ['log', '-1', '--format=%h %s']);
  return ok('repository', `${root}, at ${stdout.trim()}`);
}

function checkOperations(gitDir: string): Check {
  const open = openOperations(gitDir);
  if (open.length === 0) return ok('operation', 'no merge, rebase or the like is under way');
  const hint = 'Workstreams start from the commit that HEAD names now: finish or abort it first.';
  return warn('operation', `a ${open.join(' and a ')} is under way`, hint);
}

async function checkChanges(root: string): Promise<Check> {
  const changed = await hasTrackedChanges(root);
  if (changed.length === 0) return ok('changes', 'no tracked file has changes');
  const hint = 'A launch refuses: commit or stash them, or add --allow-dirty.';
  return warn('changes', `tracked files have changes: ${some(changed)}`, hint);
}

async function checkSubmodules(root: string): Promise<Check> {
  const paths = await submodulesIn(root);
  if (paths.length === 0) return ok('submodules', 'none');
  const hint =
    'Their folders are empty in the worktrees; a "setup" of `git submodule update --init` fills them.';
  return warn('submodules', some(paths), hint);
}

async function checkWorktrees(root: string): Promise<Check> {
  const { count, gone } = await worktreesOf(root);
  if (gone.length === 0) return ok('worktrees', `supported; there ${count === 1 ? 'is 1' : `are ${count}`}`);
  return warn('worktrees', `the folders of ${some(gone)} are gone`, 'Run `git worktree prune`.');
}

async function checkBranches(root: string, ids: readonly string[]): Promise<Check> {
  const faults = await branchFaults(root, ids, (id) => readRecord(root, id).kind === 'record');
  const [first] = faults;
  if (first === undefined) return ok('branches', 'none is in the way');
  return fail('branches', some(faults.map(({ message }) => message)), first.hint);
}

async function checkFolders(root: string): Promise<Check> {
  const unsafe = unsafeFolder(root);
  if (unsafe !== null) throw unsafe;
  refuseTracked(await trackedUnder(root, STATE_FOLDERS));
  try {
    accessSync(root, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return fail('folders', `${root} cannot be written to (${errnoOf(error)})`, 'orch keeps its state there.');
  }
  return ok('folders', `${STATE_FOLDERS.join(', ')} are free to use`);
}
