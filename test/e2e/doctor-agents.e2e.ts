import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { programOnPath } from '../../lib/tools/on-path.ts';
import type { Rig } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

vi.setConfig({ testTimeout: 180_000 });

type Try = { mode: string; outcome: string; expected: string; ok: boolean; message: string };
type Row = { tool: string; found: boolean; why: string | null; version: string | null; tries: Try[] };

/** A PATH with git and a shell, and no coding tool but those that are put there. */
function bareBin(rig: Rig): string {
  const bin = join(rig.aside, 'bin');
  mkdirSync(bin);
  for (const name of ['git', 'sh', 'env', 'node']) {
    const file = name === 'node' ? process.execPath : programOnPath(name);
    if (file !== null) symlinkSync(file, join(bin, name));
  }
  return bin;
}

function plant(bin: string, name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

async function probe(
  rig: Rig,
  bin: string,
): Promise<{ code: number | null; ok: boolean; by: Map<string, Row> }> {
  // A home and a folder for temporary files of its own: what is left or written there would be seen.
  const [home, tmp] = [join(rig.aside, 'home'), join(rig.aside, 'tmp')];
  for (const folder of [home, tmp]) mkdirSync(folder, { recursive: true });
  const env = { PATH: bin, HOME: home, TMPDIR: tmp };
  const { code, stdout, stderr } = await rig.orch(['doctor', '--agents', '--json'], { env });
  expect(stderr).toBe('');
  const { schema, ok, tools } = JSON.parse(stdout) as { schema: string; ok: boolean; tools: Row[] };
  expect(schema).toBe('orch.agents/1');
  expect([readdirSync(home), readdirSync(tmp)]).toEqual([[], []]);
  return { code, ok, by: new Map(tools.map((row) => [row.tool, row])) };
}

describe('orch doctor --agents', () => {
  it('tries what is there, and says of the others that they are not', async () => {
    const rig = rigOf();
    const bin = bareBin(rig);
    expect(bin.split(delimiter)).toHaveLength(1);
    const { code, ok, by } = await probe(rig, bin);
    expect([code, ok]).toEqual([0, true]);
    expect(by.get('llm')?.tries).toMatchObject([
      { mode: 'edit', outcome: 'done', expected: 'done', ok: true },
      { mode: '401', outcome: 'auth', expected: 'auth', ok: true },
    ]);
    expect(by.get('aider')).toMatchObject({ found: false, tries: [] });
    expect(by.get('aider')?.why).not.toBeNull();
    expect(rig.git('status', '--porcelain')).toBe('');
  });

  it('is not content with a tool that says that it is well and does nothing', async () => {
    const rig = rigOf();
    const bin = bareBin(rig);
    const events = [
      `echo '{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":1}}'`,
      '[ "$1" = --version ] && echo codex 1.2.3',
    ];
    plant(bin, 'codex', `${events.join('\n')}\nexit 0`);
    const { code, ok, by } = await probe(rig, bin);
    expect([code, ok]).toEqual([1, false]);
    expect(by.get('codex')).toMatchObject({
      found: true,
      tries: [{ outcome: 'no_change', ok: false }, { ok: false }],
    });
    expect(by.get('llm')?.tries.every((one) => one.ok)).toBe(true);
  });

  it('is one proof, and the violence another', async () => {
    const { code } = await rigOf().orch(['doctor', '--agents', '--chaos']);
    expect(code).toBe(2);
  });
});
