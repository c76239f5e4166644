import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { makeRepository, ORCH, type Rig } from '../rig/repository.ts';
import { closeServers, modelServer, says } from '../tools/llm/server.ts';

/** The built program asks a model server and commits what it was told; until it does, no model library is loaded. */

const rigs: Rig[] = [];

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.end();
  await closeServers();
});

test('a task goes to the model, its edit onto the branch, its tokens into the record', async () => {
  const block = 'FILE: src/a.py\n<<<<<<< SEARCH\ntwo = 2\n=======\ntwo = 3\n>>>>>>> REPLACE\n';
  const server = await modelServer(says(block));
  const plan = {
    id: 'A',
    tasks: [{ prompt: 'Set two to 3.', tool: 'llm' }],
    files_scope: ['src'],
    acceptance_tests: [{ run: 'grep -q "two = 3" src/a.py' }],
  };
  const rig = makeRepository(plan, { 'src/a.py': 'one = 1\ntwo = 2\n' });
  rigs.push(rig);
  const env = { ORCH_LLM_BASE_URL: server.url, ORCH_LLM_MODEL: 'm' };
  const { code, stderr } = await rig.orch(['run'], { env });
  expect([code, stderr]).toMatchObject([0, expect.anything()]);
  expect(rig.git('show', 'orch/A:src/a.py')).toBe('one = 1\ntwo = 3\n');
  expect(rig.record('A')).toMatchObject({ status: 'completed', tool_runs: [{ tool: 'llm', tokens: 107 }] });
  expect(rig.read('.logs/A.log')).toContain('| FILE: src/a.py');
});

test('neither worker nor program loads the model library when it starts', () => {
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, from = ''] of text.matchAll(/^(?:import|export)\s[^;]*?from\s*["'](\.[^"']+)["']/gm))
      load(join(dirname(file), from));
    for (const [, from = ''] of text.matchAll(/^import\s*["'](\.[^"']+)["']/gm))
      load(join(dirname(file), from));
  };
  load(ORCH);
  load(join(dirname(ORCH), 'worker.js'));
  expect(loaded.size).toBeGreaterThan(5);
  const heavy = [...loaded].filter((file) => readFileSync(file, 'utf8').includes('includeRawChunks'));
  expect(heavy).toEqual([]);
});
