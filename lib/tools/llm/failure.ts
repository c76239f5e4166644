import type { Outcome } from '../../protocol/status.ts';

/** What a provider, or the way to it, answered in place of a model. `status` null: it came without one. */
export type Failure = {
  status: number | null;
  headers: Readonly<Record<string, string | undefined>>;
  /** All that was said: the body, an error of the stream, a message of the system. */
  text: string;
  /** `ECONNREFUSED` and its like. */
  errno: string | null;
};

export type Judged = { outcome: Outcome; message: string; retryAfterSeconds: number | null };

const QUOTA =
  /insufficient[_ ]?(?:quota|balance|funds|credits?)|quota|billing|credit balance|out of credits/i;
/** As OpenAI, Anthropic, Google, llama.cpp, vLLM, Ollama, LM Studio, TGI, Mistral, Bedrock and xAI say it. */
const OVERFLOW = new RegExp(
  [
    'context[_ -]?length',
    'context[_ -]?(?:size|window|overflow|limit)',
    'maximum (?:model|context|prompt)[_ ]?len',
    'prompt (?:is|too) (?:too )?long',
    'input is too long',
    'input (?:tokens?|length)[^.]{0,60}exceed',
    'exceeds? the (?:maximum|available|model)[^.]{0,40}(?:token|context|length)',
    'reduce the length of (?:the|your) (?:messages|prompt|input)',
    'must have less than \\d+ tokens',
    'tokens? \\+ .{0,20}max_new_tokens. must be',
    'too (?:large|many tokens) for (?:the )?model',
    'request_too_large',
  ].join('|'),
  'i',
);
const AUTH = /authentication_error|invalid[_ ]?api[_ ]?key|permission_error|unauthorized/i;
const RATE = /rate[_ ]?limit|too many requests|RESOURCE_EXHAUSTED/i;
const NO_MODEL = /model[^.]{0,80}(?:not[_ ]found|does not exist|is not supported|unknown)|model_not_found/i;

const IN_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection: does the server run?',
  ECONNRESET: 'dropped the connection',
  EPIPE: 'dropped the connection',
  UND_ERR_SOCKET: 'dropped the connection',
  ENOTFOUND: 'is no host that is known',
  EAI_AGAIN: 'cannot be looked up now',
  ETIMEDOUT: 'cannot be reached in time',
  UND_ERR_CONNECT_TIMEOUT: 'cannot be reached in time',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached: there is no network',
};

/** More than a provider has to say; a server may send anything. */
const READ_LENGTH = 64 * 1024;

/** The outcome that a failure means. What it does not know is `error`: nothing is guessed to be worth a wait. */
export function judgeFailure(failure: Failure, asked: { model: string; host: string; now: number }): Judged {
  const { status } = failure;
  const text = failure.text.slice(0, READ_LENGTH);
  const said = (what: string): string => `${asked.host} ${what}${status === null ? '' : ` (${status})`}`;
  const end = (outcome: Outcome, what: string): Judged => ({
    outcome,
    message: [said(what), wordsOf(text)].filter((part) => part !== '').join(': '),
    retryAfterSeconds:
      outcome === 'rate_limited' || outcome === 'quota'
        ? (retryAfter(failure.headers, asked.now) ?? waitIn(text))
        : null,
  });
  const isClientFault = status !== null && status >= 400 && status < 500;
  if (status === 429)
    return isQuotaOf429(text)
      ? end('quota', 'says that the quota is used up')
      : end('rate_limited', 'limits the rate');
  if (status === 402 || ((isClientFault || status === null) && status !== 404 && isQuota(text)))
    return end('quota', 'says that the quota is used up');
  if (status === 401 || status === 403) return end('auth', 'refuses the key');
  if (status === 413 || (status !== 404 && OVERFLOW.test(text)))
    return end('context_overflow', `says that this is too much for ${asked.model}`);
  if (status === 404 || (isClientFault && NO_MODEL.test(text)))
    return end(
      'error',
      `knows no model ${JSON.stringify(asked.model)}, or the address is wrong (most end in /v1)`,
    );
  if (status === null && RATE.test(text)) return end('rate_limited', 'limits the rate');
  if (status === null && AUTH.test(text)) return end('auth', 'refuses the key');
  if (status !== null && status >= 300 && status < 400)
    return end('error', 'leads to another address, which is not followed');
  if (status !== null) return end('error', status >= 500 ? 'failed' : 'refuses the request');
  const cause = failure.errno === null ? undefined : IN_WORDS[failure.errno];
  if (cause !== undefined) return { outcome: 'error', message: said(cause), retryAfterSeconds: null };
  return end('error', 'broke off');
}

/** Google speaks of quotas of a minute too, and names them; those are rates. */
function isQuotaOf429(text: string): boolean {
  const isRate = /per[_ -]?(?:minute|second)|\b[RT]PM\b/i.test(text) && !/per[_ -]?(?:day|month)/i.test(text);
  if (isRate && !/insufficient[_ ]?quota/i.test(text)) return false;
  return QUOTA.test(text.replaceAll('(e.g. check quota)', ''));
}

/** Stricter than for a 429: the word alone may be about anything. */
const isQuota = (text: string): boolean =>
  /insufficient[_ ]?(?:quota|balance|funds|credits?)|credit balance|out of credits|exceeded your current quota/i.test(
    text,
  );

/** The message in a JSON body, else the text itself; pages of HTML say nothing. */
function wordsOf(text: string): string {
  const found = /"message"\s*:\s*"((?:[^"\\]|\\.){1,2000})"/.exec(text)?.[1];
  if (found !== undefined) return unescaped(found);
  return /<(?:!doctype|html|body)/i.test(text) ? '' : text;
}

function unescaped(text: string): string {
  try {
    const value: unknown = JSON.parse(`"${text}"`);
    return typeof value === 'string' ? value : text;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

const MAX_WAIT_SECONDS = 31 * 86_400;

/** Seconds from `now` (Unix seconds) until one may ask again, as the headers say; null where they do not. */
export function retryAfter(headers: Failure['headers'], now: number): number | null {
  const ms = numberIn(headers['retry-after-ms']);
  if (ms !== null) return bounded(ms / 1000);
  const told = headers['retry-after']?.trim();
  if (told === undefined || told === '') return null;
  const seconds = numberIn(told);
  if (seconds !== null) return bounded(seconds);
  const at = Date.parse(told);
  return Number.isNaN(at) ? null : bounded(Math.ceil(at / 1000 - now));
}

/** Seconds that a body tells: Google's `retryDelay`, OpenAI's `try again in 1.5s`; null where it tells none. */
function waitIn(text: string): number | null {
  const [, told] = /"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"/.exec(text) ?? [];
  if (told !== undefined) return bounded(Number(told));
  const [, count, unit] = /try again in (\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m)\b/i.exec(text) ?? [];
  if (count === undefined) return null;
  return bounded(Number(count) * (unit === 'ms' ? 0.001 : unit === 'm' ? 60 : 1));
}

const bounded = (seconds: number): number => Math.min(Math.max(0, seconds), MAX_WAIT_SECONDS);
const numberIn = (text: string | undefined): number | null =>
  text !== undefined && /^\s*\d{1,15}(?:\.\d{1,9})?\s*$/.test(text) ? Number(text) : null;
