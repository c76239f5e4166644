import { describe, expect, test } from 'vitest';
import { FAKE_KEY } from '../../lib/proof/agents/subjects.ts';
import type { Edit, Script } from '../../lib/proof/model-server/modes.ts';
import { type ModelServer, startModelServer } from '../../lib/proof/model-server/server.ts';
import { adapterNamed } from '../../lib/tools/registry.ts';
import type { Rig } from '../rig/repository.ts';
import { rigFor } from '../rig/rigs.ts';
import { person } from './tools.ts';

/** Plans as people write them, through the built orch and the real aider: the way from a prompt to a branch. */

const FILES = {
  'README.md': 'See guide/start.md.\n',
  'guide/start.md': '# Start\n\nOpen the console.\n',
  'guide/more.md': '# More\n\nSee start.md.\n',
};
const EDITS: readonly Edit[][] = [
  [{ path: 'guide/start.md', old: 'Open the console.\n', new: 'Open the terminal.\n' }],
  [{ path: 'guide/more.md', old: 'See start.md.\n', new: 'See [start](start.md).\n' }],
];
const PLAN = {
  id: 'ws-03-guide',
  openspec_change: 'WS-03',
  gate: 1,
  files_scope: ['guide/'],
  files_create: [],
  tasks: ['In guide/start.md say terminal, not console', 'Make the reference in guide/more.md a link'],
  acceptance_tests: ["grep -q terminal guide/start.md && grep -q '(start.md)' guide/more.md"],
  depends_on: [],
  tool: 'aider',
  metadata: { notes: 'LOW risk: texts only' },
};

type Context = Parameters<typeof rigFor>[0];

async function serverFor({ onTestFinished }: Context, script: Partial<Script>): Promise<ModelServer> {
  const server = await startModelServer(script);
  onTestFinished(() => server.close());
  return server;
}

/** The edits of one task after the other, each asked for once; whole lines, as `llm` wants them. */
function inOrder(): () => readonly Edit[] {
  let next = 0;
  return () => EDITS[next++] ?? [];
}

const llmEnvironment = (url: string): Record<string, string> => ({
  ORCH_LLM_BASE_URL: `${url}/v1`,
  ORCH_LLM_MODEL: 'fake',
  ORCH_LLM_API_KEY: FAKE_KEY,
});

/** Aider asks `aider`, llm asks `llm`. */
function rigWith(context: Context, aider: ModelServer): Rig {
  const tools = { aider: { model: 'openai/fake', env: { OPENAI_API_BASE: `${aider.url}/v1` } } };
  return rigFor(context, PLAN, { ...FILES, 'orch.config.json': JSON.stringify({ tools }) });
}

function run(rig: Rig, llm: ModelServer) {
  const env = { PATH: person['PATH'] ?? '', OPENAI_API_KEY: FAKE_KEY, ...llmEnvironment(llm.url) };
  return rig.orch(['run'], { env });
}

type ToolRun = { tool: string; outcome: string; task: number };
const runsOf = (rig: Rig): string[] =>
  (rig.record(PLAN.id)['tool_runs'] as ToolRun[]).map(({ tool, outcome }) => `${tool} ${outcome}`);

function expectLanded(rig: Rig): void {
  const show = (path: string): string => rig.git('show', `orch/${PLAN.id}:${path}`);
  expect(show('guide/start.md')).toBe('# Start\n\nOpen the terminal.\n');
  expect(show('guide/more.md')).toBe('# More\n\nSee [start](start.md).\n');
  const trailers = rig.git('log', '--format=%(trailers:key=Orch-Task,valueonly)', `main..orch/${PLAN.id}`);
  expect(trailers.split('\n').filter((line) => line !== '')).toHaveLength(PLAN.tasks.length);
  expect(rig.git('status', '--porcelain')).toBe('');
  for (const name of ['log', 'err']) expect(rig.read(`.logs/${PLAN.id}.${name}`)).not.toContain(FAKE_KEY);
  expect(JSON.stringify(rig.record(PLAN.id))).not.toContain(FAKE_KEY);
}

