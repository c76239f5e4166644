import { OrchError } from '../errors.ts';
import { checkpointRef } from '../protocol/layout.ts';
import { readRefs } from './refs.ts';
import { git } from './run.ts';
import { type CheckpointTrailers, readTrailers } from './trailers.ts';

/**
 * `done`: digests of finished tasks, the first one first, each once. `base`: where the chain started. `work`: by
 * digest, the tool that did the task last, null for a command, and how often its work was repaired.
 */
export type CheckpointState = {
  tip: string | null;
  base: string | null;
  done: string[];
  work: ReadonlyMap<string, TaskWork>;
};

type TaskWork = { tool: string | null; repairs: number };

/**
 * The chain of checkpoints of a workstream. Only commits that a checkpoint's `Orch-Previous` names are
 * visited, from the ref on, so trailers in a tool's own commits count for nothing. Throws GIT_FAILED if the
 * ref leads to something else.
 */
export async function readCheckpoints(root: string, id: string): Promise<CheckpointState> {
  const { checkpoint } = await readRefs(root, id);
  return checkpoint === null ? NONE : await readChain(root, id, checkpoint);
}

/** The run whose attempt made the last checkpoint of a workstream; null where there is none. */
export async function runOfCheckpoint(root: string, id: string): Promise<string | null> {
  const { checkpoint: tip } = await readRefs(root, id);
  if (tip === null) return null;
  return readTrailers((await readMessages(root, ['--no-walk', tip])).get(tip) ?? '')?.run ?? null;
}

/** The state of a workstream without a checkpoint. */
export const NONE: CheckpointState = { tip: null, base: null, done: [], work: new Map() };

/** The state after `commit` became the checkpoint of a task. Pure. */
export function withCheckpoint(
  state: CheckpointState,
  { commit, base, digest, tool = null, repair = 0 }: NewCheckpoint,
): CheckpointState {
  const done = state.done.includes(digest) ? state.done : [...state.done, digest];
  const work = new Map([...state.work, [digest, { tool, repairs: repair }]]);
  return { tip: commit, base: state.base ?? base, done, work };
}

type NewCheckpoint = { commit: string; base: string; digest: string; tool?: string | null; repair?: number };

/** The chain that ends in `tip`. Two git calls, whatever its length. */
export async function readChain(root: string, id: string, tip: string): Promise<CheckpointState> {
  const { base, links } = await walk(root, id, tip);
  const done = new Set<string>();
  const work = new Map<string, TaskWork>();
  for (const { task, tool = null, repair = 0 } of links) {
    // From the newest on: the first that is met of a task is its last, and its place is that of its first.
    if (!work.has(task)) work.set(task, { tool, repairs: repair });
    done.delete(task);
    done.add(task);
  }
  return { tip, base, done: [...done].reverse(), work };
}

/** One checkpoint, what it stands on in the chain, and the agent whose work it is; null for a command of the plan. */
export type Step = { commit: string; before: string; tool: string | null };

/** All checkpoints of a workstream, the first one first. Throws as `readCheckpoints` does. */
export async function readSteps(root: string, id: string): Promise<Step[]> {
  const { checkpoint } = await readRefs(root, id);
  if (checkpoint === null) return [];
  const { base, links } = await walk(root, id, checkpoint);
  const steps = links.map(({ commit, previous, tool = null }) => ({
    commit,
    before: previous ?? base,
    tool,
  }));
  return steps.reverse();
}

type Link = CheckpointTrailers & { commit: string };

/** From the newest checkpoint to the first. */
async function walk(root: string, id: string, tip: string): Promise<{ base: string; links: Link[] }> {
  const newest = (await readMessages(root, ['--no-walk', tip])).get(tip);
  const base = newest === undefined ? undefined : readTrailers(newest)?.base;
  if (base === undefined) throw brokenChain(id, tip);
  const messages = await readMessages(root, [tip, `^${base}`]);
  const links: Link[] = [];
  let at: string | null = tip;
  while (at !== null) {
    const trailers = readTrailers(messages.get(at) ?? '');
    // Deleted once visited: a chain that bites its tail is broken too.
    messages.delete(at);
    if (trailers === null || trailers.workstream !== id) throw brokenChain(id, at);
    links.push({ ...trailers, commit: at });
    at = trailers.previous;
  }
  return { base, links };
}

function brokenChain(id: string, commit: string): OrchError {
  return new OrchError(
    'GIT_FAILED',
    `${checkpointRef(id)} leads to ${commit}, which is no checkpoint of ${id}`,
    {
      hint: `Something moved that ref. Put it back (see \`git log --all --grep="Orch-Workstream: ${id}"\`), or start over with --fresh.`,
    },
  );
}

async function readMessages(root: string, revisions: readonly string[]): Promise<Map<string, string>> {
  const args = [
    'rev-list',
    '--no-commit-header',
    '--encoding=UTF-8',
    '--format=%H%n%B%x00',
    ...revisions,
    '--',
  ];
  const { stdout } = await git(root, args);
  const rows = stdout.split('\0\n').filter((row) => row !== '');
  return new Map(rows.map((row) => [row.slice(0, row.indexOf('\n')), row.slice(row.indexOf('\n') + 1)]));
}
