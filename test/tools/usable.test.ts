import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { PlannedWorkstream, Task } from '../../lib/protocol/plan.ts';
import type { ToolSettings } from '../../lib/protocol/tools.ts';
import { aiderModel } from '../../lib/tools/aider-model.ts';
import { findProgram } from '../../lib/tools/find-program.ts';
import { findTool, unusableTools } from '../../lib/tools/usable.ts';
import { endAgents, makeBench } from './rig.ts';

afterEach(endAgents);

function workstream(tool: string[] | null, env: Record<string, string> = {}): PlannedWorkstream {
  const task: Task = { kind: 'prompt', prompt: 'Do it', tool: null, timeoutMs: null };
  return {
    id: 'A',
    source: 'p.yaml:3',
    tasks: [{ ...task, digest: 'd', step: null }],
    tool,
    env,
  } as PlannedWorkstream;
}

describe('the tools of a plan', () => {
  const without = { PATH: '/nonexistent', HOME: '/nonexistent' };

  it('can be used where one of them can, with the environment that its workers will have', () => {
    const { bin } = makeBench('aider');
    const env = { PATH: bin };
    const asks = (planned: Record<string, string>, settings: ToolSettings = {}) =>
      unusableTools([workstream(['codex', 'aider'], planned)], null, { tools: { aider: settings }, env });
    expect(asks({ OPENAI_API_KEY: 'k' })).toEqual([]);
    expect(asks({}, { env: { AIDER_MODEL: 'm' } })).toEqual([]);
    expect(asks({}, { model: 'ollama/x' })).toEqual([]);
    expect(asks({ PATH: '/nonexistent', OPENAI_API_KEY: 'k' })).toHaveLength(1);
    expect(asks({})).toHaveLength(1);
    expect(asks({ OPENAI_API_KEY: '' })).toHaveLength(1);
  });

  it('are refused with the reason of each, once for a workstream, and with what to do', () => {
    const [one, ...more] = unusableTools([workstream(['claude', 'mine'])], null, {
      tools: { mine: { executable: '/nonexistent/mine', registered: { prompt: 'stdin', outcomes: [] } } },
      env: without,
    });
    expect(more).toEqual([]);
    expect(one).toMatchObject({ source: 'p.yaml:3' });
    expect(one?.message).toContain('claude: claude is not on PATH');
    expect(one?.message).toContain('/nonexistent/mine cannot be run (ENOENT)');
    expect(one?.hint).toContain('Install claude');
  });

  it('have names that are known: the nearest is told', () => {
    const { bin } = makeBench('aider');
    const env = { PATH: bin, OPENAI_API_KEY: 'k' };
    const [typo] = unusableTools([workstream(['aidr', 'aider'])], null, { tools: {}, env });
    expect(typo?.message).toContain('"aidr"');
    expect(typo?.hint).toContain('aider');
    expect(typo?.message).not.toContain('--tool');
    const [named] = unusableTools([workstream(['aidr'])], ['aidr'], { tools: {}, env });
    expect(named?.message).toContain('--tool');
    expect(unusableTools([workstream(null)], ['aider'], { tools: {}, env })).toEqual([]);
    expect(findTool('mine', { tools: {}, env })).toBeNull();
  });
});

describe('a program', () => {
  it('is never looked for below the worktree, nor in what is no program', () => {
    const { worktree, bin, env } = makeBench('mine');
    expect(findProgram('mine', env)).toEqual({ usable: true, file: join(bin, 'mine') });
    expect(findProgram(join(bin, 'mine'), {})).toMatchObject({ usable: true });
    for (const path of ['', '.', 'bin', ':', `${worktree}`]) {
      expect(findProgram('mine', { PATH: path })).toMatchObject({ usable: false });
    }
    writeFileSync(join(worktree, 'plain'), '');
    chmodSync(join(worktree, 'plain'), 0o644);
    mkdirSync(join(worktree, 'folder'));
    for (const name of ['plain', 'folder', 'absent'])
      expect(findProgram(join(worktree, name), {})).toMatchObject({ usable: false });
    expect(findProgram('./mine', { PATH: bin })).toMatchObject({ usable: false });
  });
});

describe('the model of aider', () => {
  const llm = { ORCH_LLM_MODEL: 'm', ORCH_LLM_BASE_URL: 'http://localhost:1/v1/', ORCH_LLM_API_KEY: 'k' };
  const base = { OPENAI_API_BASE: 'http://localhost:1/v1', OPENAI_BASE_URL: 'http://localhost:1/v1' };
  it.each<[string, Record<string, string>, ToolSettings, ReturnType<typeof aiderModel>]>([
    ['nothing is set', {}, {}, null],
    ['a key is set', { ANTHROPIC_API_KEY: 'k' }, {}, { model: null, env: {} }],
    ['settings name it', {}, { model: 'ollama/x' }, { model: 'ollama/x', env: {} }],
    ['AIDER_MODEL names it', { AIDER_MODEL: 'x', ...llm }, {}, { model: null, env: {} }],
    ['llm has one', llm, {}, { model: 'openai/m', env: { ...base, OPENAI_API_KEY: 'k' } }],
    [
      'llm has one, and a key for another address is set',
      { ...llm, ORCH_LLM_API_KEY: '', OPENAI_API_KEY: 'other' },
      {},
      { model: 'openai/m', env: { ...base, OPENAI_API_KEY: 'none' } },
    ],
    [
      'llm has one of Anthropic',
      { ...llm, ORCH_LLM_PROVIDER: 'anthropic' },
      {},
      {
        model: 'anthropic/m',
        env: {
          ANTHROPIC_API_BASE: 'http://localhost:1',
          ANTHROPIC_BASE_URL: 'http://localhost:1',
          ANTHROPIC_API_KEY: 'k',
        },
      },
    ],
    [
      'settings name it, llm has the way',
      llm,
      { model: 'openai/y' },
      { model: 'openai/y', env: { ...base, OPENAI_API_KEY: 'k' } },
    ],
    [
      'settings name it, and it has a key',
      { ...llm, OPENAI_API_KEY: 'o' },
      { model: 'openai/y' },
      { model: 'openai/y', env: {} },
    ],
    ['settings name one of another provider', llm, { model: 'gemini/y' }, { model: 'gemini/y', env: {} }],
  ])('where %s', (_, env, settings, expected) => {
    expect(aiderModel(env, settings)).toEqual(expected);
  });
});
