import type { Outcome } from '../protocol/status.ts';

/** What a provider of models answered instead of an answer, as far as a tool passes it on. */
export type ProviderError = {
  /** HTTP status; null where the tool does not tell. */
  status: number | null;
  /** What it said. Only text that the tool marks as an error may get here: prose quotes such words. */
  text: string;
};

const QUOTA =
  /insufficient[_ ]quota|quota[^.\n]{0,40}(?:exceeded|exhausted|reached)|(?:exceeded|exhausted|reached)[^.\n]{0,40}quota|insufficient[_ ](?:credits?|funds|balance)|credit balance|out of credits|payment required|billing[_ ](?:hard[_ ])?limit|usage limit|spending limit|monthly limit/i;
const CONTEXT =
  /context[_ ]?(?:length|window|limit|overflow)|maximum context|prompt is too long|too many (?:input )?tokens|(?:input|request|prompt)[^.\n]{0,40}too (?:long|large)|exceeds? the[^.\n]{0,60}tokens?|token count[^.\n]{0,40}exceeds|ran out of room/i;
const AUTH =
  /authentication|unauthori[sz]ed|(?:invalid|incorrect|missing|expired)[^.\n]{0,20}(?:api[_ ]?key|token|credentials?)|api[_ ]?key[^.\n]{0,20}(?:not valid|invalid|missing|required|expired)|not logged in|please (?:run )?\/?log ?in|log ?in again/i;
const RATE = /rate[_ -]?limit|too many requests|resource[_ ]exhausted/i;
/** A quota that is there again so soon is a rate limit by another name. */
const SOON_SECONDS = 120;

/** More than a provider has to say; a tool may pass on anything. */
const READ_LENGTH = 64 * 1024;

/** The outcome of contract 8 that such an answer means. */
export function outcomeOfProviderError(
  { status, text: told }: ProviderError,
  retryAfterSeconds: number | null = null,
): Outcome {
  const text = told.slice(0, READ_LENGTH);
  if (status === 401 || status === 403) return QUOTA.test(text) ? 'quota' : 'auth';
  if (status === 402) return 'quota';
  if (status === 413) return 'context_overflow';
  const mayBeLimit = status === null || status === 429;
  if (mayBeLimit && QUOTA.test(text))
    return retryAfterSeconds !== null && retryAfterSeconds <= SOON_SECONDS ? 'rate_limited' : 'quota';
  if (status === 429) return 'rate_limited';
  const mayBeRequest = status === null || (status >= 400 && status < 500);
  if (mayBeRequest && CONTEXT.test(text)) return 'context_overflow';
  // Gemini says 400 to a key that it does not know.
  if (mayBeRequest && status !== 404 && AUTH.test(text)) return 'auth';
  return mayBeLimit && RATE.test(text) ? 'rate_limited' : 'error';
}

const WHEN =
  /(?:retry|try again|available|reset)\w{0,20}[^\n]{0,40}?(?:in|after)[:=" ]+(?<time>\d[\d.]*\s*[a-z]*(?:\s*\d[\d.]*\s*(?:m|s|ms)\b)*)/i;
const PART = /(\d+(?:\.\d+)?)\s*([a-z]*)/gi;
const UNIT_SECONDS: readonly (readonly [RegExp, number])[] = [
  [/^(?:ms|millis\w*)$/i, 0.001],
  [/^(?:m|mins?|minutes?)$/i, 60],
  [/^(?:h|hrs?|hours?)$/i, 3_600],
  [/^(?:d|days?)$/i, 86_400],
];
const MOST_SECONDS = 30 * 86_400;

/** Seconds until a provider wants to be asked again, from words such as `Please try again in 1m30s`; null: no word. */
export function retryAfterIn(text: string): number | null {
  const time = WHEN.exec(text.slice(0, 20_000))?.groups?.['time'];
  if (time === undefined) return null;
  let seconds = 0;
  for (const [, number = '', unit = ''] of time.matchAll(PART))
    seconds += Number(number) * (UNIT_SECONDS.find(([name]) => name.test(unit))?.[1] ?? 1);
  return Number.isFinite(seconds) ? Math.min(seconds, MOST_SECONDS) : null;
}
