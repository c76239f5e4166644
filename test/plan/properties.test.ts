import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wavesOf } from '../../lib/plan/graph.ts';
import { parseDocument } from '../../lib/plan/parse.ts';
import { readPlan } from '../../lib/plan/read.ts';
import { folderWith } from './scratch.ts';

const KEYS = [
  'id',
  'tasks',
  'steps',
  'depends_on',
  'env',
  'tool',
  'copy',
  'run',
  'prompt',
  'workstreams',
  '__proto__',
];
const leaf = fc.oneof(
  fc.constantFrom<unknown>('a', 'b', '', '../x', '5m', null, true, 0, -1, 'aider', 'make sure it works'),
  fc.string(),
  fc.double(),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('map')),
  map: fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string()), tie('value'), { maxKeys: 5 }),
}));
const piece = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  ':',
  ' ',
  ',',
  '\n',
  '- ',
  '? ',
  '&a ',
  '*a',
  '!',
  '|',
  '>',
  '#',
  '//',
  '/*',
  '\t',
  'id',
  'x',
  '\\',
  '<<',
  '%',
  '---',
);
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(piece, { maxLength: 60 }).map((parts) => parts.join('')),
  value.map((json) => JSON.stringify(json) ?? ''),
);

test('any text is a document or faults with a place inside it', () => {
  fc.assert(
    fc.property(texts, fc.constantFrom('a.json', 'a.yaml'), (text, name) => {
      const result = parseDocument({ path: `/${name}`, file: name, source: name }, text);
      if (result.ok) return;
      expect(result.faults.length).toBeGreaterThan(0);
      for (const fault of result.faults) {
        expect(fault.line).toBeGreaterThanOrEqual(1);
        expect(fault.line).toBeLessThanOrEqual(text.split('\n').length);
        expect(fault.column).toBeGreaterThanOrEqual(1);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('any file is a plan whose waves can be made, or has faults', async () => {
  const root = await folderWith({});
  await fc.assert(
    fc.asyncProperty(texts, fc.constantFrom('a.json', 'a.yaml'), async (text, name) => {
      await writeFile(join(root, name), text);
      const result = await readPlan(root, [name], { cwd: root });
      if (!result.ok) expect(result.faults.length).toBeGreaterThan(0);
      else expect(wavesOf(result.workstreams).flat()).toHaveLength(result.workstreams.length);
    }),
    { numRuns: 1_000 },
  );
}, 300_000);

test('a sound plan is read alike from JSON and YAML', async () => {
  const root = await folderWith({});
  const task = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '' && !text.includes('\0'));
  await fc.assert(
    fc.asyncProperty(fc.array(task, { minLength: 1, maxLength: 5 }), async (tasks) => {
      await writeFile(join(root, 'a.json'), JSON.stringify({ id: 'a', tasks }));
      await writeFile(
        join(root, 'a.yaml'),
        `id: a\ntasks:\n${tasks.map((t) => `  - ${JSON.stringify(t)}`).join('\n')}\n`,
      );
      const json = await readPlan(root, ['a.json'], { cwd: root });
      const yaml = await readPlan(root, ['a.yaml'], { cwd: root });
      if (!json.ok || !yaml.ok) throw new Error(JSON.stringify([json, yaml]));
      expect(yaml.workstreams[0]?.tasks).toEqual(json.workstreams[0]?.tasks);
      expect(yaml.workstreams[0]?.definition).toBe(json.workstreams[0]?.definition);
      expect(json.workstreams[0]?.tasks).toHaveLength(tasks.length);
    }),
    { numRuns: 200 },
  );
}, 300_000);
