import type { Api } from './ask.ts';
import { QUOTA_RETRY_SECONDS } from './modes.ts';
import type { FaultMode } from './reply.ts';

/** An answer that is no answer, as the provider itself spells it. */
export type Fault = { status: number; headers: Record<string, string>; body: unknown };

/** The fault of a mode for the API that was asked. */
export function faultOf(api: Api, mode: FaultMode, model: string, retryAfterSeconds: number): Fault {
  const wait = mode === 'quota' ? QUOTA_RETRY_SECONDS : retryAfterSeconds;
  const headers: Record<string, string> =
    mode === '429' || mode === 'quota' ? { 'retry-after': String(wait) } : {};
  switch (api) {
    case 'chat':
    case 'responses':
      return { headers, ...openai(mode, model) };
    case 'messages':
      return { headers, ...anthropic(mode, model) };
    case 'gemini':
      return { headers, ...google(mode, model, wait) };
  }
}

type Spelt = { status: number; body: unknown };

function openai(mode: FaultMode, model: string): Spelt {
  const spell = (status: number, type: string, code: string | null, message: string): Spelt => ({
    status,
    body: { error: { message, type, param: null, code } },
  });
  switch (mode) {
    case '401':
      return spell(401, 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided: sk-****.');
    case '404':
      return spell(
        404,
        'invalid_request_error',
        'model_not_found',
        `The model \`${model}\` does not exist or you do not have access to it.`,
      );
    case '429':
      return spell(
        429,
        'requests',
        'rate_limit_exceeded',
        `Rate limit reached for ${model} on requests per min (RPM): Limit 3, Used 3.`,
      );
    case 'quota':
      return spell(
        429,
        'insufficient_quota',
        'insufficient_quota',
        'You exceeded your current quota, please check your plan and billing details.',
      );
    case '5xx':
      return spell(500, 'server_error', null, 'The server had an error while processing your request.');
    case 'context_overflow':
      return spell(
        400,
        'invalid_request_error',
        'context_length_exceeded',
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please reduce the length of the messages.",
      );
  }
}

function anthropic(mode: FaultMode, model: string): Spelt {
  const spell = (status: number, type: string, message: string): Spelt => ({
    status,
    body: { type: 'error', error: { type, message }, request_id: 'req_fake' },
  });
  switch (mode) {
    case '401':
      return spell(401, 'authentication_error', 'invalid x-api-key');
    case '404':
      return spell(404, 'not_found_error', `model: ${model}`);
    case '429':
      return spell(
        429,
        'rate_limit_error',
        "This request would exceed your organization's rate limit of 3 requests per minute.",
      );
    case 'quota':
      return spell(
        429,
        'rate_limit_error',
        'You exceeded your current quota (insufficient_quota): your organization has reached its monthly usage limit.',
      );
    case '5xx':
      return spell(500, 'api_error', 'Internal server error');
    case 'context_overflow':
      return spell(400, 'invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum');
  }
}

function google(mode: FaultMode, model: string, wait: number): Spelt {
  const spell = (code: number, status: string, message: string, details: readonly object[] = []): Spelt => ({
    status: code,
    body: { error: { code, message, status, ...(details.length > 0 ? { details } : {}) } },
  });
  const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${wait}s` };
  switch (mode) {
    case '401':
      return spell(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    case '404':
      return spell(
        404,
        'NOT_FOUND',
        `models/${model} is not found for API version v1beta, or is not supported for generateContent.`,
      );
    case '429':
      return spell(429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).', [
        retry,
        quotaFailure('GenerateRequestsPerMinutePerProjectPerModel'),
      ]);
    case 'quota':
      return spell(
        429,
        'RESOURCE_EXHAUSTED',
        'You exceeded your current quota, please check your plan and billing details.',
        [quotaFailure('GenerateRequestsPerDayPerProjectPerModel'), retry],
      );
    case '5xx':
      return spell(500, 'INTERNAL', 'An internal error has occurred.');
    case 'context_overflow':
      return spell(
        400,
        'INVALID_ARGUMENT',
        'The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).',
      );
  }
}

function quotaFailure(quotaId: string): object {
  const violation = { quotaMetric: 'generativelanguage.googleapis.com/requests', quotaId, quotaValue: '3' };
  return { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [violation] };
}
