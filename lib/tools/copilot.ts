import { join } from 'node:path';
import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, PREFACE, type Reading, readingOf } from './cli-agent.ts';
import { countAt, isObject, jsonLines, lastJson, textAt, valueAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';
import { tailOf } from './scratch-file.ts';

/** The outcome of a run of Copilot CLI, from its JSON events; `written` is its usage file. */
export function copilotOutcome(end: End, written: string): Reading {
  const events = jsonLines(end.out);
  const usage = usageOf(written);
  const result = events.findLast(({ type }) => type === 'result');
  const failure = events.findLast(({ type }) => type === 'session.error');
  const isGood = end.exitCode === 0 && result?.['exitCode'] === 0;
  if (isGood) return readingOf('done', 'exit code 0', usage);
  if (failure === undefined) return readingOf('error', `it ended without a result; ${lastWords(end)}`, usage);
  const text = textAt(failure, 'data.message') ?? '';
  const status = countAt(failure, 'data.statusCode');
  const retryAfterSeconds = retryAfterIn(text);
  const message = `${status === null ? '' : `HTTP ${status}: `}${text}`;
  // Without a status: there is no login at all.
  const isLogin = status === null && textAt(failure, 'data.errorType') === 'authentication';
  const outcome = isLogin ? 'auth' : outcomeOfProviderError({ status, text }, retryAfterSeconds);
  return { outcome, message, usage, retryAfterSeconds };
}

/** It counts what it costs in requests of a subscription, which are no dollars. */
function usageOf(written: string): ToolUsage | null {
  const models = valueAt(lastJson(written) ?? {}, 'modelMetrics');
  if (!isObject(models)) return null;
  const all = Object.values(models).filter(isObject);
  const sum = (path: string): number => all.reduce((total, model) => total + (countAt(model, path) ?? 0), 0);
  return { tokensIn: sum('usage.inputTokens'), tokensOut: sum('usage.outputTokens'), costUsd: null };
}

const USAGE = 'usage.json';

/** GitHub Copilot CLI (`copilot`). */
export const copilot = cliAgent({
  name: 'copilot',
  program: 'copilot',
  preface: PREFACE,
  prepare: ({ scratch, settings }, promptFile) => ({
    args: [
      ...['--allow-all-tools', '--no-ask-user', '--disable-builtin-mcps', '--no-auto-update', '--no-color'],
      ...['--output-format', 'json', '-s', '--usage-output-file', join(scratch, USAGE)],
      ...(settings.model === undefined ? [] : ['--model', settings.model]),
      ...(settings.args ?? []),
    ],
    env: {},
    stdinFile: promptFile,
  }),
  read: (end, { scratch }) => copilotOutcome(end, tailOf(join(scratch, USAGE))),
});