const hasAider = adapterNamed('aider')?.find({ ...person, OPENAI_API_KEY: 'x' }, {}).usable === true;
if (!hasAider) console.warn('aider is not here: scripts/agents/install.sh aider installs it.');

describe.skipIf(!hasAider).concurrent('a plan with aider', () => {
  test('has its edits on the branch, a checkpoint a task, tokens in the record', async (context) => {
    const server = await serverFor(context, { modes: ['edit'], edits: inOrder() });
    const rig = rigWith(context, server);
    const { code, stderr } = await run(rig, server);
    expect([code, stderr]).toMatchObject([0, expect.anything()]);
    expect(runsOf(rig)).toEqual(['aider done', 'aider done']);
    expectLanded(rig);
    expect(rig.record(PLAN.id)).toMatchObject({
      status: 'completed',
      usage: { tokens_in: 2_400, tokens_out: 68 },
    });
  });

  test('falls to llm where aider is refused, though aider ends with 0', async (context) => {
    const refuses = await serverFor(context, { modes: ['401'] });
    const answers = await serverFor(context, { modes: ['edit'], edits: inOrder() });
    const rig = rigWith(context, refuses);
    expect((await run(rig, answers)).code).toBe(0);
    const runs = runsOf(rig);
    expect(runs[0]).toBe('aider auth');
    expect(runs.filter((one) => one === 'llm done')).toHaveLength(PLAN.tasks.length);
    expectLanded(rig);
  });

  test('fails with the reason and a hint where both are refused', async (context) => {
    const refuses = await serverFor(context, { modes: ['401'] });
    const rig = rigWith(context, refuses);
    expect((await run(rig, refuses)).code).toBe(1);
    expect(runsOf(rig)).toEqual(['aider auth', 'llm auth']);
    const record = rig.record(PLAN.id);
    expect(record).toMatchObject({ status: 'failed', reason: { hint: expect.stringMatching(/\S/) } });
    expect(rig.git('rev-list', '--count', `main..orch/${PLAN.id}`).trim()).toBe('0');
  });
});

describe('a rate limit that three workers meet', () => {
  const RETRY_AFTER_SECONDS = 20;
  /** By then the first has told the others, however loaded the machine is. */
  const TOLD_MS = 14_000;

  test('is one wait for all, and costs no attempt', async (context) => {
    const edits = (prompt: string): readonly Edit[] => {
      const name = ['one', 'two', 'three'].find((one) => prompt.includes(`${one}.txt say hello`)) ?? '';
      return [{ path: `${name}.txt`, old: null, new: 'hello\n' }];
    };
    const server = await serverFor(context, {
      modes: ['429', 'edit'],
      edits,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
    const plan = ['one', 'two', 'three'].map((name) => ({
      id: name,
      tasks: [`In ${name}.txt say hello`],
      files_scope: [`${name}.txt`],
      tool: ['llm'],
      circuit_breaker: { max_attempts: 1 },
      acceptance_tests: [`grep -q hello ${name}.txt`],
    }));
    const files = Object.fromEntries(plan.map(({ id }) => [`${id}.txt`, 'hi\n']));
    const rig = rigFor(context, plan, files);
    const { code } = await rig.orch(['run', '--max-parallel', '3'], { env: llmEnvironment(server.url) });
    expect(code).toBe(0);
    expect(plan.map(({ id }) => rig.status(id))).toEqual(['completed', 'completed', 'completed']);
    const asked = server.asked();
    const limited = asked.filter(({ mode }) => mode === '429');
    expect(limited).toHaveLength(1);
    const at = limited[0]?.atMs ?? 0;
    const during = asked.filter(
      ({ atMs }) => atMs > at + TOLD_MS && atMs < at + RETRY_AFTER_SECONDS * 1_000 - 500,
    );
    expect(during).toEqual([]);
    expect(asked).toHaveLength(4);
  });
});
