import type { StatusRecord } from '../../protocol/status.ts';
import type { Chain, CheckpointFact, EventFact, Evidence } from '../evidence.ts';
import { type TaskRun, taskRuns } from '../ledger.ts';

/** What several rules ask of the evidence. */

/** The record of `id`, where there is one that can be read. */
export function recordOf({ records }: Evidence, id: string): StatusRecord | null {
  const fact = records.find(({ workstream }) => workstream === id);
  return fact?.parsed?.kind === 'record' ? fact.parsed.record : null;
}

export type StateEvent = {
  from: unknown;
  to: unknown;
  attempt: number;
  pid: unknown;
  actor: string;
  at: number;
};

/** The changes of state of `id`, in the order in which they were written. */
export function stateEvents(events: readonly EventFact[], id: string): StateEvent[] {
  return events
    .filter(({ event, workstream }) => event === 'state' && workstream === id)
    .map(({ from, to, attempt, pid, actor, at }) => {
      return { from, to, attempt: typeof attempt === 'number' ? attempt : 0, pid: pid ?? null, actor, at };
    });
}

/** True if the record of `id` was lost and made again, from git: it then knows attempts by their salvage alone. */
export function wasMadeAnew({ events }: Evidence, id: string): boolean {
  return stateEvents(events, id).filter(({ from }) => from === null).length > 1;
}

/** The checkpoints of `id`; an empty chain where git knows none. */
export function chainOf({ git }: Evidence, id: string): Chain {
  const none = { workstream: id, tip: null, fault: null, checkpoints: [], onBranch: null };
  return git.chains.find(({ workstream }) => workstream === id) ?? none;
}

/** The executions of tasks of `id`. */
export function runsOf({ ledger }: Evidence, id: string): TaskRun[] {
  return taskRuns(ledger.filter(({ workstream }) => workstream === id));
}

/** Those that say that a task is done; the others mend the work of one that is. */
export const firstOnes = (checkpoints: readonly CheckpointFact[]): CheckpointFact[] =>
  checkpoints.filter(({ repair }) => repair === undefined);

/** For the checkpoint of each task of `id` the run that it saved: the one whose nonce its task's own file holds. */
export function savedRuns(evidence: Evidence, id: string): (TaskRun | null)[] {
  const asked = evidence.workstreams.find((one) => one.id === id);
  const runs = runsOf(evidence, id);
  return firstOnes(chainOf(evidence, id).checkpoints).map(({ task, nonces }) => {
    const at = asked?.tasks.findIndex(({ digest }) => digest === task) ?? -1;
    const file = asked?.tasks[at]?.nonceFile;
    const isSaved = (run: TaskRun): boolean => {
      const nonce = file === undefined ? undefined : run.wrote.get(file);
      return run.task === at + 1 && nonce !== undefined && nonces.includes(nonce);
    };
    return runs.find(isSaved) ?? null;
  });
}
