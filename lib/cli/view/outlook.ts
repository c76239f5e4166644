import { HOLDS, type StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { numberOf, objectsOf, progressOf, textsOf } from './figures.ts';

/**
 * When it may be over. `seconds` null: nobody can say, since no task has ended, or all last longer than those did. `waiting`: workstreams that wait
 * for a person, which no estimate holds.
 */
export type Outlook = { seconds: number | null; waiting: number };

type Work = { status: WorkstreamStatus; seconds: number };

const FINISHED = new Set(['done', 'no_change']);

/** Seconds of each task that ended well, as far as the records still have them. */
function taskSeconds(status: WorkstreamStatus): number[] {
  const runs = objectsOf(status['tool_runs']).filter(({ outcome }) => FINISHED.has(String(outcome)));
  return runs.flatMap(({ seconds }) => numberOf(seconds) ?? []);
}

const meanOf = (numbers: readonly number[]): number | null =>
  numbers.length === 0 ? null : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

function isHeld({ verdict, reason }: WorkstreamStatus): boolean {
  return verdict === 'unknown' || HOLDS.some((code) => code === reason?.code);
}

/** What is left of one workstream: its tasks at the pace of its own, less what the one at hand has taken so far. */
function leftOf(status: WorkstreamStatus, at: number, meanOfAll: number): number {
  const progress = progressOf(status);
  const mean = meanOf(taskSeconds(status)) ?? meanOfAll;
  const tasks = progress === null ? 1 : progress.total - progress.done;
  const spent = status.verdict === 'running' ? Math.max(at - (status.last_update ?? at), 0) : 0;
  return Math.max(tasks * mean - Math.min(spent, mean), 0);
}

/** The longest chain of work that must be done one after the other. */
function longestChain(works: ReadonlyMap<string, Work>): number {
  const known = new Map<string, number>();
  const lengthTo = (id: string): number => {
    const work = works.get(id);
    if (work === undefined) return 0;
    const before = known.get(id);
    if (before !== undefined) return before;
    // A cycle cannot be launched; a damaged record may still show one.
    known.set(id, work.seconds);
    const parents = textsOf(work.status['depends_on']).map(lengthTo);
    const length = work.seconds + Math.max(0, ...parents);
    known.set(id, length);
    return length;
  };
  return Math.max(0, ...[...works.keys()].map(lengthTo));
}

/**
 * Tasks that are left × the mean time of those that ended (a workstream's own, where it has one), shared by as many
 * workers as may run, and no less than the longest chain of dependencies. Acceptance tests and retries are not in it.
 */
export function outlookOf({ workstreams, at }: StatusList, maxParallel: number): Outlook {
  const open = workstreams.filter(({ final }) => !final);
  const held = open.filter(isHeld);
  const going = open.filter((status) => !isHeld(status));
  if (going.length === 0) return { seconds: held.length === 0 ? 0 : null, waiting: held.length };
  const mean = meanOf(workstreams.flatMap(taskSeconds));
  if (mean === null) return { seconds: null, waiting: held.length };
  const works = new Map(
    going.map((status) => [status.workstream, { status, seconds: leftOf(status, at, mean) }]),
  );
  let sum = 0;
  for (const { seconds } of works.values()) sum += seconds;
  const workers = Math.max(1, Math.min(maxParallel, going.length));
  const seconds = Math.max(sum / workers, longestChain(works));
  // Everything at hand has lasted longer than the mean: that it takes no time any more would be a lie.
  return { seconds: seconds === 0 ? null : seconds, waiting: held.length };
}
