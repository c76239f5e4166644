import { listRefs } from '../git/refs.ts';
import { git } from '../git/run.ts';
import { type CheckpointTrailers, readTrailers } from '../git/trailers.ts';
import { branchRef, checkpointRef } from '../protocol/layout.ts';
import type { Chain, CheckpointFact, GitFacts } from './evidence.ts';

/** Reads what git holds after a run, by ways of its own: what orch's own code would pass over must be seen. */

export const NONCE = /nonce:[\w.-]+/g;

/** The facts of the workstreams `ids`. */
export async function gitFacts(root: string, ids: readonly string[]): Promise<GitFacts> {
  const { refs, broken } = await listRefs(root, ['refs']);
  const commits = await readCommits(root);
  const nonces = await noncesOf(root, [...commits.keys()]);
  const chains: Chain[] = [];
  for (const id of ids) chains.push(await readChain(root, id, refs, { commits, nonces }));
  const fsck = ['fsck', '--connectivity-only', '--no-dangling', '--no-progress'];
  const { code, stdout, stderr } = await git(root, fsck, { answers: [1, 2, 3, 4, 5, 6, 7, 8] });
  const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  return {
    chains,
    refs: Object.fromEntries(refs),
    reachable: new Set(commits.keys()),
    keptNonces: new Set([...nonces.values()].flat()),
    worktreeNonces: new Set(),
    faults: [...broken.map((ref) => `${ref} is broken`), ...(code === 0 ? [] : said)],
  };
}

type Commit = { committedAt: number; trailers: CheckpointTrailers | null };

/** Every commit that a branch or a ref of orch reaches. */
async function readCommits(root: string): Promise<Map<string, Commit>> {
  const format = ['--no-commit-header', '--format=%H%n%ct%n%B%x00'];
  // 128: a ref leads to something that is not there; fsck tells of it.
  const args = ['rev-list', ...format, '--branches', '--glob=refs/orch/*'];
  const { stdout } = await git(root, args, { answers: [128] });
  const found = new Map<string, Commit>();
  for (const row of stdout.split('\0\n').filter((one) => one !== '')) {
    const [id = '', committedAt, ...message] = row.split('\n');
    found.set(id, { committedAt: Number(committedAt), trailers: readTrailers(message.join('\n')) });
  }
  return found;
}

const GREP_AT_ONCE = 200;

/** For each commit all nonces in its files. */
async function noncesOf(root: string, commits: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (let at = 0; at < commits.length; at += GREP_AT_ONCE) {
    const some = commits.slice(at, at + GREP_AT_ONCE);
    const args = ['grep', '-a', '--only-matching', '-E', 'nonce:[A-Za-z0-9_.-]+', ...some];
    // 1: none.
    const { stdout } = await git(root, args, { answers: [1] });
    for (const line of stdout.split('\n').filter((one) => one !== '')) {
      const commit = line.slice(0, line.indexOf(':'));
      found.set(commit, [...(found.get(commit) ?? []), ...(line.match(NONCE) ?? []).slice(-1)]);
    }
  }
  return found;
}

type Known = { commits: ReadonlyMap<string, Commit>; nonces: ReadonlyMap<string, string[]> };

async function readChain(
  root: string,
  id: string,
  refs: ReadonlyMap<string, string>,
  known: Known,
): Promise<Chain> {
  const tip = refs.get(checkpointRef(id)) ?? null;
  const branch = refs.get(branchRef(id)) ?? null;
  if (tip === null) return { workstream: id, tip, fault: null, checkpoints: [], onBranch: null };
  const ancestor = ['merge-base', '--is-ancestor', tip, branch ?? tip];
  const { code } = await git(root, ancestor, { answers: [1, 128] });
  return {
    workstream: id,
    tip,
    ...followChain(id, tip, known),
    onBranch: branch === null ? null : code === 0,
  };
}

/** The oldest first; from where it breaks on, what came before it is not known. */
function followChain(
  id: string,
  tip: string,
  { commits, nonces }: Known,
): { checkpoints: CheckpointFact[]; fault: string | null } {
  const found: CheckpointFact[] = [];
  const visited = new Set<string>();
  for (let at: string | null = tip; at !== null; ) {
    const commit = commits.get(at);
    const trailers = commit?.trailers ?? null;
    if (commit === undefined || trailers === null || trailers.workstream !== id || visited.has(at)) {
      const fault = `the chain of checkpoints leads to ${at}, which is no checkpoint of it`;
      return { checkpoints: found.reverse(), fault };
    }
    visited.add(at);
    const { workstream, run, attempt, task, repair } = trailers;
    const { committedAt } = commit;
    const mends = repair === undefined ? {} : { repair };
    const fact = { commit: at, workstream, run, attempt, task, ...mends, committedAt };
    found.push({ ...fact, nonces: nonces.get(at) ?? [] });
    at = trailers.previous;
  }
  return { checkpoints: found.reverse(), fault: null };
}
