import { expect, test } from 'vitest';
import { type Failure, judgeFailure, retryAfter } from '../../../lib/tools/llm/failure.ts';

/** What providers and servers say, in their own words, and what it means. */

const ASKED = { model: 'm', host: 'h', now: 1_700_000_000 };
const outcome = (status: number | null, text: string, headers: Failure['headers'] = {}): string =>
  judgeFailure({ status, headers, text, errno: null }, ASKED).outcome;

test.each([
  [
    'OpenAI',
    400,
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
  ],
  ['OpenAI, code', 400, '{"error":{"message":"too many","code":"context_length_exceeded"}}'],
  ['Anthropic', 400, 'prompt is too long: 208310 tokens > 200000 maximum'],
  [
    'Anthropic with an answer',
    400,
    'input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000',
  ],
  [
    'Anthropic, bytes',
    413,
    '{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}',
  ],
  [
    'llama.cpp',
    400,
    '{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}',
  ],
  ['llama.cpp, older', 500, 'context size exceeded'],
  ['vLLM', 400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"],
  ['vLLM, newer', 400, 'The decoder prompt (length 5000) is longer than the maximum model length of 4096'],
  ['Ollama', 400, 'the input length exceeds the context length'],
  [
    'LM Studio',
    400,
    'Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens',
  ],
  ['TGI', 422, 'Input validation error: `inputs` must have less than 1024 tokens. Given: 2000'],
  ['TGI, both', 422, '`inputs` tokens + `max_new_tokens` must be <= 2048'],
  ['Google', 400, 'The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).'],
  ['Groq', 413, 'Request too large for model `x` on tokens per minute (TPM)'],
  ['Mistral', 400, 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length'],
  ['Bedrock', 400, 'Input is too long for requested model.'],
  ['xAI', 400, "This model's maximum prompt length is 131072 but the request contains 140000 tokens."],
  ['in a stream', null, 'the request exceeds the available context size'],
])('too much context, as %s says it', (_, status, text) => {
  expect(outcome(status, text)).toBe('context_overflow');
});

test.each<[string, number | null, string, string]>([
  ['a key', 401, 'Incorrect API key', 'auth'],
  ['a permission', 403, 'permission_error', 'auth'],
  ['a key in a stream', null, '{"type":"authentication_error"}', 'auth'],
  ['OpenAI, quota', 429, '{"error":{"code":"insufficient_quota"}}', 'quota'],
  [
    'OpenAI, rate',
    429,
    'Rate limit reached for gpt on requests per min (RPM): Limit 3, Used 3.',
    'rate_limited',
  ],
  ['Anthropic, credit', 400, 'Your credit balance is too low to access the Anthropic API.', 'quota'],
  [
    'Anthropic, rate',
    429,
    'would exceed your organization’s rate limit of 3 requests per minute',
    'rate_limited',
  ],
  ['DeepSeek', 402, 'Insufficient Balance', 'quota'],
  ['Google, a day', 429, 'You exceeded your current quota GenerateRequestsPerDayPerProject', 'quota'],
  [
    'Google, a minute',
    429,
    'You exceeded your current quota GenerateRequestsPerMinutePerProject',
    'rate_limited',
  ],
  ['Google, vaguely', 429, 'Resource has been exhausted (e.g. check quota).', 'rate_limited'],
  ['no words', 429, '', 'rate_limited'],
  ['overload', 529, 'overloaded_error', 'error'],
  ['a quota that is only named', 400, 'the parameter quota is not known', 'error'],
  ['an overflow of something else', 400, 'the stack overflowed', 'error'],
  ['no such model', 400, 'model "x" not found, try pulling it first', 'error'],
  ['no such address', 404, 'context length', 'error'],
  ['nothing', null, '', 'error'],
])('%s', (_, status, text, wanted) => {
  expect(outcome(status, text)).toBe(wanted);
});

test.each<[string, Failure['headers'], number | null]>([
  ['seconds', { 'retry-after': '20' }, 20],
  ['milliseconds before seconds', { 'retry-after': '20', 'retry-after-ms': '1500' }, 1.5],
  ['a date', { 'retry-after': new Date((ASKED.now + 30) * 1000).toUTCString() }, 30],
  ['a date that is over', { 'retry-after': new Date((ASKED.now - 30) * 1000).toUTCString() }, 0],
  ['a year', { 'retry-after': '99999999' }, 31 * 86_400],
  ['nothing', {}, null],
  ['rubbish', { 'retry-after': 'soon' }, null],
  ['less than nothing', { 'retry-after-ms': '-5' }, null],
])('the time to wait: %s', (_, headers, wanted) => {
  expect(retryAfter(headers, ASKED.now)).toBe(wanted);
});

test('a body tells the wait where the headers do not', () => {
  const wait = (text: string): number | null =>
    judgeFailure({ status: 429, headers: {}, text, errno: null }, ASKED).retryAfterSeconds;
  expect(wait('{"error":{"details":[{"retryDelay":"34s"}]}}')).toBe(34);
  expect(wait('Please try again in 1.5s.')).toBe(1.5);
  expect(wait('Please try again in 200ms.')).toBeCloseTo(0.2);
  expect(wait('Please try again in 2m.')).toBe(120);
});

test('a message is that of the provider, without its JSON or HTML', () => {
  const say = (text: string): string =>
    judgeFailure({ status: 500, headers: {}, text, errno: null }, ASKED).message;
  expect(say('{"error":{"message":"out of \\"memory\\""}}')).toBe('h failed (500): out of "memory"');
  expect(say('<html><title>502</title></html>')).toBe('h failed (500)');
});
