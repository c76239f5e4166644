import { OrchError } from '../../errors.ts';
import type { StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { DEFAULT_OPTIONS } from '../../protocol/plan.ts';
import type { LogStream } from '../../store/log-files.ts';
import { lastOutputAt } from '../../store/log-times.ts';
import { readPlan } from '../../store/plans.ts';
import { readTail } from '../log-tail.ts';
import { textOf } from './figures.ts';
import type { Commit, Details } from './model.ts';

/** What the view shows and a poll does not tell. It informs: what cannot be read is left out. */

const COMMITS_MAX = 20;

/** When each worker that is at work wrote something last. */
export function outputTimes({ root, workstreams }: StatusList): Map<string, number> {
  const times = new Map<string, number>();
  for (const { workstream, alive } of workstreams) {
    if (alive !== true) continue;
    const at = lastOutputAt(root, workstream);
    if (at !== null) times.set(workstream, at);
  }
  return times;
}

/** How many workers may run at once. */
export function maxParallelOf(root: string): number {
  try {
    return readPlan(root)?.options.maxParallel ?? DEFAULT_OPTIONS.maxParallel;
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    return DEFAULT_OPTIONS.maxParallel;
  }
}

async function commitsOf(root: string, status: WorkstreamStatus): Promise<Commit[]> {
  const branch = textOf(status['branch']);
  if (branch === null) return [];
  const { branchCommits } = await import('../../git/branch-log.ts');
  return branchCommits(root, branch, textOf(status['base']), COMMITS_MAX);
}

/** What changes when there may be new commits: git is asked no more often than that. */
const versionOf = (status: WorkstreamStatus): string =>
  JSON.stringify([status.workstream, status.progress, status['head'], status['attempt'], status.status]);

/** Reads details of one workstream at a time; remembers the commits of the last one alone. */
export function detailReader(
  root: string,
): (status: WorkstreamStatus, stream: LogStream) => Promise<Details> {
  let known: { version: string; commits: Commit[] } = { version: '', commits: [] };
  return async (status, stream) => {
    const { workstream: id } = status;
    const empty = { id, stream, log: null, commits: [] };
    try {
      const version = versionOf(status);
      if (known.version !== version) known = { version, commits: await commitsOf(root, status) };
      const log = readTail(root, id, stream);
      return { id, stream, log, commits: known.commits, trouble: null };
    } catch (error) {
      if (!(error instanceof OrchError)) throw error;
      return { ...empty, trouble: error.message };
    }
  };
}
