import type { ToolSettings } from '../protocol/tools.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What makes aider choose a model by itself. */
const CHOOSERS = [
  'AIDER_MODEL',
  'OPENROUTER_API_KEY',
  'ANTHROPIC_API_KEY',
  'DEEPSEEK_API_KEY',
  'OPENAI_API_KEY',
  'GEMINI_API_KEY',
  'VERTEXAI_PROJECT',
];
/** The OpenAI library wants a key, whoever is asked; many a local server does not. */
const NO_KEY = 'none';

const has = (env: Environment, name: string): boolean => (env[name] ?? '') !== '';

/**
 * Which model aider is told to use, and the variables that lead there. The setting `model` goes first, then AIDER_MODEL,
 * then what is set for `llm` (`ORCH_LLM_*`), so that one set of variables serves both; else aider chooses by the keys.
 * Null: it has nothing to go by, and would ask a person.
 */
export function aiderModel(
  env: Environment,
  settings: ToolSettings,
): { model: string | null; env: Record<string, string> } | null {
  const name = env['ORCH_LLM_MODEL'] ?? '';
  const { model } = settings;
  if (model !== undefined) return { model, env: endpointFor(model, env) };
  if (has(env, 'AIDER_MODEL')) return { model: null, env: {} };
  if (name !== '') {
    const full = `${isAnthropic(env) ? 'anthropic' : 'openai'}/${name}`;
    return { model: full, env: endpointOf(env) };
  }
  return CHOOSERS.some((chooser) => has(env, chooser)) ? { model: null, env: {} } : null;
}

const isAnthropic = (env: Environment): boolean => env['ORCH_LLM_PROVIDER'] === 'anthropic';

/** For a model that settings name: `ORCH_LLM_*` only where they are all there is for its provider. */
function endpointFor(model: string, env: Environment): Record<string, string> {
  const [provider = ''] = model.split('/');
  if (!has(env, 'ORCH_LLM_API_KEY') && !has(env, 'ORCH_LLM_BASE_URL')) return {};
  const own = isAnthropic(env) ? 'anthropic' : 'openai';
  const upper = own.toUpperCase();
  const isThere = [`${upper}_API_KEY`, `${upper}_API_BASE`, `${upper}_BASE_URL`].some((one) => has(env, one));
  return provider === own && !isThere ? endpointOf(env) : {};
}

/** Two names each for the address: which of them goes first has changed between versions of litellm. */
function endpointOf(env: Environment): Record<string, string> {
  const base = (env['ORCH_LLM_BASE_URL'] ?? '').replace(/\/+$/, '');
  const key = env['ORCH_LLM_API_KEY'] ?? '';
  if (isAnthropic(env)) {
    // litellm adds `/v1/messages` itself.
    const host = base.replace(/\/v1$/, '');
    return {
      ...(host === '' ? {} : { ANTHROPIC_API_BASE: host, ANTHROPIC_BASE_URL: host }),
      ...(key === '' ? {} : { ANTHROPIC_API_KEY: key }),
    };
  }
  if (base === '') return key === '' ? {} : { OPENAI_API_KEY: key };
  // A key that is meant for another address is not sent to this one.
  return { OPENAI_API_BASE: base, OPENAI_BASE_URL: base, OPENAI_API_KEY: key === '' ? NO_KEY : key };
}
