import { relative } from 'node:path';
import { pidPath } from '../../protocol/layout.ts';
import type { AskedWorkstream, Evidence, Violation } from '../evidence.ts';
import { chainOf, recordOf, runsOf, savedRuns } from './facts.ts';

/** Guarantee 8: success is never guessed. */
export function judgeSuccess(evidence: Evidence): Violation[] {
  return evidence.workstreams.flatMap((asked) =>
    [
      ...guessedSuccess(evidence, asked),
      ...guessedOutcomes(evidence, asked),
      ...hiddenEnd(evidence, asked),
      ...begunTooEarly(evidence, asked),
    ].map((what): Violation => ({ guarantee: 8, workstream: asked.id, what })),
  );
}

function guessedSuccess(evidence: Evidence, asked: AskedWorkstream): string[] {
  const record = recordOf(evidence, asked.id);
  if (record === null) return [];
  const { status, exit_code: exitCode } = record;
  if (status !== 'completed' && status !== 'merged')
    return exitCode === 0 && status !== 'conflict' ? [`it is ${status} with exit code 0`] : [];
  const found: string[] = [];
  if (exitCode !== 0) found.push(`it is ${status} with exit code ${exitCode}`);
  const done = new Set(chainOf(evidence, asked.id).checkpoints.map(({ task }) => task));
  const open = asked.tasks.filter(({ digest }) => !done.has(digest)).length;
  if (open > 0) found.push(`it is ${status}, but ${open} of its tasks have no checkpoint`);
  return [...found, ...guessedChecks(evidence, asked)];
}

/** The attempt that completed it ran each test itself, after the last task, and the last word of each was `pass`. */
function guessedChecks(evidence: Evidence, { id, checks }: AskedWorkstream): string[] {
  const record = recordOf(evidence, id);
  if (record === null) return [];
  if (checks === 0) {
    return record.reason === null ? ['it is completed, nothing verified it, and it has no reason'] : [];
  }
  const lastTask = Math.max(-1, ...savedRuns(evidence, id).map((run) => run?.order ?? -1));
  const token = record.identity?.token;
  const words = new Map<string, string>();
  for (const { what, workstream, token: by, order, detail } of evidence.ledger) {
    if (what !== 'check' || workstream !== id || by !== token || order < lastTask) continue;
    words.set(detail[0] ?? '', detail[1] ?? '');
  }
  const passed = [...words.values()].filter((word) => word === 'pass').length;
  return passed === checks && words.size === checks
    ? []
    : [`it is completed, but ${passed} of ${checks} acceptance tests passed in its last attempt`];
}

/**
 * A run that failed by its own word was not written down as done; nor was one without an exit code, where it is a
 * program: the model API has none.
 */
function guessedOutcomes(evidence: Evidence, { id }: AskedWorkstream): string[] {
  const runs = runsOf(evidence, id);
  return evidence.history.flatMap(
    ({ workstream, entry, outcome, exit_code: exitCode, task, attempt, tool }) => {
      if (workstream !== id || entry !== 'tool_run') return [];
      if (outcome !== 'done' && outcome !== 'no_change') return [];
      if (exitCode !== 0 && !(tool === 'llm' && exitCode === null))
        return [`task ${String(task)} is noted as ${outcome} with exit code ${String(exitCode)}`];
      const own = runs.filter((run) => run.task === task && run.attempt === attempt);
      const isWrong = own.length > 0 && own.every((run) => run.failed || !run.ended);
      return isWrong
        ? [`task ${String(task)} of attempt ${String(attempt)} is noted as ${outcome}, but did not end well`]
        : [];
    },
  );
}

/**
 * A shell takes a PID file that is gone for an end: it goes after the last word, and is there from before the
 * attempt is noted in the history.
 */
function hiddenEnd(evidence: Evidence, { id }: AskedWorkstream): string[] {
  const record = recordOf(evidence, id);
  if (record?.status !== 'running' || evidence.stateFiles.includes(relativePidPath(id))) return [];
  const isNoted = evidence.history.some(
    ({ workstream, entry, attempt }) =>
      workstream === id && entry === 'attempt' && attempt === record.attempt,
  );
  return isNoted ? ['its PID file is gone, but its record still says running'] : [];
}

const relativePidPath = (id: string): string => relative('/', pidPath('/', id));

/** A workstream begins once all that it depends on is done, not before. */
function begunTooEarly(evidence: Evidence, { id, dependsOn }: AskedWorkstream): string[] {
  const first = runsOf(evidence, id)[0];
  if (first === undefined) return [];
  return dependsOn.flatMap((parent) => {
    const tasks = evidence.workstreams.find((one) => one.id === parent)?.tasks ?? [];
    const before = runsOf(evidence, parent).filter(
      ({ endedAt }) => endedAt !== null && endedAt < first.order,
    );
    const ended = new Set(before.map(({ task }) => task));
    return ended.size < tasks.length ? [`it began before ${parent}, which it depends on, was done`] : [];
  });
}
