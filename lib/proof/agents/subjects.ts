import type { ToolSettings } from '../../protocol/tools.ts';

/** How a tool is led to a fake server, and kept away from all that is the user's. */
export type Connection = {
  env: Record<string, string>;
  settings: ToolSettings;
  /** Files of its home, by path. */
  files: Record<string, string>;
};

/** What is probed: an adapter, by one of the ways in which it asks a model. */
export type Subject = { name: string; tool: string; connect: (url: string, home: string) => Connection };

/** No key of anybody's; whoever finds it in a log sees where it came from. */
export const FAKE_KEY = 'fake-key-of-orch-probe';
const MODEL = 'fake';

function aider(url: string, home: string): Connection {
  const metadata = {
    max_input_tokens: 100_000,
    max_output_tokens: 4_000,
    litellm_provider: 'openai',
    mode: 'chat',
  };
  const price = { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 };
  const model = `openai/${MODEL}`;
  return {
    env: { OPENAI_API_BASE: `${url}/v1`, OPENAI_API_KEY: FAKE_KEY },
    // Of a model that it does not know it wants whole files; blocks are what it wants of the better ones.
    settings: { model, args: ['--edit-format', 'diff', '--model-metadata-file', `${home}/models.json`] },
    files: { 'models.json': JSON.stringify({ [model]: { ...metadata, ...price } }) },
  };
}

function llm(provider: 'openai-compatible' | 'anthropic') {
  return (url: string): Connection => ({
    env: {
      ORCH_LLM_PROVIDER: provider,
      ORCH_LLM_BASE_URL: `${url}/v1`,
      ORCH_LLM_MODEL: MODEL,
      ORCH_LLM_API_KEY: FAKE_KEY,
    },
    settings: {},
    files: {},
  });
}

function claude(url: string): Connection {
  return {
    env: { ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: FAKE_KEY },
    settings: { model: MODEL },
    files: {},
  };
}

function codex(url: string, home: string): Connection {
  const provider = [
    'model_provider = "fake"',
    '[analytics]',
    'enabled = false',
    '[model_providers.fake]',
    'name = "fake"',
    `base_url = "${url}/v1"`,
    'env_key = "FAKE_KEY"',
    'wire_api = "responses"',
  ];
  return {
    // It makes the helpers of its sandbox in its home, but in none that is below the folder for temporary files.
    env: { FAKE_KEY, CODEX_HOME: `${home}/.codex`, TMPDIR: `${home}/tmp` },
    settings: { model: MODEL },
    files: { '.codex/config.toml': `${provider.join('\n')}\n`, 'tmp/.keep': '' },
  };
}

function opencode(url: string): Connection {
  const limit = { context: 100_000, output: 4_000 };
  const provider = {
    npm: '@ai-sdk/openai-compatible',
    name: 'fake',
    options: { baseURL: `${url}/v1`, apiKey: FAKE_KEY },
    models: { [MODEL]: { name: MODEL, limit } },
  };
  const config = {
    autoupdate: false,
    share: 'disabled',
    small_model: `fake/${MODEL}`,
    provider: { fake: provider },
  };
  return {
    env: { OPENCODE_CONFIG_CONTENT: JSON.stringify(config), OPENCODE_DISABLE_MODELS_FETCH: '1' },
    settings: { model: `fake/${MODEL}` },
    files: {},
  };
}

function gemini(url: string): Connection {
  const settings = {
    security: { auth: { selectedType: 'gemini-api-key' } },
    privacy: { usageStatisticsEnabled: false },
  };
  return {
    env: { GEMINI_API_KEY: FAKE_KEY, GOOGLE_GEMINI_BASE_URL: url },
    // It asks only models that it knows.
    settings: { model: 'gemini-2.5-flash' },
    files: { '.gemini/settings.json': JSON.stringify(settings) },
  };
}

function copilot(url: string): Connection {
  return {
    env: {
      COPILOT_OFFLINE: 'true',
      COPILOT_PROVIDER_BASE_URL: `${url}/v1`,
      COPILOT_PROVIDER_API_KEY: FAKE_KEY,
      COPILOT_MODEL: MODEL,
    },
    settings: {},
    files: {},
  };
}

/** All that there are, in the order in which they are shown. */
export const SUBJECTS: readonly Subject[] = [
  { name: 'aider', tool: 'aider', connect: aider },
  { name: 'llm', tool: 'llm', connect: llm('openai-compatible') },
  { name: 'llm (anthropic)', tool: 'llm', connect: llm('anthropic') },
  { name: 'claude', tool: 'claude', connect: claude },
  { name: 'codex', tool: 'codex', connect: codex },
  { name: 'opencode', tool: 'opencode', connect: opencode },
  { name: 'gemini', tool: 'gemini', connect: gemini },
  { name: 'copilot', tool: 'copilot', connect: copilot },
];
