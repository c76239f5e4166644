import { type View, viewOf, visibleFiles } from '../../git/visible.ts';
import { ENV } from '../../protocol/layout.ts';
import { cutText, escapeControls } from '../../protocol/text.ts';
import type { ToolRequest, ToolResult } from '../adapter.ts';
import { makeModel, type Prompt, type Usage } from './ask.ts';
import { type Bound, startClock } from './clock.ts';
import { openConnection } from './connection.ts';
import { gatherContext } from './context.ts';
import { converse, type Result } from './converse.ts';
import { judgeFailure } from './failure.ts';
import { INSTRUCTIONS } from './format.ts';
import { LLM_ENV, type LlmSettings } from './settings.ts';
import { makeMask, makeVoice, type Voice } from './voice.ts';

/** One task, from the first question to the last edit. Loaded when there is one to do: the model library is large. */

const MAX_MESSAGE_BYTES = 500;

/** Runs the task; all bounds are kept here, since no process is started that could be watched. */
export async function runTask(request: ToolRequest, llm: LlmSettings): Promise<ToolResult> {
  const mask = makeMask(llm.apiKey);
  const voice = makeVoice(mask, (text) => void process.stdout.write(text));
  const { stallMs } = request.supervision;
  const clock = startClock(request.supervision);
  const env = { ...request.env, ...request.settings.env };
  const connection = openConnection(llm.baseUrl, env, clock.heard);
  try {
    const view = await viewOf(request.worktree, request.env[ENV.root], request.env[ENV.workstream]);
    const { opening, seen } = await openingOf(request, llm, view, voice);
    const model = makeModel(llm, connection.fetch);
    const talk = { model, request, view, clock, voice, readBytes: llm.contextBytes, seen };
    const { result, usage } = await converse(talk, opening);
    const judged = judge(result, llm, { bound: clock.reached(), stallMs });
    const message = cutText(
      escapeControls(mask(judged.message).replaceAll(/\s+/g, ' ').trim()),
      MAX_MESSAGE_BYTES,
    );
    voice.note(`${judged.outcome}: ${message}`);
    return { ...judged, message, exitCode: null, signal: null, usage: asToolUsage(usage) };
  } finally {
    clock.close();
    await connection.close();
  }
}

type Judged = Pick<ToolResult, 'outcome' | 'message' | 'retryAfterSeconds'>;

function judge(result: Result, llm: LlmSettings, clock: { bound: Bound | null; stallMs: number }): Judged {
  if (result.kind === 'ended')
    return { outcome: result.outcome, message: result.message, retryAfterSeconds: null };
  // What fails once a bound is reached fails because of it.
  if (result.kind === 'bound' || clock.bound !== null) return boundResult(clock.bound, clock.stallMs);
  const { host } = new URL(llm.baseUrl);
  const judged = judgeFailure(result.failure, { model: llm.model, host, now: Date.now() / 1000 });
  if (judged.outcome !== 'context_overflow') return judged;
  const hint = `${LLM_ENV.contextBytes} (now ${llm.contextBytes}) may be set lower`;
  return { ...judged, message: `${cutText(judged.message, 300)}; ${hint}` };
}

function boundResult(bound: Bound | null, stallMs: number): Judged {
  const message = {
    killed: 'the worker was told to stop',
    timeout: 'took longer than its time',
    stalled: `the server sent nothing for ${Math.round(stallMs / 100) / 10} s`,
  } as const;
  const outcome = bound ?? 'killed';
  return { outcome, message: message[outcome], retryAfterSeconds: null };
}

const asToolUsage = (usage: Usage | null): ToolResult['usage'] =>
  usage === null ? null : { ...usage, costUsd: null };

async function openingOf(
  { prompt, files }: ToolRequest,
  llm: LlmSettings,
  view: View,
  voice: Voice,
): Promise<{ opening: Prompt; seen: string[] }> {
  const { present, toCreate } = files;
  const visible = await visibleFiles(view);
  const context = gatherContext({
    worktree: view.path,
    visible,
    present,
    toCreate,
    prompt,
    budgetBytes: llm.contextBytes,
  });
  const { host } = new URL(llm.baseUrl);
  const shown = context.shown.length === 1 ? '1 file' : `${context.shown.length} files`;
  voice.note(`${llm.model} at ${host}; ${shown} shown`);
  for (const { path, why } of context.leftOut.slice(0, 20))
    voice.note(`not shown: ${JSON.stringify(path)}: ${why}`);
  const content = [prompt, context.text].filter((part) => part !== '').join('\n\n');
  return { opening: { system: INSTRUCTIONS, messages: [{ role: 'user', content }] }, seen: context.whole };
}
