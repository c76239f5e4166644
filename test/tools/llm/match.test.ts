import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeText,
  encodeText,
  mainEnd,
  replaceLines,
  splitLines,
  wholeText,
} from '../../../lib/tools/llm/lines.ts';
import { findBlock } from '../../../lib/tools/llm/match.ts';
import { nearestLines } from '../../../lib/tools/llm/nearest.ts';

/** Texts as lines, where a block belongs in them, and what is nearest where it belongs nowhere. */

const rows = (text: string) => splitLines(text);
const text = (parts: readonly { text: string; end: string }[]): string =>
  parts.map((part) => part.text + part.end).join('');
const edited = (before: string, search: string[], replace: string[]): string | null => {
  const found = findBlock(rows(before), search, replace);
  return found.kind === 'one'
    ? text(replaceLines(rows(before), { at: found.at, count: search.length }, found.replace))
    : null;
};

test('any text comes back byte for byte; what is no text is none', () => {
  const piece = fc.oneof(
    fc.constantFrom('\n', '\r\n', '\r', '\ufeff', 'é', ' '),
    fc.string({ unit: 'grapheme' }),
  );
  fc.assert(
    fc.property(fc.array(piece), (parts) => {
      const bytes = Buffer.from(parts.join('').replaceAll('\0', ''));
      const decoded = decodeText(bytes);
      expect(decoded).not.toBeNull();
      if (decoded !== null) expect(encodeText(decoded).equals(bytes)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const decoded = decodeText(bytes);
      if (decoded !== null) expect(encodeText(decoded).equals(bytes)).toBe(true);
    }),
  );
  expect(decodeText(Buffer.from([0xff, 0xfe]))).toBeNull();
  expect(decodeText(Buffer.from('a\0b'))).toBeNull();
});

test.each<[string, string, string[], string[], string]>([
  ['in the middle', 'a\nb\nc\n', ['b'], ['x', 'y'], 'a\nx\ny\nc\n'],
  ['removed', 'a\nb\nc\n', ['b'], [], 'a\nc\n'],
  ['all of it', 'a\n', ['a'], ['b'], 'b\n'],
  ['CRLF', 'a\r\nb\r\nc\r\n', ['b'], ['x', 'y'], 'a\r\nx\r\ny\r\nc\r\n'],
  ['mixed ends', 'a\nb\r\nc\n', ['b', 'c'], ['x', 'y', 'z'], 'a\nx\r\ny\nz\n'],
  ['no newline at the end', 'a\nb', ['b'], ['x', 'y'], 'a\nx\ny'],
  ['before an open end', 'a\nb', ['a'], ['x'], 'x\nb'],
  ['CRLF and an open end', 'a\r\nb', ['b'], ['x', 'y'], 'a\r\nx\r\ny'],
  ['more indent', 'if x:\n    a\n\n    b\n', ['a', '', 'b'], ['c', '', '  d'], 'if x:\n    c\n\n      d\n'],
  ['less indent', 'a\n  b\n', ['    a', '      b'], ['    c'], 'c\n'],
  ['tabs', '\ta\n\tb\n', ['a', 'b'], ['c'], '\tc\n'],
  ['exact before shifted', 'a\n  a\n', ['a'], ['b'], 'b\n  a\n'],
])('a block is replaced: %s', (_, before, search, replace, after) => {
  expect(edited(before, search, replace)).toBe(after);
});

test.each<[string, string, string[], string[]]>([
  ['not there', 'a\nb\n', ['c'], ['x']],
  ['spaces at the end', 'a \nb\n', ['a'], ['x']],
  ['another indent for each', '  a\n    b\n', ['a', 'b'], ['x']],
  ['tab against spaces', '\ta\n    b\n', ['a', 'b'], ['x']],
  ['a line that cannot lose the indent', 'a\n', ['  a'], ['x']],
  ['only part of a line', 'abc\n', ['b'], ['x']],
  ['past the end', 'a\nb\n', ['b', 'c'], ['x']],
])('a block that is not there: %s', (_, before, search, replace) => {
  expect(findBlock(rows(before), search, replace)).toEqual({ kind: 'none' });
});

test('a block that fits twice is not placed; the places are told', () => {
  expect(findBlock(rows('a\nb\na\n'), ['a'], ['x'])).toEqual({ kind: 'many', at: [0, 2] });
  expect(findBlock(rows('  a\nb\n    a\n'), ['a'], ['x'])).toEqual({ kind: 'many', at: [0, 2] });
  expect(findBlock(rows('a\na\na\n'), ['a', 'a'], ['x'])).toEqual({ kind: 'many', at: [0, 1] });
});

const word = fc.constantFrom('a', 'b', '  a', '', '}', 'return x');

test('a place is found exactly where all lines are equal, and at no other', () => {
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 30 }),
      fc.array(word, { minLength: 1, maxLength: 4 }),
      (lines, search) => {
        const file = lines.map((one) => ({ text: one, end: '\n' as const }));
        const places = lines.flatMap((_, at) =>
          search.every((one, index) => lines[at + index] === one) ? [at] : [],
        );
        const found = findBlock(file, search, []);
        if (places.length === 1) expect(found).toMatchObject({ kind: 'one', at: places[0] });
        if (places.length > 1) expect(found).toEqual({ kind: 'many', at: places.slice(0, 5) });
        if (places.length === 0 && found.kind === 'one') {
          const stripped = search.map((one) => one.trim());
          expect(lines.slice(found.at, found.at + search.length).map((one) => one.trim())).toEqual(stripped);
        }
      },
    ),
  );
});

test('a file of equal lines takes no time for ever', () => {
  const many = Array.from({ length: 200_000 }, () => ({ text: '  x', end: '\n' as const }));
  const begun = performance.now();
  const block = [...Array.from({ length: 50_000 }, () => 'x'), 'y'];
  expect(findBlock(many, block, [])).toEqual({ kind: 'none' });
  const exact = [...Array.from({ length: 50_000 }, () => '  x'), 'y'];
  expect(findBlock(many, exact, [])).toEqual({ kind: 'none' });
  nearestLines(many, exact);
  expect(performance.now() - begun).toBeLessThan(30_000);
});

test('a whole file keeps how lines ended, and the mark before them', () => {
  const before = { bom: true, lines: rows('a\r\nb\r\n') };
  expect(encodeText(wholeText(['x', 'y'], before)).toString()).toBe('\ufeffx\r\ny\r\n');
  expect(encodeText(wholeText(['x'], null)).toString()).toBe('x\n');
  expect(encodeText(wholeText([], null)).toString()).toBe('');
  expect(mainEnd(rows('a\nb\r\n'))).toBe('\n');
});

test('the nearest lines are those that share most with the block', () => {
  const file = rows(Array.from({ length: 200 }, (_, at) => `line ${at} of it`).join('\n'));
  expect(nearestLines(file, ['line 100 of it', 'something else'])).toEqual({ from: 97, to: 105 });
  expect(nearestLines(file, ['lime 150 of id'])).toMatchObject({ from: 147 });
  expect(nearestLines(file, ['###################'])).toBeNull();
  expect(nearestLines([], ['a'])).toBeNull();
  expect(nearestLines(file, [])).toBeNull();
});
