import fc from 'fast-check';

/** Values and texts that have broken readers of files before, each by a name for messages. */

/** Texts that are dangerous as a path, an id, an option, a terminal's input or a key of an object. */
export const TEXTS: readonly string[] = [
  '',
  ' ',
  '../x',
  '../../../../etc/passwd',
  '/etc/passwd',
  '-rf',
  '--output=/tmp/x',
  '__proto__',
  'constructor',
  'toString',
  'con',
  'NUL',
  'A',
  'a',
  'А', // Cyrillic
  'A\u0301',
  'A.lock',
  '..',
  '.git',
  '.git/config',
  'a\nb',
  'a\u0000b',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u001b]52;c;aGk=\u0007',
  '\u009b31m',
  '\u202eevil',
  '\ud800',
  '\ufeff',
  '$(touch owned)',
  '`touch owned`',
  '%s%n',
  'x'.repeat(10_000),
  'é'.repeat(5_000),
  'a '.repeat(5_000),
];

/** JSON texts of single values; not values, since some have none in JavaScript. */
export const JSON_VALUES: readonly string[] = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1',
  '2',
  '0.5',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '1e308',
  '1e999',
  '-1e999',
  '1e-999',
  `${'9'.repeat(400)}`,
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '[1,"x",null,{}]',
  `[${'0,'.repeat(5_000)}0]`,
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"toJSON":1,"then":1,"length":1e9}',
  `${'['.repeat(90)}${']'.repeat(90)}`,
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  ...TEXTS.map((text) => JSON.stringify(text)),
];

/** Bytes that are no text, or not the text that was expected. */
export const BYTES: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from([0]),
  Buffer.alloc(5_000),
  Buffer.from([0xff, 0xfe, 0x7b, 0]),
  Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from('{"status": "caf\u00e9"}', 'latin1'),
  Buffer.from('{\r\n"status": "running"\r\n}'),
  Buffer.from('\u0000\u0000{}'),
  Buffer.from('\n'.repeat(5_000)),
  Buffer.from('{"a":1}{"a":2}'),
  Buffer.from('['.repeat(100_000)),
  Buffer.from('{"a":'.repeat(100_000)),
  Buffer.from('1\n'),
  Buffer.from('0\n'),
  Buffer.from('-1\n'),
  Buffer.from('2147483648\n'),
  Buffer.from('99999999999999999999\n'),
  Buffer.from('1e3\n'),
  Buffer.from('0x10\n'),
  Buffer.from('1\n2\n'),
];

export const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...TEXTS),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
export const jsonValue: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...JSON_VALUES) },
  { weight: 1, arbitrary: fc.json() },
);

/** How one JSON text is spoiled: at the `at`-th value of it (counted round and round). */
export type Spoil = { at: number; how: 'replace' | 'remove' | 'add' | 'repeat'; value: string; key: string };

export const spoil: fc.Arbitrary<Spoil> = fc.record({
  at: fc.nat({ max: 5_000 }),
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'repeat'),
  value: jsonValue,
  key: fc.constantFrom('__proto__', 'constructor', 'status', 'id', 'schema', 'toJSON', 'x\u001b[0m'),
});

/** JSON of `value` in which each of `spoils` has spoiled one place. */
export function spoiled(value: unknown, spoils: readonly Spoil[]): string {
  const places = countPlaces(value);
  const byPlace = new Map(spoils.map((one) => [one.at % places, one]));
  const counter = { at: 0 };
  return written(value, byPlace, counter) ?? 'null';
}

function countPlaces(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, one) => sum + countPlaces(one), 1);
}

/** Null: the value is left out. */
function written(value: unknown, spoils: ReadonlyMap<number, Spoil>, counter: { at: number }): string | null {
  const mine = spoils.get(counter.at);
  counter.at += 1;
  if (typeof value !== 'object' || value === null) {
    if (mine?.how === 'remove') return null;
    return mine === undefined ? JSON.stringify(value) : mine.value;
  }
  const isList = Array.isArray(value);
  const parts = Object.entries(value).flatMap(([key, one]) => {
    const inner = written(one, spoils, counter);
    if (inner === null) return [];
    return isList ? [inner] : [`${JSON.stringify(key)}:${inner}`];
  });
  if (mine?.how === 'remove') return null;
  if (mine?.how === 'replace') return mine.value;
  if (mine?.how === 'add') parts.push(isList ? mine.value : `${JSON.stringify(mine.key)}:${mine.value}`);
  if (mine?.how === 'repeat' && parts[0] !== undefined) parts.push(parts[0]);
  return isList ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
}
