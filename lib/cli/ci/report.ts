import { appendFileSync } from 'node:fs';
import { messageOf } from '../../errors.ts';
import type { StatusList } from '../../orchestrate/poll.ts';
import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';
import { maskSecrets } from '../../protocol/mask.ts';
import { escapeControls } from '../../protocol/text.ts';
import { readTail } from '../log-tail.ts';
import { ciOf } from './environment.ts';
import { jobSummary } from './job-summary.ts';
import { openWorkflow, type Workflow } from './workflow.ts';

/** What a run tells of in GitHub Actions, beside its lines; elsewhere nothing. */
export type CiReport = {
  /** Shows the log of each workstream that has ended since the last list. */
  seen(list: StatusList): Promise<void>;
  /** The last list: annotations and the summary of the job. */
  end(list: StatusList): Promise<void>;
  /** Must be called in the end, come what may. */
  close(): void;
  /** The end is told here: as annotations. */
  tellsEnd: boolean;
};

const TAIL_LINES = 40;
const NOTHING: CiReport = {
  seen: async () => undefined,
  end: async () => undefined,
  close: () => undefined,
  tellsEnd: false,
};
const ERRORS: ReadonlySet<string> = new Set(['failed', 'timed_out', 'crashed', 'conflict']);
const DONE: ReadonlySet<string> = new Set(['completed', 'merged']);

/** With `json`, stdout belongs to the machine that reads it: only the summary is written. */
export function beginCiReport(output: { json: boolean; quiet: boolean; dryRun: boolean }): CiReport {
  if (ciOf() !== 'github' || output.dryRun) return NOTHING;
  if (output.json) return { ...NOTHING, end: async (list) => appendSummary(list) };
  const write = (text: string): void => void process.stdout.write(text);
  const workflow = openWorkflow(write);
  const shown = new Set<string>();
  const seen = async (list: StatusList): Promise<void> => {
    if (output.quiet) return;
    for (const status of list.workstreams) {
      const key = JSON.stringify([status.workstream, status['run'], status['attempt'], status.verdict]);
      if (!status.final || status['started_at'] === null || shown.has(key)) continue;
      shown.add(key);
      await showLog(workflow, list.root, status, write);
    }
  };
  return {
    seen,
    async end(list) {
      await seen(list);
      for (const status of list.workstreams) annotate(workflow, status);
      appendSummary(list);
    },
    close: workflow.close,
    tellsEnd: true,
  };
}

async function showLog(
  workflow: Workflow,
  root: string,
  { workstream, verdict }: WorkstreamStatus,
  write: (text: string) => void,
): Promise<void> {
  const name = escapeControls(workstream);
  workflow.command('group', {}, `${name} ${verdict}`);
  try {
    for (const [stream, mark] of [
      ['stdout', '|'],
      ['stderr', '!'],
    ] as const) {
      for (const line of (readTail(root, workstream, stream) ?? []).slice(-TAIL_LINES))
        write(`${name} ${mark} ${line}\n`);
    }
  } catch (error) {
    write(`${name} ! its log cannot be read: ${escapeControls(messageOf(error))}\n`);
  } finally {
    workflow.command('endgroup', {}, '');
  }
}

function annotate(workflow: Workflow, { workstream, verdict, reason }: WorkstreamStatus): void {
  if (DONE.has(verdict)) return;
  const hint = reason?.hint ?? null;
  const text = `${reason?.message ?? `it is ${verdict}`}${hint === null ? '' : `\n${hint}`}`;
  const lines = maskSecrets(text).split('\n').map(escapeControls).join('\n');
  const title = escapeControls(`${workstream} ${verdict}`);
  workflow.command(ERRORS.has(verdict) ? 'error' : 'warning', { title }, lines);
}

/** A summary that cannot be written costs the summary. */
function appendSummary(list: StatusList): void {
  const path = process.env['GITHUB_STEP_SUMMARY'] ?? '';
  if (path === '') return;
  try {
    appendFileSync(path, jobSummary(list));
  } catch (error) {
    process.stderr.write(`orch: the job summary cannot be written: ${messageOf(error)}\n`);
  }
}
