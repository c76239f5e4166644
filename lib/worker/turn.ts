import { messageOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { differsFrom } from '../git/look.ts';
import { makeScratch, removeScratch } from '../git/scratch.ts';
import { taskText } from '../protocol/plan.ts';
import type { Outcome, ToolRun } from '../protocol/status.ts';
import { cutText, escapeControls } from '../protocol/text.ts';
import type { Adapter, ToolResult } from '../tools/adapter.ts';
import { believable } from '../tools/counts.ts';
import { adapterNamed } from '../tools/registry.ts';
import { agentEnvironmentOf } from './attempt.ts';
import type { Bench, Turn } from './bench.ts';
import { headNow } from './check.ts';
import { logSizes } from './log.ts';
import { watchingRefs } from './moved-refs.ts';
import { type AgentJob, agentRequest, settingsIn } from './tool-request.ts';
import { accountFor } from './wait-limit.ts';

const MESSAGE_LENGTH = 400;

/** Runs a tool once for a task. What it says of itself is corrected by what git and the worker know. */
export async function takeTurn(bench: Bench, job: AgentJob): Promise<Turn> {
  const { attempt } = bench;
  const { task, index, tool } = job;
  const begun = { at: Date.now() / 1000, ms: performance.now(), sizes: logSizes() };
  await attempt.reporter.progress({ current_task: taskText(task), tool, reason: null });
  const settings = settingsIn(bench, tool);
  const adapter = adapterNamed(tool, attempt.plan.options.tools);
  const found = adapter?.find(agentEnvironmentOf(attempt, settings), settings) ?? {
    usable: false,
    why: `there is no tool ${JSON.stringify(tool)}`,
    hint: 'Name one that `orch doctor` knows, or add it to "tools" in the config.',
  };
  const result = adapter !== null && found.usable ? await run(bench, job, adapter) : null;
  const outcome = result === null ? 'not_installed' : await outcomeOf(bench, result);
  const sizes = logSizes();
  const usage = result?.usage ? believable(result.usage) : null;
  const toolRun: ToolRun = {
    task: index + 1,
    tool,
    outcome,
    seconds: Math.round(performance.now() - begun.ms) / 1000,
    exit_code: result?.exitCode ?? null,
    tokens: usage === null ? null : usage.tokensIn + usage.tokensOut,
    cost: usage?.costUsd ?? null,
    log: [begun.sizes.out, sizes.out],
    err: [begun.sizes.err, sizes.err],
  };
  const said = result?.message ?? (found.usable ? '' : found.why);
  return {
    toolRun,
    outcome,
    message: escapeControls(cutText(said.replaceAll(/\s+/g, ' ').trim(), MESSAGE_LENGTH)),
    hint: found.usable ? null : found.hint,
    usage,
    retryAfterSeconds: result?.retryAfterSeconds ?? null,
    signal: result?.signal ?? null,
    account: accountFor(bench, tool),
    begunAt: begun.at,
    hasRun: result !== null,
  };
}

async function run(bench: Bench, job: AgentJob, adapter: Adapter): Promise<ToolResult> {
  const { root, workstream } = bench.attempt;
  const scratch = await makeScratch(root, workstream.id);
  try {
    const request = await agentRequest(bench, job, scratch);
    failpoint('worker.agent.before');
    const result = await watchingRefs(bench.attempt, () => adapter.run(request));
    failpoint('worker.agent.after');
    return result;
  } finally {
    await tidy(root, workstream.id);
  }
}

/** What cannot be removed costs nothing: the next run empties it. */
async function tidy(root: string, id: string): Promise<void> {
  try {
    await removeScratch(root, id);
  } catch (error) {
    process.stderr.write(`orch: the papers of a tool are left: ${messageOf(error)}\n`);
  }
}

async function outcomeOf({ attempt }: Bench, { outcome }: ToolResult): Promise<Outcome> {
  const { root, workstream, excluded, life } = attempt;
  if (outcome === 'done' || outcome === 'no_change') {
    return (await differsFrom(root, workstream.id, headNow(attempt), excluded)) ? 'done' : 'no_change';
  }
  // A tool that was stopped may say anything of its end; one that nobody stopped was not.
  if (life.interruption() !== null) return 'killed';
  return outcome === 'killed' ? 'error' : outcome;
}
