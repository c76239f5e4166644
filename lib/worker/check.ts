import { OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { takeBackFiles } from '../git/put-back.ts';
import { discardChanges } from '../git/tidy.ts';
import type { CheckGroup } from '../protocol/plan.ts';
import type { CheckResult } from '../protocol/status.ts';
import { recordHistory } from '../store/events.ts';
import type { Transcript } from '../tools/adapter.ts';
import { NOT_FOUND } from '../tools/supervise.ts';
import type { Attempt } from './attempt.ts';
import { checkKey } from './earlier-checks.ts';
import { judgedBy, putBackTests } from './edited-tests.ts';
import { transcriptFromNow } from './log.ts';
import { runShell } from './shell.ts';

export type CheckFailure = {
  text: string;
  message: string;
  code: 'verify_failed' | 'not_installed' | 'killed';
  /** The end of what it printed. */
  output: string;
};

/** Of all tests of a group together; what comes first of a long output is rarely what went wrong. */
const OUTPUT_MAX_BYTES = 8 * 1024;

/**
 * Runs the acceptance tests of a group on the committed tree, all of them even if one fails. What they leave in
 * the worktree is thrown away: it is neither work nor a violation. Tests that an agent edited outside the scope stand
 * as they were before while they run.
 */
export async function runChecks(
  attempt: Attempt,
  group: CheckGroup,
  worktree: string,
): Promise<CheckFailure[]> {
  const failures: CheckFailure[] = [];
  const edited = group.checks.some(({ kind }) => kind === 'command') ? await putBackTests(attempt) : [];
  for (const check of group.checks) {
    if (check.kind === 'prose') {
      await note(attempt, { text: check.text, kind: 'prose', passed: null, seconds: null });
      continue;
    }
    await attempt.reporter.progress({ current_task: `check: ${check.text}` });
    process.stdout.write(`orch: check: ${check.run}\n`);
    failpoint('worker.check.before');
    const begun = performance.now();
    const transcript = transcriptFromNow(attempt, OUTPUT_MAX_BYTES);
    const ended = await runShell(attempt, check.run, worktree);
    if (ended.how === 'killed')
      return [{ text: check.text, message: ended.message, code: 'killed', output: '' }];
    failpoint('worker.check.after');
    const passed = ended.how === 'exit' && ended.exitCode === 0;
    await note(attempt, {
      text: check.text,
      kind: 'command',
      passed,
      seconds: (performance.now() - begun) / 1000,
    });
    if (!passed) {
      const code =
        ended.exitCode === NOT_FOUND || ended.how === 'not_started' ? 'not_installed' : 'verify_failed';
      failures.push({ text: check.text, message: ended.message, code, output: outputOf(transcript) });
    }
  }
  const { root, workstream, excluded } = attempt;
  await takeBackFiles(root, workstream.id, headNow(attempt));
  await discardChanges(root, workstream.id, excluded, headNow(attempt));
  const judged = judgedBy(edited);
  const share = Math.floor(OUTPUT_MAX_BYTES / Math.max(1, failures.length));
  return failures.map(({ message, output, ...failure }) => ({
    ...failure,
    message: judged === '' ? message : `${message}, ${judged}`,
    output: endOfText(output, share),
  }));
}

/**
 * stdout, then stderr: in which order the two came nobody knows any more. A log that cannot be read costs the words, not
 * the verdict.
 */
function outputOf(transcript: Transcript): string {
  try {
    const { out, err } = transcript.read();
    return [out, err].filter((text) => text !== '').join('\n');
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    process.stderr.write(`orch: ${error.message}\n`);
    return '';
  }
}

/** The last `maxBytes` of a text, from the beginning of a line where there is one. */
function endOfText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const end = bytes.subarray(bytes.length - maxBytes).toString('utf8');
  const newline = end.indexOf('\n');
  return newline === -1 || newline > maxBytes / 2 ? end : end.slice(newline + 1);
}

/** The commit that the worktree stands at: the last checkpoint, or the base. */
export function headNow(attempt: Attempt): string {
  const { head } = attempt.reporter.record();
  if (head === null) throw new OrchError('INTERNAL', `${attempt.workstream.id} has no head`);
  return head;
}

async function note(attempt: Attempt, result: CheckResult): Promise<void> {
  const { root, number, reporter, workstream } = attempt;
  // With the commit that it judged: later attempts go by it where that commit is still a checkpoint.
  recordHistory(root, workstream.id, {
    entry: 'check',
    attempt: number,
    commit: headNow(attempt),
    ...result,
  });
  const others = reporter.record().checks.filter((one) => checkKey(one) !== checkKey(result));
  await reporter.progress({ checks: [...others, result] });
}
