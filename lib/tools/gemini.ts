import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, PREFACE, type Reading, readingOf } from './cli-agent.ts';
import { countAt, isObject, type JsonObject, lastJson, textAt, valueAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';

/** Its exit code is the HTTP status, of which the system keeps the lowest 8 bits; 41 is its own word for no login. */
const STATUS_OF_EXIT: ReadonlyMap<number, number> = new Map([
  [41, 401],
  ...[400, 401, 403, 404, 413, 429, 500, 502, 503, 504].map((status) => [status % 256, status] as const),
]);

/** The outcome of a run of Gemini CLI: one JSON object, on stdout where it went well, else the last on stderr. */
export function geminiOutcome(end: End): Reading {
  const answer = lastJson(end.out);
  const usage = answer === null ? null : usageOf(answer);
  const failure = [lastJson(end.err), answer].find((one) => one !== null && isObject(one['error']));
  if (
    end.exitCode === 0 &&
    answer !== null &&
    textAt(answer, 'response') !== null &&
    !isObject(answer['error'])
  )
    return readingOf('done', 'exit code 0', usage);
  const text = failure === undefined || failure === null ? null : textAt(failure, 'error.message');
  const code = failure === undefined || failure === null ? null : countAt(failure, 'error.code');
  const status = isStatus(code) ? code : (STATUS_OF_EXIT.get(end.exitCode ?? 0) ?? null);
  if (text === null && status === null)
    return readingOf('error', `it ended without a result; ${lastWords(end)}`, usage);
  const message = innerMessage(text) ?? lastWords(end);
  const retryAfterSeconds = retryAfterIn(message);
  const outcome = outcomeOfProviderError({ status, text: message }, retryAfterSeconds);
  return { outcome, message, usage, retryAfterSeconds };
}

/** What it passes on of the provider is often JSON itself. */
function innerMessage(text: string | null): string | null {
  return text === null ? null : (textAt(lastJson(text) ?? {}, 'error.message') ?? text);
}

const isStatus = (code: number | null): code is number => code !== null && code >= 400 && code < 600;

function usageOf(answer: JsonObject): ToolUsage | null {
  const models = valueAt(answer, 'stats.models');
  if (!isObject(models)) return null;
  let [tokensIn, tokensOut] = [0, 0];
  for (const model of Object.values(models)) {
    if (!isObject(model)) continue;
    tokensIn += countAt(model, 'tokens.prompt') ?? countAt(model, 'tokens.input') ?? 0;
    tokensOut += (countAt(model, 'tokens.candidates') ?? 0) + (countAt(model, 'tokens.thoughts') ?? 0);
  }
  return { tokensIn, tokensOut, costUsd: null };
}

/** Gemini CLI (`gemini`). Its settings are the user's: others it takes only from files that root owns. */
export const gemini = cliAgent({
  name: 'gemini',
  program: 'gemini',
  preface: PREFACE,
  prepare: ({ settings }, promptFile) => ({
    args: [
      ...['--approval-mode', 'yolo', '--skip-trust', '-o', 'json'],
      ...(settings.model === undefined ? [] : ['-m', settings.model]),
      ...(settings.args ?? []),
    ],
    env: {},
    stdinFile: promptFile,
  }),
  read: geminiOutcome,
});
