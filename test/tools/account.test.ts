import { expect, it } from 'vitest';
import { accountOf } from '../../lib/tools/account.ts';

const env = { ORCH_LLM_BASE_URL: 'http://localhost:1', ORCH_LLM_API_KEY: 'sk-very-secret' };

it('an account is what the config says, what aider and llm share, or the tool', () => {
  expect(accountOf('aider', { account: 'mine' }, env)).toBe('mine');
  expect(accountOf('claude', {}, env)).toBe('claude');
  expect(accountOf('aider', {}, {})).toBe('aider');
  const shared = accountOf('llm', {}, env);
  expect(shared).toMatch(/^llm-[0-9a-f]{8}$/);
  expect(accountOf('aider', {}, env)).toBe(shared);
  expect(accountOf('llm', {}, { ...env, ORCH_LLM_API_KEY: 'another' })).not.toBe(shared);
});
