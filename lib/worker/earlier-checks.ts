import { OrchError } from '../errors.ts';
import { readSteps } from '../git/chain.ts';
import type { CheckGroup } from '../protocol/plan.ts';
import type { CheckResult } from '../protocol/status.ts';
import { checksIn } from '../store/history.ts';
import type { Bench } from './bench.ts';

/** The acceptance tests of steps that an earlier attempt finished: they do not run again, and still count. */

/** One text may stand for a command in one place and for prose in another. */
export const checkKey = ({ kind, text }: Pick<CheckResult, 'text' | 'kind'>): string => `${kind} ${text}`;

/** Index of the last task that had a checkpoint when the attempt began, or -1. Its tests run again. */
export function lastFinished({ attempt, state }: Bench): number {
  return attempt.workstream.tasks.findLastIndex(({ digest }) => state.done.includes(digest));
}

/**
 * What is known of the tests that this attempt passes over: of each, the last result that judged a checkpoint of the
 * chain as it is now. What a fresh start or a rewound branch left behind says nothing of this work.
 */
export async function earlierChecks(bench: Bench): Promise<CheckResult[]> {
  const { root, workstream } = bench.attempt;
  const last = lastFinished(bench);
  const isOver = ({ step, afterTask }: CheckGroup): boolean =>
    step !== null &&
    afterTask <= last &&
    bench.state.done.includes(workstream.tasks[afterTask - 1]?.digest ?? '');
  const over = workstream.checks.filter(isOver).flatMap(({ checks }) => checks);
  if (over.length === 0) return [];
  const chain = new Set((await readSteps(root, workstream.id)).map(({ commit }) => commit));
  const known = resultsOn(root, workstream.id, chain);
  return [...new Set(over.map(checkKey))].flatMap((key) => known.get(key) ?? []);
}

/** A history that cannot be read costs the news, not the work. */
function resultsOn(root: string, id: string, chain: ReadonlySet<string>): Map<string, CheckResult> {
  const known = new Map<string, CheckResult>();
  try {
    for (const { commit, check } of checksIn(root, id))
      if (chain.has(commit)) known.set(checkKey(check), check);
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    process.stderr.write(`orch: ${error.message}\n`);
  }
  return known;
}
