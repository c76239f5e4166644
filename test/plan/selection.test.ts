import { expect, test } from 'vitest';
import { faultsOf, placesOf, readFiles, soundOf } from './scratch.ts';

const PLAN = [
  { id: 'a', tasks: ['x'] },
  { id: 'b', tasks: ['x'], depends_on: ['a'] },
  { id: 'c', tasks: ['x'], depends_on: ['b', 'earlier'] },
];
const read = (options: object) => readFiles({ 'a.json': PLAN }, ['a.json'], options);
const earlier = (...done: string[]) => ({ satisfied: async (id: string) => done.includes(id) });

test('only and skip select; every id of the plan is told', async () => {
  const result = await read({ only: ['a', 'b'], skip: ['b'] });
  expect(soundOf(result).map(({ id }) => id)).toEqual(['a']);
  expect(result).toMatchObject({ ids: ['a', 'b', 'c'] });
});

test('a dependency outside of the selection is a fault with both places, unless earlier work satisfies it', async () => {
  const result = await read({ only: ['b'] });
  expect(placesOf(result)).toEqual(['unmet_dependency@14:7']);
  expect(faultsOf(result)[0]?.hint).toContain('a.json:3:11');
  expect(soundOf(await read({ only: ['b'], ...earlier('a') }))).toHaveLength(1);
});

test('a dependency on an earlier run is none of the plan', async () => {
  expect(placesOf(await read({}))).toEqual(['unknown_dependency@24:7']);
  expect(soundOf(await read(earlier('earlier')))).toHaveLength(3);
  expect(soundOf(await read({ skip: ['c'] }))).toHaveLength(2);
});

test('what the rest says is judged all the same', async () => {
  const plan = [...PLAN.slice(0, 1), { id: 'd', tasks: 5 }];
  const result = await readFiles({ 'a.json': plan }, ['a.json'], { only: ['a'] });
  expect(faultsOf(result).map(({ code }) => code)).toEqual(['wrong_type']);
});

test('the neighbouring file that defines a missing one is named, for an analysis too', async () => {
  const files = {
    'a.md': '| Workstream ID |\n|---|\n| b |\n',
    'workstreams/b.json': { id: 'b', tasks: ['x'], depends_on: ['a'] },
    'workstreams/more.json': [{ id: 'a', tasks: ['x'] }],
  };
  const [fault] = faultsOf(await readFiles(files, ['a.md']));
  expect(fault).toMatchObject({ code: 'unknown_dependency', file: 'workstreams/b.json', line: 7 });
  expect(fault?.hint).toContain('more.json');
});
