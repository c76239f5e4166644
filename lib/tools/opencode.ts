import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, PREFACE, type Reading, readingOf } from './cli-agent.ts';
import { countAt, type JsonObject, jsonLines, textAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';

/** The outcome of a run of opencode, from its JSON events. */
export function opencodeOutcome(end: End): Reading {
  const events = jsonLines(end.out);
  const usage = usageOf(events);
  const failure = events.findLast(({ type }) => type === 'error');
  if (failure !== undefined) return failureOf(failure, usage);
  const isOver = events.some(({ type }) => type === 'step_finish');
  if (end.exitCode === 0 && isOver) return readingOf('done', 'exit code 0', usage);
  return readingOf('error', `it ended without a result; ${lastWords(end)}`, usage);
}

function failureOf(failure: JsonObject, usage: ToolUsage | null): Reading {
  const name = textAt(failure, 'error.name') ?? '';
  const text = textAt(failure, 'error.data.message') ?? name;
  const status = countAt(failure, 'error.data.statusCode');
  const retryAfterSeconds = retryAfterIn(text) ?? retryAfterHeader(failure);
  if (name === 'ContextOverflowError') return readingOf('context_overflow', text, usage);
  if (name === 'ProviderAuthError') return readingOf('auth', text, usage);
  const outcome = outcomeOfProviderError({ status, text }, retryAfterSeconds);
  return {
    outcome,
    message: `${status === null ? '' : `HTTP ${status}: `}${text}`,
    usage,
    retryAfterSeconds,
  };
}

function retryAfterHeader(failure: JsonObject): number | null {
  const seconds = Number(textAt(failure, 'error.data.responseHeaders.retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

function usageOf(events: readonly JsonObject[]): ToolUsage | null {
  const steps = events.filter(({ type }) => type === 'step_finish');
  if (steps.length === 0) return null;
  const sum = (...paths: string[]): number =>
    steps.reduce((all, step) => all + paths.reduce((part, path) => part + (countAt(step, path) ?? 0), 0), 0);
  const cost = sum('part.cost');
  return {
    tokensIn: sum('part.tokens.input', 'part.tokens.cache.read', 'part.tokens.cache.write'),
    tokensOut: sum('part.tokens.output', 'part.tokens.reasoning'),
    // A model without a price costs 0 there.
    costUsd: cost === 0 ? null : cost,
  };
}

/** opencode (`opencode`). */
export const opencode = cliAgent({
  name: 'opencode',
  program: 'opencode',
  preface: PREFACE,
  prepare: ({ settings }, promptFile) => ({
    args: [
      ...['run', '--format', 'json', '--auto'],
      ...(settings.model === undefined ? [] : ['-m', settings.model]),
      ...(settings.args ?? []),
    ],
    env: { OPENCODE_DISABLE_AUTOUPDATE: '1' },
    stdinFile: promptFile,
  }),
  read: opencodeOutcome,
});
