import { messageOf, OrchError } from '../errors.ts';
import { listRefs } from '../git/refs.ts';
import { git } from '../git/run.ts';
import { readTrailers } from '../git/trailers.ts';
import { branchRef, checkpointRef } from '../protocol/layout.ts';
import type { Chain, CheckpointFact, GitFacts } from './evidence.ts';

/** Reads what git holds after a run, by ways of its own: what orch's own code would pass over must be seen. */

export const NONCE = /nonce:[\w.-]+/g;

/** The facts of the workstreams `ids`. */
export async function gitFacts(root: string, ids: readonly string[]): Promise<GitFacts> {
  const { refs, broken } = await listRefs(root, ['refs']);
  const chains: Chain[] = [];
  for (const id of ids) chains.push(await readChain(root, id, refs));
  const listed = await git(root, ['rev-list', '--branches', '--glob=refs/orch/*'], { answers: [128] });
  const commits = listed.stdout.split('\n').filter((line) => line !== '');
  const fsck = ['fsck', '--connectivity-only', '--no-dangling', '--no-progress'];
  const { code, stdout, stderr } = await git(root, fsck, { answers: [1, 2, 3, 4, 5, 6, 7, 8] });
  const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  return {
    chains,
    refs: Object.fromEntries(refs),
    reachable: new Set(commits),
    keptNonces: await noncesIn(root, commits),
    worktreeNonces: new Set(),
    faults: [...broken.map((ref) => `${ref} is broken`), ...(code === 0 ? [] : said)],
  };
}

const GREP_AT_ONCE = 200;

/** All nonces in files of these commits. */
async function noncesIn(root: string, commits: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < commits.length; at += GREP_AT_ONCE) {
    const some = commits.slice(at, at + GREP_AT_ONCE);
    const args = ['grep', '-h', '-a', '--only-matching', '-E', 'nonce:[A-Za-z0-9_.-]+', ...some];
    // 1: none.
    const { stdout } = await git(root, args, { answers: [1] });
    for (const nonce of stdout.split('\n')) if (nonce !== '') found.add(nonce);
  }
  return found;
}

async function readChain(root: string, id: string, refs: ReadonlyMap<string, string>): Promise<Chain> {
  const tip = refs.get(checkpointRef(id)) ?? null;
  const branch = refs.get(branchRef(id)) ?? null;
  const chain: Chain = { workstream: id, tip, fault: null, checkpoints: [], onBranch: null };
  if (tip === null) return chain;
  try {
    const ancestor = ['merge-base', '--is-ancestor', tip, branch ?? tip];
    if (branch !== null) chain.onBranch = (await git(root, ancestor, { answers: [1] })).code === 0;
    chain.checkpoints = await followChain(root, id, tip);
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    chain.fault = messageOf(error);
  }
  return chain;
}

/** The oldest first. */
async function followChain(root: string, id: string, tip: string): Promise<CheckpointFact[]> {
  const found: CheckpointFact[] = [];
  const visited = new Set<string>();
  for (let at: string | null = tip; at !== null; ) {
    const shown = await git(root, ['show', '--no-patch', '--format=%ct%n%B', at]);
    const [committedAt, ...message] = shown.stdout.split('\n');
    const trailers = readTrailers(message.join('\n'));
    if (trailers === null || trailers.workstream !== id || visited.has(at)) {
      throw new OrchError('GIT_FAILED', `the chain of ${id} leads to ${at}, which is no checkpoint of it`);
    }
    visited.add(at);
    const { workstream, run, attempt, task, previous } = trailers;
    const nonces = [...(await noncesIn(root, [at]))];
    found.push({ commit: at, workstream, run, attempt, task, committedAt: Number(committedAt), nonces });
    at = previous;
  }
  return found.reverse();
}
