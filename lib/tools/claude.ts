import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, PREFACE, type Reading, readingOf } from './cli-agent.ts';
import { countAt, type JsonObject, jsonLines, textAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';

/**
 * The outcome of a run of Claude Code, from its stream of JSON events. Its `subtype` says `success` of failures too;
 * `is_error` and `api_error_status` tell.
 */
export function claudeOutcome(end: End): Reading {
  const events = jsonLines(end.out);
  const result = events.findLast(({ type }) => type === 'result');
  if (result === undefined) return readingOf('error', `it ended without a result; ${lastWords(end)}`);
  const usage = usageOf(result);
  const text = textAt(result, 'result') ?? textAt(result, 'subtype') ?? '';
  if (result['is_error'] !== true)
    return end.exitCode === 0
      ? readingOf('done', 'exit code 0', usage)
      : readingOf('error', lastWords(end), usage);
  const status = countAt(result, 'api_error_status') ?? statusOfRetries(events);
  const retryAfterSeconds = retryAfterIn(text);
  const outcome = outcomeOfProviderError({ status, text }, retryAfterSeconds);
  return {
    outcome,
    message: `${status === null ? '' : `HTTP ${status}: `}${text}`,
    usage,
    retryAfterSeconds,
  };
}

const STATUS_OF_RETRY: Readonly<Record<string, number>> = {
  rate_limit: 429,
  authentication_failed: 401,
};

/** What it last tried again for, where the result does not say. */
function statusOfRetries(events: readonly JsonObject[]): number | null {
  const last = events.findLast(({ type, subtype }) => type === 'system' && subtype === 'api_retry');
  return last === undefined ? null : (STATUS_OF_RETRY[String(last['error'])] ?? null);
}

function usageOf(result: JsonObject): ToolUsage | null {
  const tokensIn = [
    'usage.input_tokens',
    'usage.cache_creation_input_tokens',
    'usage.cache_read_input_tokens',
  ].reduce((sum, path) => sum + (countAt(result, path) ?? 0), 0);
  const tokensOut = countAt(result, 'usage.output_tokens');
  if (tokensOut === null) return null;
  return { tokensIn, tokensOut, costUsd: countAt(result, 'total_cost_usd') };
}

/** Claude Code (`claude`). It may edit files; other tools it may use as far as the user's settings say. */
export const claude = cliAgent({
  name: 'claude',
  program: 'claude',
  preface: PREFACE,
  prepare: ({ env, settings }, promptFile) => ({
    args: [
      ...['-p', '--output-format', 'stream-json', '--verbose', '--permission-mode', 'acceptEdits'],
      ...(settings.model === undefined ? [] : ['--model', settings.model]),
      ...(settings.args ?? []),
    ],
    env: {
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      // Its own tries last three minutes; trying again is for orch, which knows of the other workers.
      CLAUDE_CODE_MAX_RETRIES: env['CLAUDE_CODE_MAX_RETRIES'] ?? '1',
    },
    stdinFile: promptFile,
  }),
  read: claudeOutcome,
});
