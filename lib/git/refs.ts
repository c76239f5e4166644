import { dirname, join } from 'node:path';
import { OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { branchRef, checkpointRef, salvageRefPrefix } from '../protocol/layout.ts';
import { sync } from './durable.ts';
import { git } from './run.ts';

/** What the refs of one workstream say. `salvages` are sorted, the highest attempt last. */
export type WorkstreamRefs = {
  branch: string | null;
  checkpoint: string | null;
  salvages: { attempt: number; commit: string }[];
};

/** The refs of a workstream in one git call. A ref that is there but cannot be read is an error, not absent. */
export async function readRefs(root: string, id: string): Promise<WorkstreamRefs> {
  const [branch, checkpoint, prefix] = [branchRef(id), checkpointRef(id), salvageRefPrefix(id)];
  const { refs, broken } = await listRefs(root, [branch, checkpoint, prefix.slice(0, -1)]);
  const unreadable = broken.find((ref) => ref === branch || ref === checkpoint || ref.startsWith(prefix));
  if (unreadable !== undefined) {
    throw new OrchError('GIT_FAILED', `${unreadable} in ${root} is broken`, {
      hint: `Find the commit with \`git log --all --grep=Orch-Workstream:\` or \`git fsck --lost-found\`, and write its id into that file.`,
    });
  }
  const salvages = [...refs]
    .filter(([name]) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map(([name, commit]) => ({ attempt: Number(name.slice(prefix.length)), commit }))
    .sort((a, b) => a.attempt - b.attempt);
  return { branch: refs.get(branch) ?? null, checkpoint: refs.get(checkpoint) ?? null, salvages };
}

/**
 * Names and object ids of all refs that equal a pattern or lie under one. Git passes over a broken ref with a
 * warning and exit code 0: a checkpoint cut off by a power loss would look as if there had never been one,
 * and finished tasks would run again; so those are named apart.
 */
export async function listRefs(
  root: string,
  patterns: readonly string[],
): Promise<{ refs: Map<string, string>; broken: string[] }> {
  const args = ['for-each-ref', '--format=%(refname)%00%(objectname)', ...patterns];
  const { stdout, stderr } = await git(root, args);
  const rows = stdout.split('\n').filter((row) => row !== '');
  const broken = [...stderr.matchAll(/^warning: ignoring .*?(refs\/\S+)/gm)].map((match) => match[1] ?? '');
  return { refs: new Map(rows.map((row) => row.split('\0') as [string, string])), broken };
}

/** The workstreams that have a checkpoint or salvage, in one git call; those whose refs are broken too. */
export async function idsWithRefs(root: string): Promise<ReadonlySet<string>> {
  const { refs, broken } = await listRefs(root, ['refs/orch']);
  // refs/orch/checkpoint/<id>, refs/orch/salvage/<id>/<attempt>
  return new Set([...refs.keys(), ...broken].flatMap((name) => name.split('/').slice(3, 4)));
}

/** One change of a transaction; null stands for "does not exist". */
export type RefChange = { ref: string; from: string | null; to: string | null };

const ABSENT = '0'.repeat(40);

/**
 * Moves refs all together or not at all, and only if each still is at `from`. Durable when it returns.
 * A symbolic ref is replaced, never followed: a tool may have pointed the branch at one of the user's.
 */
export async function moveRefs(
  root: string,
  commonDir: string,
  changes: readonly RefChange[],
  options: { gitDir?: string; why: string },
): Promise<void> {
  const wanted = changes.filter(({ from, to }) => from !== to);
  if (wanted.length === 0) return;
  const lines = wanted.flatMap(({ ref, from, to }) => {
    if (to === null) return ['option no-deref', `delete ${ref}`, from ?? ''];
    const width = to.length;
    return ['option no-deref', `update ${ref}`, to, from ?? ABSENT.padEnd(width, '0')];
  });
  const input = ['start', ...lines, 'prepare', 'commit', ''].join('\0');
  const { gitDir, why } = options;
  await git(root, ['update-ref', '-m', why, '--stdin', '-z'], {
    input,
    ...(gitDir === undefined ? {} : { gitDir }),
  });
  // Git syncs the ref files but not the folders that name them.
  const folders = wanted.flatMap(({ ref, to }) => [
    dirname(join(commonDir, ref)),
    ...(to === null ? [] : [join(commonDir, 'objects', to.slice(0, 2))]),
  ]);
  for (const folder of new Set(folders)) await sync(folder);
  failpoint('git.refs.synced');
}
