import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitAtBorder } from '../../lib/git/border.ts';
import type { Change } from '../../lib/git/changes.ts';

const side = { mode: '100644', id: 'a'.repeat(40) };
const added = (path: string): Change => ({ path, before: null, after: side });
const deleted = (path: string): Change => ({ path, before: side, after: null });
const modified = (path: string): Change => ({ path, before: side, after: { ...side, id: 'b'.repeat(40) } });
const inSrc = (path: string): boolean => path.startsWith('src/');

function split(changes: Change[], renames: [string, string][] = [], isInside = inSrc) {
  const { taken, outside } = splitAtBorder(changes, renames, isInside);
  const told = outside.map(
    ({ change, path, from }) => `${change} ${from === undefined ? '' : `${from} > `}${path}`,
  );
  return { taken: taken.map(({ path }) => path).sort(), told: told.sort() };
}

describe('splitAtBorder', () => {
  test('takes what is outside and nothing else', () => {
    expect(split([added('src/a'), added('b'), deleted('c'), modified('d'), modified('src/e')])).toEqual({
      taken: ['b', 'c', 'd'],
      told: ['added b', 'deleted c', 'modified d'],
    });
    expect(split([added('src/a'), deleted('src/b')], [['src/b', 'src/a']])).toEqual({ taken: [], told: [] });
  });

  test('a rename across the border goes whole, either way', () => {
    const changes = [deleted('src/a'), added('a'), deleted('b'), added('src/b'), modified('src/c')];
    const renames: [string, string][] = [
      ['src/a', 'a'],
      ['b', 'src/b'],
    ];
    expect(split(changes, renames)).toEqual({
      taken: ['a', 'b', 'src/a', 'src/b'],
      told: ['renamed b > src/b', 'renamed src/a > a'],
    });
  });

  test('what stands in the place of something that comes back goes with it, and its rename too', () => {
    const isInside = (path: string): boolean => path !== 'x' && !path.startsWith('x/out');
    expect(split([deleted('x'), added('x/in')], [], isInside)).toEqual({
      taken: ['x', 'x/in'],
      told: ['deleted x', 'in_the_way x/in'],
    });
    const link = (path: string): boolean => path !== 'x/out';
    const changes = [deleted('x/out'), deleted('x/in'), deleted('y'), added('x')];
    expect(split(changes, [['y', 'x']], link)).toEqual({
      taken: ['x', 'x/out', 'y'],
      told: ['deleted x/out', 'renamed y > x'],
    });
  });

  test('names are bytes to git and texts to people', () => {
    const bytes = Buffer.from('ünï\n').toString('latin1');
    expect(split([added(bytes)])).toEqual({ taken: [bytes], told: ['added ünï\n'] });
  });

  test('for any changes: nothing outside stays, nothing that stays is in the way, no rename is torn', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'src'), { minLength: 1, maxLength: 3 })
      .map((names) => names.join('/'));
    /** The files of a tree: none lies below another. */
    const tree = fc.uniqueArray(path, { maxLength: 8 }).map((paths) => {
      return new Set(
        paths.filter((one) => !paths.some((other) => other !== one && other.startsWith(`${one}/`))),
      );
    });
    const isInside = (one: string): boolean => /^(src|b)\//.test(one) || one === 'b';
    fc.assert(
      fc.property(tree, tree, fc.infiniteStream(fc.nat(1)), (before, after, coin) => {
        const changes = [...new Set([...before, ...after])].map((one) =>
          before.has(one) ? (after.has(one) ? modified(one) : deleted(one)) : added(one),
        );
        const [gone, come] = [
          changes.filter((c) => c.after === null),
          changes.filter((c) => c.before === null),
        ];
        const renames = gone.slice(0, come.length).flatMap(({ path: from }, n): [string, string][] => {
          return coin.next().value === 0 ? [] : [[from, come[n]?.path ?? '']];
        });
        const taken = new Set(splitAtBorder(changes, renames, isInside).taken.map((change) => change.path));
        const result = new Set(after);
        for (const one of taken) {
          result.delete(one);
          if (before.has(one)) result.add(one);
        }
        for (const one of new Set([...before, ...result])) {
          if (!isInside(one) && before.has(one) !== result.has(one)) throw new Error(`${one} changed`);
        }
        for (const one of result) {
          expect([...result].some((other) => other !== one && other.startsWith(`${one}/`))).toBe(false);
        }
        for (const [from, to] of renames) expect(taken.has(from)).toBe(taken.has(to));
        if (changes.every((change) => isInside(change.path))) expect(taken.size).toBe(0);
      }),
      { numRuns: 3_000 },
    );
  });
});
