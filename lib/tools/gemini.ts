import { join } from 'node:path';
import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, type Reading, readingOf } from './cli-agent.ts';
import { countAt, isObject, type JsonObject, lastJson, textAt, valueAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';
import { writePrivate } from './scratch-file.ts';

/** Its exit code is the HTTP status, of which the system keeps the lowest 8 bits. */
const STATUS_OF_EXIT: ReadonlyMap<number, number> = new Map(
  [400, 401, 403, 404, 413, 429, 500, 502, 503, 504].map((status) => [status % 256, status]),
);

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
  const message = text ?? lastWords(end);
  const retryAfterSeconds = retryAfterIn(message);
  const outcome = outcomeOfProviderError({ status, text: message }, retryAfterSeconds);
  return { outcome, message, usage, retryAfterSeconds };
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

/** Below what the user's own settings say. */
const DEFAULTS = {
  general: { disableAutoUpdate: true, enableAutoUpdate: false, disableUpdateNag: true, maxAttempts: 3 },
  privacy: { usageStatisticsEnabled: false },
};

/** Gemini CLI (`gemini`). */
export const gemini = cliAgent({
  name: 'gemini',
  program: 'gemini',
  prepare: ({ env, scratch, settings }, promptFile) => {
    const name = 'GEMINI_CLI_SYSTEM_DEFAULTS_PATH';
    const own = env[name];
    const defaults = own ?? join(scratch, 'defaults.json');
    if (own === undefined) writePrivate(defaults, JSON.stringify(DEFAULTS));
    return {
      args: [
        ...['--approval-mode', 'yolo', '--skip-trust', '-o', 'json'],
        ...(settings.model === undefined ? [] : ['-m', settings.model]),
        ...(settings.args ?? []),
      ],
      env: { [name]: defaults },
      stdinFile: promptFile,
    };
  },
  read: geminiOutcome,
});
