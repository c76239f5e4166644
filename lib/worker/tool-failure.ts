import { type PlannedTask, taskText } from '../protocol/plan.ts';
import type { Outcome } from '../protocol/status.ts';
import { cutText } from '../protocol/text.ts';
import type { Step } from '../tools/policy.ts';
import type { Bench, BenchRun } from './bench.ts';
import { type Conclusion, endOf, quote, retryHint } from './conclusion.ts';

/** How a workstream ends that no tool could bring on. */

export type Exhausted = {
  task: PlannedTask;
  index: number;
  runs: readonly BenchRun[];
  step: Extract<Step, { step: 'fail' }>;
  /** The acceptance test that was to be mended, and how it failed. */
  failed: string | null;
};

const SAID_BYTES = 60;

export function failureOf(bench: Bench, { task, index, runs, step, failed }: Exhausted): Conclusion {
  const { workstream } = bench.attempt;
  const last = runs.findLast(({ turn }) => turn !== null)?.turn ?? null;
  const what = failed ?? `task ${index + 1}, ${quote(taskText(task))}`;
  const bound = step.bound === null ? '' : `${step.bound} is reached; `;
  const message = `${what}: ${bound}${whatEachSaid(bench, runs)}`;
  const reason = { code: step.code, message, hint: hintFor(bench, runs) ?? retryHint(workstream) };
  const exitCode = last?.toolRun.exit_code ?? (failed === null ? null : 1);
  // 0 would say that all is well; so a tool that ended well and did not bring it on has no exit code to tell.
  return {
    status: endOf(step.code),
    exitCode: exitCode === 0 ? 1 : exitCode,
    signal: last?.signal ?? null,
    reason,
  };
}

type Said = { outcome: Outcome; message: string; times: number };

/** `aider: auth; llm: error: …`, in the order in which they were last tried. */
function whatEachSaid({ barred }: Bench, runs: readonly BenchRun[]): string {
  const said = new Map<string, Said>();
  for (const [tool, { outcome, message }] of barred) said.set(tool, { outcome, message, times: 1 });
  for (const { tool, outcome, turn } of runs) {
    const times = runs.filter((run) => run.tool === tool && run.outcome === outcome).length;
    said.delete(tool);
    said.set(tool, { outcome, message: turn?.message ?? '', times });
  }
  return [...said].map(([tool, one]) => `${tool}: ${phraseOf(one)}`).join('; ');
}

function phraseOf({ outcome, message, times }: Said): string {
  const often = times > 1 ? ` (${times} times)` : '';
  // Of a failed test the test is named already, and who changed nothing ended well.
  const isSaid = message === '' || outcome === 'verify_failed' || outcome === 'no_change';
  const text = isSaid ? '' : `: ${cutText(message, SAID_BYTES)}`;
  return `${outcome}${often}${text}`;
}

function hintFor({ barred, attempt }: Bench, runs: readonly BenchRun[]): string | null {
  const { id } = attempt.workstream;
  const again = `then run \`orch retry ${id}\`.`;
  const hints = [...barred.values()].flatMap(({ hint }) => (hint === null ? [] : [hint.replace(/\.$/, '')]));
  const keys = [...barred].filter(([, { outcome }]) => outcome === 'auth').map(([tool]) => tool);
  const last = runs.at(-1)?.outcome;
  if (keys.length > 0) hints.unshift(`Mend the key of ${keys.join(' and ')} (the shell, or env_file)`);
  if (last === 'context_overflow') hints.push('Make the task or its scope smaller');
  if (last === 'timeout' || last === 'stalled') hints.push('Give it more time, or another tool');
  return hints.length === 0 ? null : `${hints.join('. ')}, ${again}`;
}
