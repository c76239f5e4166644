import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scopeMatcher, selfAndAbove } from '../../lib/protocol/scope.ts';

const TABLE: [entries: string[], inside: string[], outside: string[]][] = [
  [['a.txt'], ['a.txt', 'a.txt/below'], ['A.txt', 'b/a.txt', 'a.txt2', 'a', '']],
  [['src'], ['src', 'src/a', 'src/.env', 'src/a/b'], ['src2', 'srca/b', 'lib/src/a', 'Src/a']],
  [['src/'], ['src', 'src/a', 'src/a/b', 'src/a\nb'], ['src2/a', 'a/src/b']],
  [['./src//'], ['src/a'], ['a']],
  [['.'], ['a', 'a/b', '.hidden'], []],
  [['./'], ['a/b'], []],
  [['src/*.ts'], ['src/a.ts', 'src/.a.ts', 'src/a\nb.ts'], ['src/a/b.ts', 'src/a.js', 'src', 'x/src/a.ts']],
  [['src/*'], ['src/a', 'src/.a'], ['src/a/b']],
  [['src/**'], ['src', 'src/a', 'src/a/b', 'src/.a/.b', 'src/a\n/b'], ['src2/a', 'lib/a']],
  [['**/*.md'], ['a.md', 'x/a.md', 'x/.y/a.md'], ['a.mdx', 'md']],
  [['*.md'], ['a.md'], ['x/a.md']],
  [['packages/*/'], ['packages/a/b', 'packages/a/b/c'], ['packages/a', 'packages2/a/b']],
  [['packages/*/src/'], ['packages/a/src/b', 'packages/a/src/b/c'], ['packages/a/b', 'packages/a/x/src/b']],
  [['{a,b}/c.?s'], ['a/c.ts', 'b/c.js'], ['c/c.ts', 'a/c.s', 'a/c/s']],
  [['src/@(a|b).ts'], ['src/a.ts', 'src/b.ts'], ['src/ab.ts', 'src/c.ts']],
  [['app/[id]/page.tsx'], ['app/[id]/page.tsx', 'app/i/page.tsx'], ['app/x/page.tsx']],
  [['app/[id]/**'], ['app/[id]/page.tsx', 'app/d/page.tsx'], ['app/x/page.tsx']],
  [['app/[[...slug]]/*.tsx'], ['app/[[...slug]]/page.tsx'], ['app/slug/a/page.tsx']],
  [['app/(shop)/*.tsx'], ['app/(shop)/page.tsx'], ['app/(x)/page.tsx']],
  [['app/(shop)'], ['app/(shop)/page.tsx'], ['app/shop/page.tsx']],
  [['ünï/日本'], ['ünï/日本/ﬁ', 'ünï/日本'], ['uni/日本']],
  [['a b'], ['a b/c'], ['a']],
  [['-n'], ['-n/x'], ['n']],
  [['src/['], ['src/[', 'src/[/a'], ['src/a']],
  [
    ['a', 'b/*'],
    ['a/x', 'b/x'],
    ['c', 'b/x/y'],
  ],
  [[], [], ['a', 'a/b']],
];

describe('scopeMatcher', () => {
  test.each(TABLE)('%j', (entries, inside, outside) => {
    const isInside = scopeMatcher(entries);
    for (const path of inside) expect([path, isInside(path)]).toEqual([path, true]);
    for (const path of outside) expect([path, isInside(path)]).toEqual([path, false]);
  });

  const name = fc
    .stringMatching(/^[a-c.?*[\](){}@!+ \n"'-]{1,6}$/)
    .filter((text) => text !== '.' && text !== '..');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  const plain = fc.array(fc.stringMatching(/^[abc.]{1,3}$/), { minLength: 1, maxLength: 4 });

  test('takes any entry, and holds what it spells and all below', () => {
    fc.assert(
      fc.property(path, path, fc.boolean(), (entry, below, isFolder) => {
        const isInside = scopeMatcher([isFolder ? `${entry}/` : entry]);
        expect(isInside(entry)).toBe(true);
        expect(isInside(`${entry}/${below}`)).toBe(true);
      }),
    );
  });

  test('an entry without glob characters holds nothing else', () => {
    const name = plain.map((names) => names.join('/')).filter((text) => !/(^|\/)\.{1,2}(\/|$)/.test(text));
    fc.assert(
      fc.property(name, name, (entry, other) => {
        const expected = other === entry || other.startsWith(`${entry}/`);
        expect(scopeMatcher([entry])(other)).toBe(expected);
      }),
    );
  });

  test('globs of stars mean what a shell means', () => {
    const piece = fc.constantFrom('a', 'b', '*', '**', 'a*', '*b');
    const pattern = fc.array(piece, { minLength: 1, maxLength: 4 }).filter((p) => p.join('').includes('*'));
    const names = fc.array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(pattern, names, (pieces, parts) => {
        const folder = pieces.slice(0, -1).join('/');
        const isFolder = pieces.at(-1) === '**' && !folder.includes('*') && parts.join('/') === folder;
        expect(scopeMatcher([pieces.join('/')])(parts.join('/'))).toBe(isFolder || matches(pieces, parts));
      }),
      { numRuns: 2_000 },
    );
  });

  test('more entries hold more, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(path, { maxLength: 4 }),
        fc.array(path, { maxLength: 4 }),
        path,
        (some, more, one) => {
          const together = scopeMatcher([...some, ...more])(one);
          expect(together).toBe(scopeMatcher(some)(one) || scopeMatcher(more)(one));
          expect(scopeMatcher([...more, ...some])(one)).toBe(together);
        },
      ),
    );
  });
});

/** An independent reading of patterns whose pieces hold one star, or are `**`. */
function matches(pieces: string[], parts: string[]): boolean {
  const [piece, ...rest] = pieces;
  if (piece === undefined) return parts.length === 0;
  if (piece === '**' && rest.length === 0) return parts.length > 0;
  if (piece === '**') return parts.some((_, n) => matches(rest, parts.slice(n)));
  const [part, ...others] = parts;
  if (part === undefined) return false;
  const [head = '', tail = ''] = piece.split('*');
  const isLike = piece.includes('*')
    ? part.length >= head.length + tail.length && part.startsWith(head) && part.endsWith(tail)
    : part === piece;
  return isLike && matches(rest, others);
}

test('selfAndAbove names the path and each folder above it', () => {
  expect(selfAndAbove('a/b/c')).toEqual(['a/b/c', 'a/b', 'a']);
  expect(selfAndAbove('a')).toEqual(['a']);
});
