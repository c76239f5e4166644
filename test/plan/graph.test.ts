import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OrchError } from '../../lib/errors.ts';
import { cyclesOf, inOrder, wavesOf } from '../../lib/plan/graph.ts';

const node = (id: string, ...depends_on: string[]) => ({ id, depends_on });

test('waves: as early as can be, in plan order, strangers do not count', () => {
  const nodes = [node('d', 'b', 'c'), node('c', 'a'), node('b', 'a'), node('a', 'elsewhere'), node('x')];
  expect(wavesOf(nodes)).toEqual([['a', 'x'], ['c', 'b'], ['d']]);
  expect(wavesOf([])).toEqual([]);
});

test('ids that are names of object members are only ids', () => {
  const nodes = [node('constructor', 'toString'), node('toString'), node('hasOwnProperty', 'valueOf')];
  expect(wavesOf(nodes)).toEqual([['toString', 'hasOwnProperty'], ['constructor']]);
  expect(cyclesOf(nodes)).toEqual([]);
});

test('cycles come with their whole path, in the direction of "depends on"', () => {
  expect(cyclesOf([node('a', 'b'), node('b', 'c'), node('c', 'a')])).toEqual([['a', 'b', 'c', 'a']]);
  expect(cyclesOf([node('a', 'a')])).toEqual([['a', 'a']]);
  expect(cyclesOf([node('a', 'b'), node('b', 'a'), node('c', 'd'), node('d', 'c'), node('e', 'a')])).toEqual([
    ['a', 'b', 'a'],
    ['c', 'd', 'c'],
  ]);
  expect(cyclesOf([node('in', 'a'), node('a', 'b'), node('b', 'a', 'out'), node('out')])).toEqual([
    ['a', 'b', 'a'],
  ]);
});

test('waves of a cycle are refused', () => {
  expect(() => wavesOf([node('a', 'b'), node('b', 'a')])).toThrow(OrchError);
});

test('a long chain and a long cycle neither overflow the stack nor take long', () => {
  const begun = process.cpuUsage();
  const chain = Array.from({ length: 20_000 }, (_, i) => node(`n${i}`, `n${i + 1}`));
  expect(wavesOf(chain)).toHaveLength(20_000);
  expect(inOrder(chain)?.[0]?.id).toBe('n19999');
  expect(cyclesOf([...chain, node('n20000', 'n0')])[0]).toHaveLength(20_002);
  // Time of this process alone: the machine may be busy with others.
  expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000);
});

const graphs = fc.integer({ min: 1, max: 12 }).chain((size) => {
  const edges = fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 30 });
  return edges.map((pairs) => {
    return Array.from({ length: size }, (_, i) => {
      return node(`n${i}`, ...pairs.filter(([from]) => from === i).map(([, to]) => `n${to}`));
    });
  });
});

test('property: waves respect every dependency, or there is a real cycle', () => {
  fc.assert(
    fc.property(graphs, (nodes) => {
      const cycles = cyclesOf(nodes);
      const byId = new Map(nodes.map((one) => [one.id, one]));
      for (const cycle of cycles) {
        expect(cycle[0]).toBe(cycle.at(-1));
        for (const [i, id] of cycle.slice(1).entries())
          expect(byId.get(cycle[i] ?? '')?.depends_on).toContain(id);
      }
      if (cycles.length > 0) {
        expect(() => wavesOf(nodes)).toThrow(OrchError);
        expect(inOrder(nodes)).toBeNull();
        return;
      }
      const waves = wavesOf(nodes);
      const waveOf = new Map(waves.flatMap((wave, index) => wave.map((id) => [id, index] as const)));
      expect(waveOf.size).toBe(nodes.length);
      for (const { id, depends_on } of nodes) {
        const latest = Math.max(-1, ...depends_on.map((other) => waveOf.get(other) ?? Number.NaN));
        expect(waveOf.get(id)).toBe(latest + 1);
      }
      const order = inOrder(nodes)?.map((one) => one.id) ?? [];
      expect([...order].sort()).toEqual(nodes.map((one) => one.id).sort());
      for (const { id, depends_on } of nodes) {
        for (const other of depends_on) expect(order.indexOf(other)).toBeLessThan(order.indexOf(id));
      }
    }),
    { numRuns: 500 },
  );
});
