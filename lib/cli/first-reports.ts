import { orchestratorLogPath } from '../protocol/layout.ts';
import type { FrozenPlan } from '../protocol/plan.ts';
import { isHeldBack, type StatusRecord } from '../protocol/status.ts';
import { escapeControls, jsonLine } from '../protocol/text.ts';
import { isOfRun, waitForFirst } from './wait-for-first.ts';

/** Waits until the first workers have passed the gate and reported, and prints them; 1 if one could not start. */
export async function firstReports(
  root: string,
  plan: FrozenPlan,
  output: { json: boolean; quiet: boolean },
): Promise<number> {
  const { records, enough, late } = await waitForFirst(root, plan);
  const mine = records.filter((record) => isOfRun(record, plan));
  const begun = mine.filter(({ status }) => status !== 'pending' && status !== 'blocked');
  const lacking = mine.filter(isHeldBack);
  // With enough of them at work, one that is starting is the next in turn.
  const failed = begun.filter(({ status }) => status === 'crashed' || (status === 'starting' && !enough));
  if (output.json) {
    const workstreams = [...begun, ...lacking].map((record) => ({
      workstream: record.workstream,
      status: record.status,
      pid: record.pid,
      worktree: record.worktree,
      branch: record.branch,
      attempt: record.attempt,
      reason: record.reason,
    }));
    process.stdout.write(jsonLine({ schema: 'orch.launch/1', run: plan.run, workstreams }));
  } else if (!output.quiet) {
    for (const { workstream, status, pid, worktree } of begun) {
      const worker = pid === null ? '' : `  pid ${pid}`;
      process.stdout.write(`${workstream}  ${status}${worker}  ${escapeControls(worktree)}\n`);
    }
    const waiting = mine.length - begun.length - lacking.length;
    const kept = records.length - mine.length;
    if (kept > 0) process.stdout.write(`${kept} had completed before and are kept.\n`);
    if (waiting > 0)
      process.stdout.write(`${waiting} more ${waiting === 1 ? 'waits for its' : 'wait for their'} turn.\n`);
    process.stdout.write('You may close this terminal. `orch status` polls, `orch reattach` watches.\n');
  }
  if (!output.json) {
    tellLacking(lacking);
    if (late.length > 0) tellLate(root, late);
  }
  return failed.length + lacking.length + late.length > 0 ? 1 : 0;
}

/** What keeps them may pass, and is tried again: the orchestrator's log says what it is. */
function tellLate(root: string, ids: readonly string[]): void {
  process.stderr.write(`orch: ${listed(ids)} did not begin\nLook at ${orchestratorLogPath(root)}.\n`);
}

const listed = (ids: readonly string[]): string =>
  `${ids.slice(0, 10).join(', ')}${ids.length > 10 ? ', …' : ''}`;

/** One message a reason: a missing key holds all of a plan back. */
function tellLacking(lacking: readonly StatusRecord[]): void {
  const messages = new Map(lacking.map(({ reason }) => [reason?.message ?? '', reason?.hint ?? null]));
  for (const [message, hint] of messages) {
    const ids = lacking
      .filter(({ reason }) => reason?.message === message)
      .map(({ workstream }) => workstream);
    const more = hint === null ? '' : `\n${escapeControls(hint)}`;
    process.stderr.write(`orch: ${listed(ids)} pending: ${escapeControls(message)}${more}\n`);
  }
}
