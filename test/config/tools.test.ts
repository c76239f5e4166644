import { describe, expect, it } from 'vitest';
import { readConfig } from '../../lib/config/read.ts';
import type { Fault } from '../../lib/plan/fault.ts';
import type { ToolSettings } from '../../lib/protocol/tools.ts';
import { folderWith } from '../plan/scratch.ts';

async function read(
  text: string,
): Promise<{ root: string; tools: Record<string, ToolSettings>; faults: Fault[] }> {
  const root = await folderWith({ 'orch.config.yaml': text });
  const result = await readConfig(root, root);
  if (!result.ok) return { root, tools: {}, faults: result.faults };
  return { root, tools: result.config.options.tools ?? {}, faults: [] };
}

const place = ({ code, line, column }: Fault): string => `${code}@${line}:${column}`;

describe('tools in a config', () => {
  it('are read in full', async () => {
    const { root, tools, faults } = await read(`
tools:
  aider:
    model: openai/gpt-5
    args: [--edit-format, diff]
    env: {AIDER_MAP_TOKENS: "1024", MAX_TOKENS: "4096", ORCH_LLM_PROVIDER: anthropic}
    account: team
    executable: ./bin/aider
  mine:
    executable: mytool
    prompt: file
    model: large
    args: [--task, "{prompt_file}", "--file={files}", "{{model}}", '{"a": {"b": 1}}', "--api-key-file=/x"]
    outcomes:
      - {outcome: rate_limited, exit_code: 75}
      - {outcome: auth, pattern: "^Error: 401"}
      - {outcome: bad_edit, json: {path: result.kind, equals: no_match}}
    usage: {tokens_in: usage.in, tokens_out: usage.out, cost_usd: usage.usd}
  plain: {executable: /opt/plain}
`);
    expect(faults).toEqual([]);
    expect(tools['aider']).toEqual({
      executable: `${root}/bin/aider`,
      model: 'openai/gpt-5',
      args: ['--edit-format', 'diff'],
      env: { AIDER_MAP_TOKENS: '1024', MAX_TOKENS: '4096', ORCH_LLM_PROVIDER: 'anthropic' },
      account: 'team',
    });
    expect(tools['mine']?.registered).toEqual({
      prompt: 'file',
      outcomes: [
        { outcome: 'rate_limited', exitCode: 75 },
        { outcome: 'auth', pattern: '^Error: 401' },
        { outcome: 'bad_edit', json: { path: 'result.kind', equals: 'no_match' } },
      ],
      usage: { tokensIn: 'usage.in', tokensOut: 'usage.out', costUsd: 'usage.usd' },
    });
    expect(tools['plain']).toEqual({
      executable: '/opt/plain',
      registered: { prompt: 'stdin', outcomes: [] },
    });
  });

  it.each([
    ['tools: [aider]', 'wrong_type@1:8'],
    ['tools: {aider: 5}', 'wrong_type@1:16'],
    ['tools: {aider: {model: 5}}', 'wrong_type@1:24'],
    ['tools: {aider: {modle: x}}', 'unknown_field@1:17'],
    ['tools: {aider: {prompt: stdin}}', 'misplaced_field@1:17'],
    ['tools: {llm: {executable: x}}', 'misplaced_field@1:15'],
    ['tools: {adier: {model: x}}', 'missing_field@1:9'],
    ['tools: {command: {executable: x}}', 'bad_tool@1:9'],
    ['tools: {"a/b": {executable: x}}', 'bad_tool@1:9'],
    ['tools: {x: {executable: x, args: ["{worktre}"]}}', 'bad_tool@1:35'],
    ['tools: {x: {executable: x, args: ["{prompt}"]}}', 'bad_tool@1:35'],
    ['tools: {x: {executable: x, args: ["{model}"]}}', 'bad_tool@1:35'],
    ['tools: {x: {executable: x, prompt: file, args: [a]}}', 'bad_tool@1:48'],
    ['tools: {x: {executable: x, prompt: argument}}', 'bad_tool@1:36'],
    ['tools: {x: {executable: x, prompt: pipe}}', 'wrong_type@1:36'],
    ['tools: {x: {executable: x, outcomes: [{outcome: fine}]}}', 'bad_tool@1:39 wrong_type@1:49'],
    ['tools: {x: {executable: x, outcomes: [{outcome: killed, exit_code: 1}]}}', 'wrong_type@1:49'],
    ['tools: {x: {executable: x, outcomes: [{outcome: auth}]}}', 'bad_tool@1:39'],
    ['tools: {x: {executable: x, outcomes: [{outcome: auth, pattern: "("}]}}', 'wrong_type@1:64'],
    ['tools: {x: {executable: x, outcomes: [{outcome: auth, exitcode: 1}]}}', 'unknown_field@1:55'],
    [
      'tools: {x: {executable: x, outcomes: [{outcome: auth, json: {path: a..b, equals: 1}}]}}',
      'wrong_type@1:68',
    ],
    ['tools: {x: {executable: x, usage: {tokens: a}}}', 'unknown_field@1:36'],
    ['tools: {aider: {env: {ORCH_ROOT: x}}}', 'bad_env@1:23'],
    ['tools: {aider: {env: {GIT_DIR: x}}}', 'bad_env@1:23'],
    ['tools: {aider: {env: {"A B": x}}}', 'bad_env@1:23'],
    ['tools: {aider: {env: {A: 5}}}', 'wrong_type@1:26'],
  ])('tell the place of the fault in %j', async (text, expected) => {
    expect((await read(text)).faults.map(place).join(' ')).toBe(expected);
  });

  it.each([
    'tools: {aider: {env: {OPENAI_API_KEY: tell-nobody-4711}}}',
    'tools: {aider: {env: {X: "sk-proj-tellnobody47110123456789"}}}',
    'tools: {aider: {args: ["--api-key=tell-nobody-4711"]}}',
    'tools: {x: {executable: x, args: [--key, "sk-proj-tellnobody47110123456789"]}}',
    'tools: {aider: {env: {API_TOKEN: [tell-nobody-4711]}}}',
    'tools: {aider: {api_key: tell-nobody-4711}}',
  ])('hold no secret, and do not repeat it: %j', async (text) => {
    const { faults } = await read(text);
    expect(faults.length).toBeGreaterThan(0);
    expect(JSON.stringify(faults)).not.toMatch(/tell-?nobody/);
  });

  it('names the nearest of what a person may have meant', async () => {
    const hintOf = async (text: string): Promise<string | null | undefined> =>
      (await read(text)).faults[0]?.hint;
    expect(await hintOf('tools: {aidr: {model: x}}')).toContain('"aider"');
    expect(await hintOf('tools: {aider: {mdel: x}}')).toContain('"model"');
    expect(await hintOf('tools: {x: {executable: x, args: ["{prompt-file}", "{promptfile}"]}}')).toContain(
      '{prompt_file}',
    );
  });
});
