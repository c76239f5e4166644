import { expect, it } from 'vitest';
import { accountOf } from '../../lib/tools/account.ts';

const env = { ORCH_LLM_BASE_URL: 'http://localhost:1', ORCH_LLM_API_KEY: 'sk-very-secret' };

it('an account is what the config says, what aider and llm share, or the tool', () => {
  expect(accountOf('aider', { account: 'mine' }, env)).toBe('mine');
  expect(accountOf('claude', {}, env)).toBe('claude');
  expect(accountOf('aider', {}, {})).toBe('aider');
  const shared = accountOf('llm', {}, env);
  expect(shared).toMatch(/^llm-[0-9a-f]{8}$/);
  expect(accountOf('aider', {}, { ...env, ORCH_LLM_MODEL: 'm' })).toBe(shared);
  expect(accountOf('llm', {}, { ...env, ORCH_LLM_API_KEY: 'another' })).not.toBe(shared);
});

it('aider with a key of its own has another account than llm', () => {
  const own = { ...env, ORCH_LLM_MODEL: 'm', ANTHROPIC_API_KEY: 'another' };
  expect(accountOf('aider', { model: 'anthropic/claude' }, own)).toBe('aider');
  expect(accountOf('aider', {}, { ...own, AIDER_MODEL: 'anthropic/claude' })).toBe('aider');
  expect(accountOf('aider', {}, env)).toBe('aider');
  expect(accountOf('aider', { model: 'openai/m' }, env)).toBe(accountOf('llm', {}, env));
});
