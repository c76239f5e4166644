import { BRANCH_PREFIX, branchOf, branchRef, checkpointRef, salvageRefPrefix } from '../protocol/layout.ts';
import { findWorktree } from './admin.ts';
import { listRefs } from './refs.ts';
import { commonDirOf } from './repository.ts';
import { git } from './run.ts';

export type BranchFault = { code: 'BRANCH_TAKEN'; message: string; hint: string };

const HEADS = 'refs/heads/';

/**
 * Why branches for these workstreams cannot be made: a branch `orch`, an `orch/<id>` that orch did not make
 * (neither a checkpoint nor a salvage ref tells of it, nor a worktree that orch made, nor does `isOurs`), one that
 * lies below it, or one that differs in case where the file system does not tell cases apart.
 */
export async function branchFaults(
  root: string,
  ids: readonly string[],
  isOurs: (id: string) => boolean,
): Promise<BranchFault[]> {
  const [{ refs }, config] = await Promise.all([
    listRefs(root, ['refs/heads', 'refs/orch']),
    git(root, ['config', '--type=bool', '--get', 'core.ignorecase'], { answers: [1] }),
  ]);
  const ignoreCase = config.stdout.trim() === 'true';
  const fold = (name: string): string => (ignoreCase ? name.toLowerCase() : name);
  const names = [...refs.keys()];
  const heads = names.filter((name) => name.startsWith(HEADS));
  const known = new Set(names.flatMap((name) => ownerOf(name, ids)));
  const top = `${HEADS}${BRANCH_PREFIX.slice(0, -1)}`;
  const faults = heads
    .filter((name) => fold(name) === top)
    .map((name) => taken(name, `branch ${short(name)} leaves no room for ${BRANCH_PREFIX}<id>`));
  for (const id of ids) {
    const own = branchRef(id);
    for (const name of heads) {
      if (name === own && !known.has(id) && !isOurs(id) && !(await hasWorktree(root, id))) {
        faults.push(taken(name, `branch ${branchOf(id)} was not made by orch`));
      } else if (fold(name).startsWith(`${fold(own)}/`)) {
        faults.push(taken(name, `branch ${short(name)} leaves no room for ${branchOf(id)}`));
      } else if (name !== own && fold(name) === fold(own)) {
        faults.push(taken(name, `branch ${short(name)} differs from ${branchOf(id)} only in case`));
      }
    }
  }
  return faults;
}

/** True where orch made its worktree, or began to: a record may be lost, garbage, or not written yet. */
async function hasWorktree(root: string, id: string): Promise<boolean> {
  const { kind } = await findWorktree(root, await commonDirOf(root), id);
  return kind === 'ready' || kind === 'half-made';
}

function ownerOf(name: string, ids: readonly string[]): string[] {
  return ids.filter((id) => name === checkpointRef(id) || name.startsWith(salvageRefPrefix(id)));
}

const short = (ref: string): string => ref.slice(HEADS.length);

function taken(ref: string, message: string): BranchFault {
  return { code: 'BRANCH_TAKEN', message, hint: `Rename it: git branch -m ${short(ref)} NEW-NAME` };
}
