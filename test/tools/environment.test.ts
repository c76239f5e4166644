import { afterEach, expect, it, vi } from 'vitest';
import { agentEnvironment, commandEnvironment } from '../../lib/tools/environment.ts';

afterEach(() => void vi.unstubAllEnvs());

const KEYS =
  'ORCH_LLM_API_KEY OPENAI_API_KEY API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN COPILOT_GITHUB_TOKEN AWS_BEARER_TOKEN_BEDROCK';
const MARKS = { root: '/r', workstream: 'A', run: '1', attempt: 1, token: 't' };

it('an agent has the keys of models, a command of the plan has none', () => {
  for (const key of KEYS.split(' ')) vi.stubEnv(key, 'a key of a test');
  vi.stubEnv('GIT_DIR', '/elsewhere');
  vi.stubEnv('DATABASE_PASSWORD', 'of the service');
  const agent = agentEnvironment(MARKS, { PLANNED: 'yes' }, { OWN: 'yes' });
  const command = commandEnvironment(MARKS, { PLANNED: 'yes' });
  for (const key of KEYS.split(' ')) {
    expect(agent[key]).toBe('a key of a test');
    expect(command).not.toHaveProperty(key);
  }
  expect(agent).toMatchObject({ OWN: 'yes', PLANNED: 'yes', ORCH_WORKSTREAM: 'A' });
  expect(command).toMatchObject({ DATABASE_PASSWORD: 'of the service', PLANNED: 'yes', ORCH_TOKEN: 't' });
  expect([agent['GIT_DIR'], command['GIT_DIR']]).toEqual([undefined, undefined]);
});
