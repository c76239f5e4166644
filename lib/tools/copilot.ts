import { join } from 'node:path';
import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, type Reading, readingOf } from './cli-agent.ts';
import { countAt, type JsonObject, jsonLines, textAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';

/** The outcome of a run of Copilot CLI, from its JSON events; `usageFile` holds what it wrote of its use. */
export function copilotOutcome(end: End, usageFile: string): Reading {
  const events = jsonLines(end.out);
  const usage = usageOf(usageFile, events);
  const result = events.findLast(({ type }) => type === 'result');
  const failure = events.findLast(({ type }) => type === 'session.error');
  const isGood = end.exitCode === 0 && result?.['exitCode'] === 0;
  if (isGood) return readingOf('done', 'exit code 0', usage);
  if (failure === undefined) return readingOf('error', `it ended without a result; ${lastWords(end)}`, usage);
  const text = textAt(failure, 'data.message') ?? '';
  const status = countAt(failure, 'data.statusCode');
  const retryAfterSeconds = retryAfterIn(text);
  const message = `${status === null ? '' : `HTTP ${status}: `}${text}`;
  const known = outcomeOfType(textAt(failure, 'data.errorType'), status);
  const outcome = known ?? outcomeOfProviderError({ status, text }, retryAfterSeconds);
  return { outcome, message, usage, retryAfterSeconds };
}

function outcomeOfType(type: string | null, status: number | null): 'auth' | null {
  return type === 'authentication' && status === null ? 'auth' : null;
}

function usageOf(usageFile: string, events: readonly JsonObject[]): ToolUsage | null {
  void usageFile;
  void events;
  return null;
}

const USAGE = 'usage.json';

/** GitHub Copilot CLI (`copilot`). */
export const copilot = cliAgent({
  name: 'copilot',
  program: 'copilot',
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
  read: (end, { scratch }) => copilotOutcome(end, join(scratch, USAGE)),
});
