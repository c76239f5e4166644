import { readSteps, type Step } from './chain.ts';
import { type Side, sidesOf } from './changes.ts';
import { git, splitNul } from './run.ts';

/** A path that an agent changed, and that is not as it was before the first time. */
export type AgentEdit = {
  /** Bytes, one character each. */
  path: string;
  /** The commit before the first checkpoint in which an agent changed it. */
  source: string;
  /** There, and now; null: no such file. */
  before: Side | null;
  now: Side | null;
};

/**
 * What the agents of a workstream changed, by its checkpoints: what `{run: …}` tasks of the plan changed before
 * counts as the plan's; what they changed after an agent did, as the agent's. Two git calls and one for all
 * checkpoints, whatever their number.
 */
export async function agentEdits(root: string, id: string): Promise<AgentEdit[]> {
  const steps = await readSteps(root, id);
  const first = steps.findIndex(({ tool }) => tool !== null);
  if (first === -1) return [];
  const edits = new Map<string, AgentEdit>();
  for (const { step, path, before, after } of await changesOf(root, steps.slice(first))) {
    const known = edits.get(path);
    if (known !== undefined) known.now = after;
    else if (step.tool !== null) edits.set(path, { path, source: step.before, before, now: after });
  }
  return [...edits.values()].filter(
    ({ before, now }) => before?.id !== now?.id || before?.mode !== now?.mode,
  );
}

type StepChange = { step: Step; path: string; before: Side | null; after: Side | null };

/** All that the steps changed, in their order. */
async function changesOf(root: string, steps: readonly Step[]): Promise<StepChange[]> {
  const byCommit = new Map(steps.map((step) => [step.commit, step]));
  const args = ['diff-tree', '--stdin', '-r', '-z', '--raw', '--no-abbrev', '--no-renames'];
  // The second commit stands for the parent of the first: a tool's own commits lie between two checkpoints.
  const input = steps.map(({ commit, before }) => `${commit} ${before}\n`).join('');
  const { stdout } = await git(root, args, { input, bytes: true });
  const parts = splitNul(stdout);
  const changes: StepChange[] = [];
  let step: Step | undefined;
  for (let at = 0; at < parts.length; at += 1) {
    const part = parts[at] ?? '';
    if (!part.startsWith(':')) {
      step = byCommit.get(part.trim());
      continue;
    }
    at += 1;
    if (step !== undefined) changes.push({ step, path: parts[at] ?? '', ...sidesOf(part) });
  }
  return changes;
}

/** The text of a file in git; null where it is larger than `maxBytes`. */
export async function blobText(root: string, object: string, maxBytes: number): Promise<string | null> {
  const size = Number((await git(root, ['cat-file', '-s', object])).stdout);
  return size > maxBytes ? null : (await git(root, ['cat-file', 'blob', object])).stdout;
}
