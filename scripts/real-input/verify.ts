import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withDigests } from '../../lib/protocol/plan.ts';
import type { Ordeal } from './ordeal.ts';
import type { Planned } from './plan.ts';
import { findAll } from './processes.ts';
import { check, type Score } from './score.ts';
import { git, shell } from './shell.ts';
import { type Recorded, readRecord } from './state.ts';

type Evidence = { root: string; planned: readonly Planned[]; ordeal: Ordeal; score: Score };

const QUIET_LIMIT_MS = 20_000;

/** Checks what must be true after the reattach: in the records, in git, in the code and among the processes. */
export async function verify(evidence: Evidence): Promise<void> {
  for (const workstream of evidence.planned) {
    const record = readRecord(evidence.root, workstream.id);
    if (record?.status !== 'completed' || record.base === null) {
      check(evidence.score, `${workstream.id}: completed`, false, JSON.stringify(record));
      continue;
    }
    checkRecord(evidence, workstream, record);
    await checkCommits(evidence, workstream, record.base);
    await judgeAgain(evidence, workstream);
  }
  await checkKilled(evidence);
  await checkProcesses(evidence);
}

function checkRecord({ ordeal, score }: Evidence, { id, tasks }: Planned, record: Recorded): void {
  check(score, `${id}: completed`, true);
  check(score, `${id}: ${tasks.length} tasks done`, record.progress === `${tasks.length}/${tasks.length}`);
  // The kill of the orchestrator may cut off the start of a worker, which is then begun once more.
  const attempt = (id === ordeal.killed ? 2 : 1) + record.cut_offs;
  check(score, `${id}: attempt ${attempt}`, record.attempt === attempt, `attempt ${record.attempt}`);
}

/** Exactly one checkpoint a task, in order, named by the task's digest. */
async function checkCommits({ root, score }: Evidence, { id, tasks }: Planned, from: string): Promise<void> {
  const format = '--format=%(trailers:key=Orch-Task,valueonly,separator=%x2C)';
  const log = await git(root, 'log', '--reverse', '--first-parent', format, `${from}..orch/${id}`);
  const found = log.split('\n').filter((line) => line !== '');
  const wanted = withDigests(tasks.map(({ run }) => ({ kind: 'run', run, timeoutMs: null, step: null })));
  const same = found.join() === wanted.map(({ digest }) => digest).join();
  check(score, `${id}: one checkpoint a task`, same, `${found.length} of ${tasks.length}: ${found.join()}`);
}

async function checkKilled({ root, ordeal, score }: Evidence): Promise<void> {
  const { killed, checkpoint, salvage } = ordeal;
  const base = await git(root, 'merge-base', checkpoint, `orch/${killed}`);
  check(score, `${killed}: goes on from the checkpoint before the kill`, base === checkpoint);
  if (!salvage) return;
  const kept = await git(root, 'for-each-ref', '--format=%(refname)', `refs/orch/salvage/${killed}/`);
  check(score, `${killed}: its half-done edits are salvaged`, kept !== '');
}

/** The acceptance tests once more, by this script, in a fresh worktree of the branch. */
async function judgeAgain({ root, score }: Evidence, workstream: Planned): Promise<void> {
  const { id, acceptance_tests, env } = workstream;
  const tree = join(root, '..', 'judged', id);
  await git(root, 'worktree', 'add', '--quiet', '--detach', tree, `orch/${id}`);
  for (const { run } of acceptance_tests) {
    const { code, tail } = await shell(tree, run, env);
    check(score, `${id}: ${run}`, code === 0, tail);
  }
}

/** Those that are about to end get a moment: the orchestrator outlives the last record. */
async function checkProcesses({ root, score }: Evidence): Promise<void> {
  const deadline = performance.now() + QUIET_LIMIT_MS;
  let left = findAll(root);
  while (left.length > 0 && performance.now() < deadline) {
    await delay(50);
    left = findAll(root);
  }
  const named = left.map(({ pid, command }) => `${pid} ${command}`).join('; ');
  check(score, 'no process is left over', left.length === 0, named);
}
