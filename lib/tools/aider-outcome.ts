import type { ToolUsage } from './adapter.ts';
import { type End, lastWords, type Reading, readingOf } from './cli-agent.ts';
import { countAt, type JsonObject, jsonLines, textAt } from './json-output.ts';
import { outcomeOfProviderError, retryAfterIn } from './provider-error.ts';

/** What aider wrote in its scratch folder: the log of events, one JSON object a line, and the history of the chat. */
export type AiderFiles = { events: string; history: string };

/** litellm's names of errors, as HTTP status; what is not here is a fault of the server or the way there. */
const STATUS: Readonly<Record<string, number>> = {
  AuthenticationError: 401,
  PermissionDeniedError: 403,
  NotFoundError: 404,
  RateLimitError: 429,
  BudgetExceededError: 402,
  BadRequestError: 400,
  ContextWindowExceededError: 413,
};
const API_ERROR = /^> litellm\.(?<name>\w+): /;
/** Names of classes before what the provider said: where there is room for a few words, they are none of them. */
const CLASSES = /^litellm\.\w+: (?:\w+(?:Error|Exception)(?:: | - ))*/;
/** Said of a line that aider prints again and again while it tries by itself. */
const NOISE = /^> (?:Retrying in \d|https?:\/\/\S+\s*$)/;
const REFUSED_EDIT = '> The LLM did not conform to the edit format.';
const REFUSED_EDIT_MORE = /^> https?:\/\/\S+edit-errors/;
const APPLIED = /^> Applied edit to /;
const TOKEN_LIMIT = /^> Model \S+ has hit a token limit!$/;
const TOKEN_LIMIT_MORE = '> Token counts below are approximate.';
const NO_MODEL = /^> No LLM model was specified and no API keys were provided\.$/;
const EMPTY = /^> Empty response received from LLM\./;

/**
 * The outcome of a run of aider, which ends with 0 when it could not reach the model too. Whether the model answered is
 * told by the events; the words of the history only say why not. They are told from prose by the `> ` before what aider
 * itself says, by the line after, and by what came last.
 */
export function aiderOutcome(end: End, { events, history }: AiderFiles): Reading {
  const log = jsonLines(events);
  const usage = usageOf(log);
  // Where the model's words stand, a line may begin with anything.
  const lines = history.split('\n').map((line) => line.trimEnd());
  const asked = log.findLastIndex(({ event }) => event === 'message_send_starting');
  const answered = log.findLastIndex(({ event }) => event === 'message_send');
  const limit = lines.findLastIndex(
    (line, at) => TOKEN_LIMIT.test(line) && lines[at + 1] === TOKEN_LIMIT_MORE,
  );
  const refused = lines.findLastIndex(
    (line, at) => line === REFUSED_EDIT && REFUSED_EDIT_MORE.test(lines[at + 1] ?? ''),
  );
  const applied = lines.findLastIndex((line) => APPLIED.test(line));
  if (lines.some((line) => NO_MODEL.test(line)) && asked === -1)
    return readingOf('auth', 'no model was named and no API key is set', usage);
  if (asked === -1) return readingOf('error', `it asked no model; ${lastWords(end)}`, usage);
  if (limit > applied) return readingOf('context_overflow', 'the model has hit a token limit', usage);
  if (asked > answered) return unanswered(lines, end, usage);
  if (refused > applied)
    return readingOf(
      'bad_edit',
      'the answers of the model fitted neither the edit format nor the files',
      usage,
    );
  if (end.exitCode !== 0) return readingOf('error', lastWords(end), usage);
  if (log.every(({ event }) => event !== 'exit'))
    return readingOf('error', 'it ended before it was done; exit code 0', usage);
  const empty = lines.findLastIndex((line) => EMPTY.test(line));
  if (empty > applied) return readingOf('error', 'the model gave an empty answer', usage);
  return readingOf('done', 'exit code 0', usage);
}

/** Why the last question had no answer: the last words of litellm, if they are among the last of all. */
function unanswered(lines: readonly string[], end: End, usage: ToolUsage | null): Reading {
  const at = lines.findLastIndex((line) => API_ERROR.test(line));
  const rest = at === -1 ? [] : lines.slice(at).filter((line) => line.startsWith('> ') && !NOISE.test(line));
  const text = rest.map((line) => line.slice(2)).join(' ');
  if (text === '') return readingOf('error', `the model did not answer; ${lastWords(end)}`, usage);
  const name = API_ERROR.exec(lines[at] ?? '')?.groups?.['name'] ?? '';
  const retryAfterSeconds = retryAfterIn(text);
  const outcome = outcomeOfProviderError({ status: STATUS[name] ?? 500, text }, retryAfterSeconds);
  return { outcome, message: text.replace(CLASSES, ''), usage, retryAfterSeconds };
}

/** Cost 0 for tokens means that aider knows no price. */
function usageOf(log: readonly JsonObject[]): ToolUsage | null {
  const sent = log.filter((entry) => textAt(entry, 'event') === 'message_send');
  if (sent.length === 0) return null;
  const sum = (path: string): number => sent.reduce((all, entry) => all + (countAt(entry, path) ?? 0), 0);
  const cost = sum('properties.cost');
  return {
    tokensIn: Math.round(sum('properties.prompt_tokens')),
    tokensOut: Math.round(sum('properties.completion_tokens')),
    costUsd: cost === 0 ? null : cost,
  };
}
