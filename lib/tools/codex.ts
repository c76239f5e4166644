import { join } from 'node:path';
import type { ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, PREFACE, type Reading, readingOf } from './cli-agent.ts';
import { countAt, type JsonObject, jsonLines, textAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';

const STATUS = /\b(?:unexpected|last) status:? (\d{3})\b/;

/** The outcome of a run of Codex, from its JSON events: it is over only with `turn.completed` or `turn.failed`. */
export function codexOutcome(end: End): Reading {
  const events = jsonLines(end.out);
  const usage = usageOf(events);
  const turn = events.findLast(({ type }) => type === 'turn.completed' || type === 'turn.failed');
  if (turn?.['type'] === 'turn.completed' && end.exitCode === 0)
    return couldNotWrite(events)
      ? readingOf('error', 'its own sandbox let it change no file', usage)
      : readingOf('done', 'exit code 0', usage);
  const told = turn?.['type'] === 'turn.failed' ? textAt(turn, 'error.message') : null;
  const text = told ?? textAt(events.findLast(({ type }) => type === 'error') ?? {}, 'message');
  if (text === null) return readingOf('error', `it ended without a result; ${lastWords(end)}`, usage);
  const status = Number(STATUS.exec(text)?.[1] ?? Number.NaN);
  const retryAfterSeconds = retryAfterIn(text);
  const error = { status: Number.isNaN(status) ? null : status, text };
  return {
    outcome: outcomeOfProviderError(error, retryAfterSeconds),
    message: text,
    usage,
    retryAfterSeconds,
  };
}

/** It ends well too where each change of a file failed, as it does with its home in the temporary folder. */
function couldNotWrite(events: readonly JsonObject[]): boolean {
  const statusOf = (kind: string): unknown[] =>
    events
      .filter((event) => event['type'] === 'item.completed' && textAt(event, 'item.type') === kind)
      .map((event) => textAt(event, 'item.status'));
  const [changes, commands] = [statusOf('file_change'), statusOf('command_execution')];
  return changes.includes('failed') && ![...changes, ...commands].includes('completed');
}

function usageOf(events: readonly JsonObject[]): ToolUsage | null {
  const turns = events.filter(({ type }) => type === 'turn.completed');
  const last = turns.at(-1);
  if (last === undefined) return null;
  const tokensIn = countAt(last, 'usage.input_tokens');
  const tokensOut = countAt(last, 'usage.output_tokens');
  return tokensIn === null || tokensOut === null ? null : { tokensIn, tokensOut, costUsd: null };
}

/** Codex (`codex`), which confines its own commands to the worktree. */
export const codex = cliAgent({
  name: 'codex',
  program: 'codex',
  preface: PREFACE,
  prepare: ({ worktree, scratch, settings }, promptFile) => ({
    args: [
      ...['exec', '--json', '-s', 'workspace-write', '-C', worktree, '-o', join(scratch, 'last.txt')],
      ...['-c', 'check_for_update_on_startup=false', '-c', 'analytics.enabled=false'],
      ...(settings.model === undefined ? [] : ['-m', settings.model]),
      ...(settings.args ?? []),
      '-',
    ],
    env: {},
    stdinFile: promptFile,
  }),
  read: codexOutcome,
});
