import type { AskedWorkstream, CheckpointFact, Evidence, Violation } from '../evidence.ts';
import { chainOf, firstOnes, recordOf, runsOf, savedRuns } from './facts.ts';

/**
 * Guarantee 3: a task with a checkpoint never runs again, one that was cut off runs again from the checkpoint
 * before it; checkpoints are the worker's own, whole, and durable before a record names them.
 */
export function judgeCheckpoints(evidence: Evidence): Violation[] {
  return evidence.workstreams.flatMap((asked) =>
    [
      ...chainFaults(evidence, asked),
      ...checkpointFaults(evidence, asked),
      ...repeatedRuns(evidence, asked),
      ...recordFaults(evidence, asked),
    ].map((what): Violation => ({ guarantee: 3, workstream: asked.id, what })),
  );
}

function chainFaults(evidence: Evidence, { id, tasks }: AskedWorkstream): string[] {
  const { fault, onBranch, checkpoints } = chainOf(evidence, id);
  const found: string[] = [];
  if (fault !== null) found.push(fault);
  if (onBranch === false) found.push('its branch does not hold its checkpoints');
  found.push(...repairFaults(checkpoints));
  const digests = firstOnes(checkpoints).map(({ task }) => task);
  const expected = tasks.map(({ digest }) => digest).slice(0, digests.length);
  if (digests.length > tasks.length) found.push(`${digests.length} checkpoints for ${tasks.length} tasks`);
  else if (digests.some((digest, at) => digest !== expected[at]))
    found.push('its checkpoints are not those of its tasks in their order');
  return found;
}

/** A repair stands on the checkpoint of its task, and they are numbered one after the other. */
function repairFaults(checkpoints: readonly CheckpointFact[]): string[] {
  const repairs = new Map<string, number>();
  return checkpoints.flatMap(({ commit, task, repair }) => {
    const before = repairs.get(task);
    repairs.set(task, repair ?? 0);
    if (repair === undefined || repair === (before ?? -1) + 1) return [];
    const stands = before === undefined ? 'no checkpoint of its task' : `repair ${before}`;
    return [`the checkpoint ${commit.slice(0, 12)} is repair ${repair} and stands on ${stands}`];
  });
}

/** Each checkpoint holds what one whole run of its task wrote, nothing of a run that was cut off. */
function checkpointFaults(evidence: Evidence, { id }: AskedWorkstream): string[] {
  const byTool = new Set(
    evidence.ledger.flatMap(({ what, detail }) => (what === 'committed' ? detail.slice(0, 1) : [])),
  );
  const runs = runsOf(evidence, id);
  const saved = savedRuns(evidence, id);
  return firstOnes(chainOf(evidence, id).checkpoints).flatMap(({ commit, attempt, nonces }, at) => {
    const short = commit.slice(0, 12);
    if (byTool.has(commit)) return [`the checkpoint ${short} is a commit that a tool made`];
    const run = saved[at] ?? null;
    if (run === null) return [`the checkpoint ${short} holds the end of no run of its task`];
    const found: string[] = [];
    if (!run.ended) found.push(`the checkpoint ${short} saved a run that had not ended`);
    if (run.attempt !== attempt)
      found.push(`the checkpoint ${short} of attempt ${attempt} saved a run of attempt ${run.attempt}`);
    const others = runs.filter((one) => one.task === run.task && one.order !== run.order);
    const mixed = others.find((one) => [...one.wrote.values()].some((nonce) => nonces.includes(nonce)));
    if (mixed !== undefined)
      found.push(
        `the checkpoint ${short} holds what a run of attempt ${mixed.attempt} left that was not saved`,
      );
    return found;
  });
}

function repeatedRuns(evidence: Evidence, { id }: AskedWorkstream): string[] {
  const runs = runsOf(evidence, id);
  return savedRuns(evidence, id).flatMap((saved) => {
    if (saved === null) return [];
    const again = runs.filter(({ task, order }) => task === saved.task && order > saved.order);
    return again.map(
      ({ task, attempt }) =>
        `task ${task} ran again in attempt ${attempt}, after its checkpoint of attempt ${saved.attempt}`,
    );
  });
}

function recordFaults(evidence: Evidence, { id }: AskedWorkstream): string[] {
  const record = recordOf(evidence, id);
  if (record === null) return [];
  const { tip, checkpoints, fault } = chainOf(evidence, id);
  const found: string[] = [];
  const fact = evidence.records.find(({ workstream }) => workstream === id);
  const head = record.head?.slice(0, 12);
  if (fact?.headExists === false) found.push(`the record names the commit ${head}, which is not there`);
  const done = Number(record.progress.split('/')[0]);
  if (fault !== null) return found;
  const known = firstOnes(checkpoints).length;
  if (done > known) found.push(`the record tells of ${done} finished tasks, git of ${known}`);
  const isKnown = record.head === record.base || checkpoints.some(({ commit }) => commit === record.head);
  if (record.head !== null && !isKnown) found.push(`the record's head ${head} is no checkpoint`);
  if (['completed', 'merged'].includes(record.status) && tip !== null && record.head !== tip)
    found.push(`it is ${record.status} at ${head}, but its checkpoint is ${tip.slice(0, 12)}`);
  return found;
}
