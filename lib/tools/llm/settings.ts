import type { ToolSettings } from '../../protocol/tools.ts';

/** The variables by which a person says which model is asked. */
export const LLM_ENV = {
  provider: 'ORCH_LLM_PROVIDER',
  baseUrl: 'ORCH_LLM_BASE_URL',
  model: 'ORCH_LLM_MODEL',
  apiKey: 'ORCH_LLM_API_KEY',
  contextBytes: 'ORCH_LLM_CONTEXT_BYTES',
} as const;

const PROVIDERS = ['openai-compatible', 'anthropic'] as const;
type Provider = (typeof PROVIDERS)[number];

const ANTHROPIC_URL = 'https://api.anthropic.com/v1';
/** About 40,000 tokens. */
const CONTEXT_BYTES = 160 * 1024;
const CONTEXT_BYTES_MIN = 4 * 1024;
const CONTEXT_BYTES_MAX = 16 * 1024 * 1024;

export type LlmSettings = {
  provider: Provider;
  /** Without a slash at its end. */
  baseUrl: string;
  model: string;
  apiKey: string | null;
  /** How much of the content of files is sent at first, and again on the model's request. */
  contextBytes: number;
};

export type LlmSettingsRead = { ok: true; llm: LlmSettings } | { ok: false; why: string; hint: string };

/** Which model is asked and where; `settings.model` and `settings.env` go before the environment. No key in `why`. */
export function readLlmSettings(
  env: Readonly<Record<string, string | undefined>>,
  settings: ToolSettings,
): LlmSettingsRead {
  const say = (name: string): string => (settings.env?.[name] ?? env[name] ?? '').trim();
  const provider = say(LLM_ENV.provider) || 'openai-compatible';
  if (!isProvider(provider))
    return fault(`${LLM_ENV.provider} is ${quote(provider)}`, `It may be ${PROVIDERS.join(' or ')}.`);
  const model = settings.model ?? say(LLM_ENV.model);
  const baseUrl = say(LLM_ENV.baseUrl) || (provider === 'anthropic' ? ANTHROPIC_URL : '');
  const apiKey = say(LLM_ENV.apiKey) || null;
  const missing = [
    ...(baseUrl === '' ? [`${LLM_ENV.baseUrl}=http://localhost:8080/v1`] : []),
    ...(model === '' ? [`${LLM_ENV.model}=NAME`] : []),
    ...(provider === 'anthropic' && apiKey === null ? [`${LLM_ENV.apiKey}=KEY`] : []),
  ];
  if (missing.length > 0) {
    const names = missing.map((one) => one.split('=')[0]).join(', ');
    return fault(
      `${names} ${missing.length === 1 ? 'is' : 'are'} not set`,
      `Set ${missing.join(' and ')} in your shell or in the env_file.`,
    );
  }
  const contextBytes = readBytes(say(LLM_ENV.contextBytes));
  if (contextBytes === null)
    return fault(
      `${LLM_ENV.contextBytes} is not a number of bytes`,
      `It may be a whole number from ${CONTEXT_BYTES_MIN} to ${CONTEXT_BYTES_MAX}; without it, it is ${CONTEXT_BYTES}.`,
    );
  const wrong = urlFault(baseUrl);
  if (wrong !== null) return wrong;
  if (apiKey !== null && !/^[\u0021-\u007e]+$/.test(apiKey))
    return fault(
      `${LLM_ENV.apiKey} holds characters that no key has`,
      'Look for a space, a quote or a newline in it.',
    );
  return { ok: true, llm: { provider, baseUrl: baseUrl.replace(/\/+$/, ''), model, apiKey, contextBytes } };
}

const isProvider = (text: string): text is Provider => PROVIDERS.some((one) => one === text);
const quote = (text: string): string => JSON.stringify(text.slice(0, 60));
const fault = (why: string, hint: string): LlmSettingsRead => ({ ok: false, why, hint });

/** The address itself is not shown: it may hold a password. */
function urlFault(baseUrl: string): LlmSettingsRead | null {
  const hint = 'It looks like http://localhost:8080/v1 or https://host.example/v1.';
  if (!URL.canParse(baseUrl)) return fault(`${LLM_ENV.baseUrl} is no address`, hint);
  const url = new URL(baseUrl);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return fault(`${LLM_ENV.baseUrl} begins with neither http: nor https:`, hint);
  if (url.username !== '' || url.password !== '')
    return fault(`${LLM_ENV.baseUrl} holds a user or a password`, `Put the key into ${LLM_ENV.apiKey}.`);
  if (url.search !== '' || url.hash !== '')
    return fault(`${LLM_ENV.baseUrl} holds a "?" or a "#"`, `${hint} Put the key into ${LLM_ENV.apiKey}.`);
  return null;
}

function readBytes(text: string): number | null {
  if (text === '') return CONTEXT_BYTES;
  const bytes = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return bytes >= CONTEXT_BYTES_MIN && bytes <= CONTEXT_BYTES_MAX ? bytes : null;
}
