import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBlocks } from '../../lib/plan/markdown.ts';
import { cutsOf } from '../../lib/plan/markdown-sections.ts';
import { readPlan } from '../../lib/plan/read.ts';
import { folderWith } from './scratch.ts';

const line = fc.oneof(
  fc.constantFrom(
    '| Workstream ID | Priority |',
    '|---|---|',
    '| ws-1-a | high |',
    '| `ws-2` | 5 |',
    '| **ws-3** |',
    '# WS-1: Title',
    '## 🔴 WS-2 & [WS-3](#x)',
    '### Tasks',
    '**What it does**:',
    'Tasks:',
    '- do it',
    '* [x] done',
    '1. first',
    '  - nested',
    '  more',
    '```',
    '   ```js',
    '~~~~',
    '<!-- # x',
    '-->',
    '<div>',
    '<x>',
    '- ```',
    '   <x>',
    ' ~~~',
    '> # quoted',
    '> | Workstream ID |',
    '> |---|',
    '---',
    '===',
    '',
    '',
    '[ref]: # "x"',
    '\t# code',
    '\0',
    '\r',
    '&amp; &#0; &bogus;',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
/** What begins or ends a block, in any order. */
const marks = fc
  .array(fc.constantFrom(...'\t `~<>!-?a#*/\f\v\u2028\u00a0', '1.'), { maxLength: 8 })
  .map((parts) => parts.join(''));
const texts = fc.oneof(
  // A carriage return alone ends a line, too.
  fc
    .array(fc.tuple(fc.oneof(line, line, marks), fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 20 })
    .map((lines) => lines.flat().join('')),
  fc.array(line, { maxLength: 40 }).map((lines) => lines.join('\n')),
  fc.array(line, { maxLength: 20 }).map((lines) => lines.join('\r\n')),
  fc
    .array(line, { maxLength: 30 })
    .map((lines) => `| Workstream ID |\n|---|\n| ws-1-a |\n| ws-2 |\n\n${lines.join('\n')}`),
);

test('any Markdown is blocks that lie inside it, or a fault', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const result = parseBlocks(text);
      if (!result.ok) return;
      let last = 0;
      for (const { offset } of result.blocks) {
        expect(offset).toBeGreaterThanOrEqual(last);
        expect(offset).toBeLessThanOrEqual(text.length);
        last = offset;
      }
    }),
    { numRuns: 400 },
  );
});

test('cut at its headings or not, a text has the same blocks', () => {
  const without = (text: string): string => text.replace(/^\[ref\].*$/gm, '');
  fc.assert(
    fc.property(texts.map(without), (text) => {
      const whole = parseBlocks(text, () => [0]);
      expect(parseBlocks(text, cutsOf)).toEqual(whole);
    }),
    {
      numRuns: 600,
      examples: [
        ['a\r```\n## b\n'],
        ['- a\r\n   ```js\r\n```\r\n### b'],
        ['- a\n   ```\n ```\n# b\n'],
        ['a\n<x>\n~~~\n\n# b\n'],
        ['a\n<x y\n<!--\n\n# b\n-->\n'],
        ['- ```\n# b'],
      ],
    },
  );
}, 300_000);

test('any analysis is a plan, or has coded faults with a place inside it', async () => {
  const root = await folderWith({});
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      await writeFile(join(root, 'a.md'), text);
      const result = await readPlan(root, ['a.md'], { cwd: root });
      const told = result.ok ? result.warnings : result.faults;
      if (!result.ok) expect(result.faults.length).toBeGreaterThan(0);
      for (const { code, line: at, column } of told) {
        expect(code).not.toBe('');
        expect(at).toBeGreaterThanOrEqual(1);
        expect(at).toBeLessThanOrEqual(text.split('\n').length);
        expect(column).toBeGreaterThanOrEqual(1);
      }
    }),
    { numRuns: 400 },
  );
}, 300_000);
