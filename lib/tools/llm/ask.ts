import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, type LanguageModel, type ModelMessage, streamText } from 'ai';
import { messageOf } from '../../errors.ts';
import type { Clock } from './clock.ts';
import type { Failure } from './failure.ts';
import type { LlmSettings } from './settings.ts';
import type { Voice } from './voice.ts';

export type Prompt = { system: string; messages: ModelMessage[] };

/** `finish`: `cut` where the model's own bound on its answers ended it. */
export type Spoken = { text: string; finish: 'stop' | 'cut' | 'filtered'; usage: Usage | null };
export type Usage = { tokensIn: number; tokensOut: number };
/** `bound`: the clock ended it, and knows why. */
export type Asked =
  | { kind: 'spoken'; spoken: Spoken }
  | { kind: 'failed'; failure: Failure; usage: Usage | null }
  | { kind: 'bound' };

/** Characters of text and of thoughts in one answer. */
const MAX_TEXT = 1024 * 1024;
const MAX_THOUGHT = 4 * 1024 * 1024;

/** The model that the settings name, asked through `fetch`. No variable of the environment is read. */
export function makeModel(llm: LlmSettings, fetch: typeof globalThis.fetch): LanguageModel {
  // Its warnings would go to the console, in the middle of what the model says.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  const { baseUrl: baseURL, apiKey } = llm;
  if (llm.provider === 'anthropic')
    return createAnthropic({ baseURL, apiKey: apiKey ?? '', fetch })(llm.model);
  const key = apiKey === null ? {} : { apiKey };
  return createOpenAICompatible({ name: 'llm', baseURL, ...key, fetch, includeUsage: true })(llm.model);
}

/**
 * Asks once. Never rejects for what the server or the network does, and leaves no promise behind that could. An answer that
 * broke off is a failure, never a short answer.
 */
export async function ask(
  model: LanguageModel,
  prompt: Prompt,
  { clock, voice }: { clock: Clock; voice: Voice },
): Promise<Asked> {
  if (clock.reached() !== null) return { kind: 'bound' };
  const call = new AbortController();
  const signal = AbortSignal.any([clock.signal, call.signal]);
  clock.listen();
  try {
    // Whatever the library does about an abort: the bound ends the wait.
    const ended = new Promise<Asked>((resolve) => {
      clock.signal.addEventListener('abort', () => resolve({ kind: 'bound' }), { once: true });
    });
    const heard = listen(model, prompt, signal, voice);
    const asked = await Promise.race([ended, heard]);
    return clock.reached() === null ? asked : { kind: 'bound' };
  } finally {
    clock.rest();
    voice.pause();
    call.abort();
  }
}

async function listen(
  model: LanguageModel,
  { system, messages }: Prompt,
  abortSignal: AbortSignal,
  voice: Voice,
): Promise<Asked> {
  let usage: Usage | null = null;
  const failed = (failure: Failure): Asked => ({ kind: 'failed', failure, usage });
  try {
    const onError = (): void => undefined;
    const result = streamText({ model, system, messages, abortSignal, maxRetries: 0, onError });
    let text = '';
    let thought = 0;
    let finish: Spoken['finish'] | null = null;
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta') {
        text += part.text;
        voice.say(part.text, 'text');
      } else if (part.type === 'reasoning-delta') {
        thought += part.text.length;
        voice.say(part.text, 'thought');
      } else if (part.type === 'finish') {
        usage = usageOf(part.totalUsage) ?? usage;
        finish = finishOf(part.finishReason, part.rawFinishReason);
      } else if (part.type === 'error') return failed(failureOf(part.error));
      if (text.length > MAX_TEXT || thought > MAX_THOUGHT)
        return failed(plainFailure('the answer is longer than one can be'));
    }
    if (finish === null) return failed(plainFailure('the answer broke off'));
    return { kind: 'spoken', spoken: { text, finish, usage } };
  } catch (error) {
    return failed(failureOf(error));
  }
}

/** Null: the answer did not come to its end. `told`: the server's own word, of which there are many for an end. */
function finishOf(reason: string, told: string | undefined): Spoken['finish'] | null {
  switch (reason) {
    case 'stop':
    case 'tool-calls':
      return 'stop';
    case 'length':
      return 'cut';
    case 'content-filter':
      return 'filtered';
    case 'other':
      return told === undefined || /abort|error|cancel/i.test(told) ? null : 'stop';
    default:
      return null;
  }
}

type Counted = { inputTokens?: number | undefined; outputTokens?: number | undefined };

function usageOf({ inputTokens, outputTokens }: Counted): Usage | null {
  if (inputTokens === undefined && outputTokens === undefined) return null;
  return { tokensIn: countOf(inputTokens), tokensOut: countOf(outputTokens) };
}

/** A server may say anything: what is no count is none. */
function countOf(told: number | undefined): number {
  const count = Math.round(told ?? 0);
  return Number.isSafeInteger(count) && count > 0 ? Math.min(count, 2 ** 40) : 0;
}

const plainFailure = (text: string): Failure => ({ status: null, headers: {}, text, errno: null });

/** What is known of an error of the library, the network or a stream, whatever shape it came in. */
function failureOf(error: unknown): Failure {
  if (APICallError.isInstance(error)) {
    const { statusCode: status = null, responseHeaders: headers = {}, responseBody, message } = error;
    // A stream that could not be read has status 200, which says nothing of why.
    const isAnswer = status !== null && status >= 300;
    const text = responseBody === undefined || responseBody.trim() === '' ? message : responseBody;
    return { status: isAnswer ? status : null, headers, text, errno: isAnswer ? null : errnoIn(error) };
  }
  if (error instanceof Error) return { ...plainFailure(messageOf(error)), errno: errnoIn(error) };
  return plainFailure(typeof error === 'string' ? error : (JSON.stringify(error) ?? ''));
}

const MAX_CAUSES = 5;

function errnoIn(error: unknown): string | null {
  let one: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && one instanceof Error; depth += 1) {
    if ('code' in one && typeof one.code === 'string') return one.code;
    if (one instanceof AggregateError && one.errors.length > 0) one = one.errors[0];
    else one = one.cause;
  }
  return null;
}
