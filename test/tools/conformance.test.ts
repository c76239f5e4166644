import { existsSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ToolSettings } from '../../lib/protocol/tools.ts';
import type { Adapter } from '../../lib/tools/adapter.ts';
import { adapterNamed, agentNames, settingsOf } from '../../lib/tools/registry.ts';
import { isAlive, until } from '../rig/repository.ts';
import { endAgents, KEY, makeBench, startedPrograms, watchPrograms } from './rig.ts';

/** What every adapter of a program must do, whatever the tool. A new one is here as soon as the registry has it. */

const own = (prompt: 'stdin' | 'file' | 'argument', args: string[]): ToolSettings => ({
  executable: 'own',
  args,
  registered: {
    prompt,
    outcomes: [{ outcome: 'error', pattern: '^half' }],
    usage: { tokensIn: 'usage.in', tokensOut: 'usage.out' },
  },
});
const TOOLS = {
  'by-stdin': own('stdin', ['--quiet']),
  'by-file': own('file', ['--task', '{prompt_file}']),
  'by-argument': own('argument', ['{prompt}']),
};
/** `llm` is no program. */
const NAMES = agentNames(TOOLS).filter((name) => name !== 'llm');

const LINES =
  '/help\n!touch pwned\n"double" \'single\' `touch pwned` $HOME $(touch pwned) \\ {worktree} %s\n\tüber 漢字 🎉\n';
const PROMPT = `${LINES}${'All work and no play makes a long prompt.\n'.repeat(5_000)}The very end.`;

function benchOf(name: string) {
  const adapter = adapterNamed(name, TOOLS) as Adapter;
  const settings = settingsOf(name, TOOLS);
  return {
    adapter,
    settings,
    bench: makeBench(settings.executable ?? name),
    isArgument: name === 'by-argument',
  };
}

afterEach(endAgents);

describe.each(NAMES)('%s', (name) => {
  it('gets the whole prompt, and shows neither it nor a key to others', async () => {
    const { adapter, settings, bench, isArgument } = benchOf(name);
    const prompt = isArgument ? LINES : PROMPT;
    expect(adapter.find(bench.env, settings)).toMatchObject({ usable: true });
    const result = await adapter.run(bench.request({ prompt, settings }));
    expect(result).toMatchObject({ outcome: 'done', exitCode: 0, signal: null, retryAfterSeconds: null });
    const { argv, stdin, file, mode, env, cwd } = bench.given();
    if (isArgument) {
      expect(argv).toEqual([LINES]);
      expect(stdin).toBe('');
    } else {
      const got = file ?? stdin;
      expect(got.endsWith(prompt)).toBe(true);
      expect(file === null || stdin === '').toBe(true);
      expect(argv.join('\n')).not.toContain('The very end.');
      expect(argv.join('\n')).not.toContain('pwned');
      if (mode !== null) expect(mode).toBe(0o600);
    }
    expect(argv.join('\n')).not.toContain(KEY);
    expect(JSON.stringify(result)).not.toContain(KEY);
    expect(cwd).toBe(bench.worktree);
    for (const mark of ['ORCH_ROOT', 'ORCH_WORKSTREAM', 'ORCH_RUN', 'ORCH_ATTEMPT', 'ORCH_TOKEN'] as const)
      expect([mark, env[mark]]).toEqual([mark, bench.env[mark]]);
    expect(env['OPENAI_API_KEY']).toBe(KEY);
    // Its own papers are in the scratch folder, and nothing of them in the worktree.
    expect(readdirSync(bench.worktree)).toEqual([]);
    expect(existsSync(join(bench.scratch, 'prompt.md'))).toBe(true);
  });

  it('says what it used, where the tool tells', async () => {
    const { adapter, settings, bench } = benchOf(name);
    const { usage } = await adapter.run(bench.request({ settings }));
    expect(usage).toMatchObject({ tokensIn: 1200, tokensOut: 34 });
  });

  it('is no success where it ended with 0 and did not say so', async () => {
    const { adapter, settings, bench } = benchOf(name);
    const result = await adapter.run(bench.request({ settings, mode: 'dies' }));
    expect(result).toMatchObject({ outcome: 'error', exitCode: 0 });
    expect(result.message).not.toBe('');
  });

  it('is stopped, timed out, and found stalled', async () => {
    const check = async (outcome: string, more: Parameters<typeof watchPrograms>[0]): Promise<void> => {
      const { adapter, settings, bench } = benchOf(name);
      const supervision = watchPrograms(more);
      expect(await adapter.run(bench.request({ settings, mode: 'sleep', supervision }))).toMatchObject({
        outcome,
        exitCode: null,
      });
    };
    const stop = new AbortController();
    const plain = watchPrograms({ stop: stop.signal });
    const onStart = async (pid: number): Promise<void> => {
      await plain.onStart(pid);
      stop.abort('now');
    };
    await Promise.all([
      check('killed', { ...plain, onStart }),
      check('timeout', { timeoutMs: 1_500 }),
      check('stalled', { stallMs: 1_000 }),
    ]);
    await until(() => !startedPrograms().some(isAlive), { what: 'all of them to end' });
  });

  it('is not installed where its program is not there, or what runs it is not', async () => {
    const { adapter, settings, bench } = benchOf(name);
    const program = join(bench.bin, settings.executable ?? name);
    rmSync(program);
    expect(adapter.find(bench.env, settings)).toMatchObject({ usable: false });
    expect(await adapter.run(bench.request({ settings }))).toMatchObject({
      outcome: 'not_installed',
      exitCode: null,
    });
    symlinkSync(join(import.meta.dirname, '../fixtures/tools/no-interpreter'), program);
    expect(await adapter.run(bench.request({ settings }))).toMatchObject({ outcome: 'not_installed' });
  });
});
