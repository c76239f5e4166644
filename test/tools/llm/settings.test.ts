import { expect, test } from 'vitest';
import { readLlmSettings } from '../../../lib/tools/llm/settings.ts';
import { makeMask, makeVoice } from '../../../lib/tools/llm/voice.ts';
import { llm } from '../../../lib/tools/llm.ts';

/** Which model is asked, what is said where that cannot be known, and that no key is ever told. */

const URL = { ORCH_LLM_BASE_URL: 'http://localhost:8080/v1', ORCH_LLM_MODEL: 'm' };

test('an address and a model are enough; Anthropic needs a key and no address', () => {
  expect(readLlmSettings(URL, {})).toMatchObject({
    ok: true,
    llm: { provider: 'openai-compatible', baseUrl: 'http://localhost:8080/v1', model: 'm', apiKey: null },
  });
  const anthropic = { ORCH_LLM_PROVIDER: 'anthropic', ORCH_LLM_MODEL: 'm' };
  expect(readLlmSettings(anthropic, {}).ok).toBe(false);
  expect(readLlmSettings({ ...anthropic, ORCH_LLM_API_KEY: 'k123' }, {})).toMatchObject({
    ok: true,
    llm: { provider: 'anthropic', baseUrl: expect.stringContaining('anthropic'), apiKey: 'k123' },
  });
});

test('the config goes before the environment; a slash at the end is taken off', () => {
  const settings = { model: 'n', env: { ORCH_LLM_BASE_URL: 'http://other/v1/' } };
  expect(readLlmSettings(URL, settings)).toMatchObject({ llm: { model: 'n', baseUrl: 'http://other/v1' } });
});

test.each<[string, Record<string, string>, string]>([
  ['nothing', {}, 'ORCH_LLM_BASE_URL, ORCH_LLM_MODEL'],
  ['no model', { ORCH_LLM_BASE_URL: 'http://x/v1' }, 'ORCH_LLM_MODEL'],
  ['empty', { ...URL, ORCH_LLM_MODEL: ' ' }, 'ORCH_LLM_MODEL'],
  ['an unknown provider', { ...URL, ORCH_LLM_PROVIDER: 'ollama' }, 'ORCH_LLM_PROVIDER'],
  ['no address', { ...URL, ORCH_LLM_BASE_URL: 'localhost' }, 'ORCH_LLM_BASE_URL'],
  ['another protocol', { ...URL, ORCH_LLM_BASE_URL: 'file:///etc/passwd' }, 'ORCH_LLM_BASE_URL'],
  ['a password in it', { ...URL, ORCH_LLM_BASE_URL: 'http://u:secret9@x/v1' }, 'ORCH_LLM_BASE_URL'],
  ['a key in it', { ...URL, ORCH_LLM_BASE_URL: 'http://x/v1?key=secret9' }, 'ORCH_LLM_BASE_URL'],
  ['a key with a newline', { ...URL, ORCH_LLM_API_KEY: 'secret9\nx' }, 'ORCH_LLM_API_KEY'],
  ['a budget that is none', { ...URL, ORCH_LLM_CONTEXT_BYTES: '1e9' }, 'ORCH_LLM_CONTEXT_BYTES'],
  ['a budget of nothing', { ...URL, ORCH_LLM_CONTEXT_BYTES: '0' }, 'ORCH_LLM_CONTEXT_BYTES'],
])('not usable, with what to set: %s', async (_, env, name) => {
  const found = llm.find(env, {});
  expect(found).toMatchObject({ usable: false, why: expect.stringContaining(name) });
  expect(JSON.stringify(found)).not.toContain('secret9');
});

test('a key is taken out of what is told, in every form that it has in a message', () => {
  const mask = makeMask('sk-a"b/c+d');
  expect(mask('key sk-a"b/c+d!')).toBe('key ***!');
  expect(mask(JSON.stringify({ key: 'sk-a"b/c+d' }))).toBe('{"key":"***"}');
  expect(mask(`?key=${encodeURIComponent('sk-a"b/c+d')}`)).toBe('?key=***');
  expect(makeMask(null)('x')).toBe('x');
});

test('what a model says comes out by lines, behind a mark, with nothing of the key across two pieces', () => {
  let told = '';
  const voice = makeVoice(makeMask('secret9'), (text) => {
    told += text;
  });
  voice.say('I say sec', 'text');
  voice.say('ret9\norch: llm: done', 'text');
  voice.say('hm', 'thought');
  voice.note('round 2');
  voice.pause();
  expect(told).toBe('| I say ***\n| orch: llm: done\n~ hm\norch: llm: round 2\n');
});
