import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAnswer } from '../../../lib/tools/llm/answer.ts';
import { safeWidth, writeWhole } from '../../../lib/tools/llm/blocks.ts';

/** What an answer is read as. What could be meant in two ways is a fault, and never an edit. */

const edits = (text: string): unknown[] => readAnswer(text).edits.map(({ line: _, ...edit }) => edit);
const faults = (text: string): string[] => readAnswer(text).faults.map(({ what }) => what);
const SEARCH = '<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE';
const replaced = (path: string): object => ({ kind: 'replace', path, search: ['a'], replace: ['b'] });

test.each([
  ['as it is taught', `FILE: src/a.py\n${SEARCH}`],
  ['with a fence', `FILE: src/a.py\n\`\`\`python\n${SEARCH}\n\`\`\``],
  ['a bare path', `src/a.py\n${SEARCH}`],
  ['a bare path in a fence', `\`\`\`\nsrc/a.py\n${SEARCH}\n\`\`\``],
  ['a heading', `### src/a.py\n\n${SEARCH}`],
  ['bold', `**src/a.py**:\n${SEARCH}`.replace('**:', '**')],
  ['backticks and a colon', `\`src/a.py\`\n${SEARCH}`],
  ['a list', `1. src/a.py:\n${SEARCH}`],
  ['another word', `File: \`src/a.py\`\n${SEARCH}`],
  ['prose around it', `I change it.\n\nsrc/a.py\n${SEARCH}\nThat is all.`],
  ['CRLF', `FILE: src/a.py\n${SEARCH}`.replaceAll('\n', '\r\n')],
  [
    'spaces behind markers',
    `FILE: src/a.py  \n${SEARCH.replaceAll('\n', ' \n').replace('a \n', 'a\n').replace('b \n', 'b\n')}`,
  ],
  ['thoughts before it', `<think>\nFILE: no.py\n${SEARCH}\n</think>\nFILE: src/a.py\n${SEARCH}`],
])('a block is read: %s', (_, text) => {
  expect(readAnswer(text).faults).toEqual([]);
  expect(edits(text)).toEqual([replaced('src/a.py')]);
});

test('a name with spaces needs its keyword', () => {
  expect(edits(`FILE: my file.txt\n${SEARCH}`)).toEqual([replaced('my file.txt')]);
  expect(edits(`my file.txt\n${SEARCH}`)).toEqual([]);
  expect(faults(`my file.txt\n${SEARCH}`)).toHaveLength(1);
});

test('a second block without a name is of the same file; prose in between is no name', () => {
  expect(edits(`FILE: a.py\n${SEARCH}\n\n${SEARCH}`)).toEqual([replaced('a.py'), replaced('a.py')]);
  expect(faults(`FILE: a.py\n${SEARCH}\nThen this:\n${SEARCH}`)).toHaveLength(1);
  expect(faults(`FILE: a.py\n${SEARCH}\nDone:\n${SEARCH}`)).toHaveLength(1);
  expect(faults(SEARCH)).toHaveLength(1);
});

test('moves, removals and wishes are lines of their own', () => {
  const text =
    'MOVE: a/b.py -> `c d.py`\nDELETE: `x.py`\nREAD: y.py\nREAD: `z.py` lines 3-9\nREAD: q.py line 5\nI READ: it';
  const { wishes } = readAnswer(text);
  expect(edits(text)).toEqual([
    { kind: 'move', path: 'a/b.py', to: 'c d.py' },
    { kind: 'delete', path: 'x.py' },
  ]);
  expect(wishes).toEqual([
    { path: 'y.py', lines: null },
    { path: 'z.py', lines: { from: 3, to: 9 } },
    { path: 'q.py', lines: { from: 5, to: 5 } },
  ]);
  expect(faults('MOVE: a -> b -> c')).toHaveLength(1);
  expect(faults('MOVE: a')).toHaveLength(1);
});

test('what stands in a block is content, whatever it looks like', () => {
  const inner = [
    '```',
    'DELETE: a.py',
    'READ: b.py',
    '======',
    '<<<<<< SEARCH',
    'FILE: c.py',
    '<think>',
    '# x',
  ];
  const text = `FILE: n.md\n<<<<<<< WHOLE FILE\n${inner.join('\n')}\n>>>>>>> WHOLE FILE`;
  expect(readAnswer(text)).toMatchObject({ wishes: [], faults: [] });
  expect(edits(text)).toEqual([{ kind: 'whole', path: 'n.md', lines: inner }]);
});

test.each([
  ['no end', 'FILE: a.py\n<<<<<<< SEARCH\na\n=======\nb'],
  ['no middle', 'FILE: a.py\n<<<<<<< SEARCH\na\n>>>>>>> REPLACE'],
  ['two middles', 'FILE: a.py\n<<<<<<< SEARCH\na\n=======\nTitle\n=======\nb\n>>>>>>> REPLACE'],
  ['a block in a block', `FILE: a.py\n<<<<<<< SEARCH\na\n${SEARCH}`],
  ['the end of another block', 'FILE: a.py\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> WHOLE FILE'],
  ['markers that are too short', `FILE: a.py\n${SEARCH.replaceAll(/[<=>]{7}/g, (row) => row.slice(2))}`],
  ['markers that are indented', `FILE: a.py\n${SEARCH.replaceAll(/^/gm, '  ')}`],
  ['two ends', `FILE: a.py\n${SEARCH}\n>>>>>>> REPLACE`],
  ['a diff', 'diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b'],
  ['a patch', '*** Begin Patch\n*** Update File: a.py\n'],
])('a fault, not an edit: %s', (_, text) => {
  expect(faults(text).length).toBeGreaterThan(0);
});

test('an answer without edits has no faults, with code or without', () => {
  expect(readAnswer('All is well.\n\nSee `a.py`.')).toEqual({
    edits: [],
    wishes: [],
    faults: [],
    hasFence: false,
  });
  expect(readAnswer('```\nx = 1\n```')).toMatchObject({ edits: [], faults: [], hasFence: true });
  expect(readAnswer('<think>\nfor ever')).toMatchObject({ edits: [], faults: [] });
});

const line = fc.oneof(
  fc.constantFrom(
    '',
    '=======',
    '========',
    '<<<<<<< SEARCH',
    '>>>>>>> REPLACE',
    '<<<<<<< WHOLE FILE',
    '>>>>>>> WHOLE FILE',
    '```',
    'FILE: other.py',
    'DELETE: other.py',
    'READ: other.py',
    '  =======',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, '')),
);

test('any text comes through a block as it is, the markers made long enough', () => {
  fc.assert(
    fc.property(fc.array(line), fc.array(line), (search, replace) => {
      expect(edits(writeWhole('a b.py', search))).toEqual([{ kind: 'whole', path: 'a b.py', lines: search }]);
      const width = safeWidth([...search, ...replace]);
      const text = [
        'FILE: a b.py',
        `${'<'.repeat(width)} SEARCH`,
        ...search,
        '='.repeat(width),
        ...replace,
        `${'>'.repeat(width)} REPLACE`,
      ].join('\n');
      expect(readAnswer(text).faults).toEqual([]);
      expect(edits(text)).toEqual([{ kind: 'replace', path: 'a b.py', search, replace }]);
    }),
  );
});

test('more than a thousand edits are refused', () => {
  expect(readAnswer('DELETE: a\n'.repeat(5_000)).faults).toHaveLength(1);
});
