/** Calls of lodash and their results. They stand here as values, so that lodash is not compared with itself. */

const TABLE = String.raw`// [name, arguments, expected]. The arguments come from a function, since some methods change them.
const users = () => [
  { user: 'barney', age: 36, active: true },
  { user: 'fred', age: 40, active: false },
  { user: 'pebbles', age: 1, active: true },
];
const isActive = (user) => user.active;
const square = (n) => n * n;
const add = (a, b) => a + b;

module.exports = [
  ['add', () => [6, 4], 10],
  ['assign', () => [{ a: 1 }, { b: 2 }, { a: 3 }], { a: 3, b: 2 }],
  ['at', () => [{ a: [{ b: { c: 3 } }, 4] }, ['a[0].b.c', 'a[1]']], [3, 4]],
  ['attempt', () => [() => 7], 7],
  ['camelCase', () => ['__FOO_BAR__'], 'fooBar'],
  ['capitalize', () => ['FRED'], 'Fred'],
  ['castArray', () => ['abc'], ['abc']],
  ['ceil', () => [6.004, 2], 6.01],
  ['chunk', () => [['a', 'b', 'c', 'd'], 3], [['a', 'b', 'c'], ['d']]],
  ['clamp', () => [-10, -5, 5], -5],
  ['clone', () => [{ a: [1] }], { a: [1] }],
  ['cloneDeep', () => [{ a: new Map([[1, { b: /x/g }]]) }], { a: new Map([[1, { b: /x/g }]]) }],
  ['compact', () => [[0, 1, false, 2, '', 3]], [1, 2, 3]],
  ['concat', () => [[1], 2, [3], [[4]]], [1, 2, 3, [4]]],
  ['countBy', () => [[6.1, 4.2, 6.3], Math.floor], { 4: 1, 6: 2 }],
  ['deburr', () => ['déjà vu'], 'deja vu'],
  ['defaults', () => [{ a: 1 }, { b: 2 }, { a: 3 }], { a: 1, b: 2 }],
  ['defaultsDeep', () => [{ a: { b: 2 } }, { a: { b: 1, c: 3 } }], { a: { b: 2, c: 3 } }],
  ['difference', () => [[2, 1], [2, 3]], [1]],
  ['differenceBy', () => [[2.1, 1.2], [2.3, 3.4], Math.floor], [1.2]],
  ['drop', () => [[1, 2, 3], 2], [3]],
  ['dropRightWhile', () => [users(), ['active', true]], users().slice(0, 2)],
  ['endsWith', () => ['abc', 'b', 2], true],
  ['escape', () => ['fred, barney, & <pebbles>'], 'fred, barney, &amp; &lt;pebbles&gt;'],
  ['escapeRegExp', () => ['[lodash](https://x)'], '\\[lodash\\]\\(https://x\\)'],
  ['every', () => [users(), isActive], false],
  ['fill', () => [[4, 6, 8, 10], '*', 1, 3], [4, '*', '*', 10]],
  ['filter', () => [users(), { age: 36 }], users().slice(0, 1)],
  ['find', () => [users(), ['user', 'fred']], users()[1]],
  ['findIndex', () => [users(), { user: 'pebbles' }], 2],
  ['findKey', () => [{ a: 1, b: 2 }, (n) => n > 1], 'b'],
  ['flatMap', () => [[1, 2], (n) => [n, n]], [1, 1, 2, 2]],
  ['flatten', () => [[1, [2, [3]]]], [1, 2, [3]]],
  ['flattenDeep', () => [[1, [2, [3, [4]]]]], [1, 2, 3, 4]],
  ['floor', () => [4060, -2], 4000],
  ['fromPairs', () => [[['a', 1], ['b', 2]]], { a: 1, b: 2 }],
  ['get', () => [{ a: [{ b: { c: 3 } }] }, 'a[0].b.c'], 3],
  ['groupBy', () => [['one', 'two', 'three'], 'length'], { 3: ['one', 'two'], 5: ['three'] }],
  ['has', () => [{ a: { b: 2 } }, ['a', 'b']], true],
  ['head', () => [[1, 2]], 1],
  ['inRange', () => [-3, -2, -6], true],
  ['includes', () => ['abcd', 'bc'], true],
  ['indexOf', () => [[1, 2, 1, 2], 2, 2], 3],
  ['initial', () => [[1, 2, 3]], [1, 2]],
  ['intersection', () => [[2, 1], [2, 3]], [2]],
  ['intersectionWith', () => [[{ x: 1 }, { x: 2 }], [{ x: 2 }], (a, b) => a.x === b.x], [{ x: 2 }]],
  ['invert', () => [{ a: 1, b: 2 }], { 1: 'a', 2: 'b' }],
  ['invokeMap', () => [[[5, 1, 7], [3, 2, 1]], 'sort'], [[1, 5, 7], [1, 2, 3]]],
  ['isEmpty', () => [new Set()], true],
  ['isEqual', () => [{ a: [1, new Date(0)] }, { a: [1, new Date(0)] }], true],
  ['isMatch', () => [{ a: 1, b: 2 }, { b: 2 }], true],
  ['isNil', () => [0], false],
  ['isPlainObject', () => [Object.create(null)], true],
  ['kebabCase', () => ['fooBar'], 'foo-bar'],
  ['keyBy', () => [[{ id: 'a' }, { id: 'b' }], 'id'], { a: { id: 'a' }, b: { id: 'b' } }],
  ['keys', () => [{ a: 1, b: 2 }], ['a', 'b']],
  ['last', () => [[1, 2, 3]], 3],
  ['lowerFirst', () => ['FRED'], 'fRED'],
  ['map', () => [[4, 8], square], [16, 64]],
  ['mapValues', () => [{ a: { n: 1 }, b: { n: 2 } }, 'n'], { a: 1, b: 2 }],
  ['maxBy', () => [users(), 'age'], users()[1]],
  ['mean', () => [[4, 2, 8, 6]], 5],
  ['merge', () => [{ a: [{ b: 2 }, { d: 4 }] }, { a: [{ c: 3 }, { e: 5 }] }], { a: [{ b: 2, c: 3 }, { d: 4, e: 5 }] }],
  ['omit', () => [{ a: 1, b: '2', c: 3 }, ['a', 'c']], { b: '2' }],
  ['orderBy', () => [users(), ['active', 'age'], ['asc', 'desc']], [users()[1], users()[0], users()[2]]],
  ['pad', () => ['abc', 8, '_-'], '_-abc_-_'],
  ['parseInt', () => ['08'], 8],
  ['partition', () => [[1, 2, 3], (n) => n % 2], [[1, 3], [2]]],
  ['pick', () => [{ a: 1, b: '2', c: 3 }, ['a', 'c']], { a: 1, c: 3 }],
  ['pull', () => [['a', 'b', 'c', 'a'], 'a', 'c'], ['b']],
  ['range', () => [0, -4, -1], [0, -1, -2, -3]],
  ['reduce', () => [{ a: 1, b: 2 }, add, 10], 13],
  ['reject', () => [users(), isActive], [users()[1]]],
  ['repeat', () => ['abc', 2], 'abcabc'],
  ['round', () => [4.006, 2], 4.01],
  ['set', () => [{}, 'x[0].y', 5], { x: [{ y: 5 }] }],
  ['slice', () => [[1, 2, 3, 4], 1, -1], [2, 3]],
  ['snakeCase', () => ['--FOO-BAR--'], 'foo_bar'],
  ['some', () => [users(), ['age', 1]], true],
  ['sortBy', () => [[3, 1, 2], (n) => -n], [3, 2, 1]],
  ['sortedIndex', () => [[30, 50], 40], 1],
  ['split', () => ['a-b-c', '-', 2], ['a', 'b']],
  ['startCase', () => ['fooBar'], 'Foo Bar'],
  ['sumBy', () => [users(), 'age'], 77],
  ['take', () => [[1, 2, 3], 2], [1, 2]],
  ['takeRightWhile', () => [[1, 2, 3], (n) => n > 1], [2, 3]],
  ['times', () => [3, String], ['0', '1', '2']],
  ['toPairs', () => [{ a: 1 }], [['a', 1]]],
  ['toPath', () => ['a[0].b.c'], ['a', '0', 'b', 'c']],
  ['transform', () => [[2, 3], (acc, n) => { acc.push(n * n); }, []], [4, 9]],
  ['trim', () => ['-_-abc-_-', '_-'], 'abc'],
  ['truncate', () => ['hi-diddly-ho there, neighborino', { length: 24, separator: ' ' }], 'hi-diddly-ho there,...'],
  ['unescape', () => ['fred &amp; barney'], 'fred & barney'],
  ['union', () => [[2], [1, 2]], [2, 1]],
  ['uniqBy', () => [[2.1, 1.2, 2.3], Math.floor], [2.1, 1.2]],
  ['unzip', () => [[['a', 1], ['b', 2]]], [['a', 'b'], [1, 2]]],
  ['upperFirst', () => ['fred'], 'Fred'],
  ['values', () => ['hi'], ['h', 'i']],
  ['without', () => [[2, 1, 2, 3], 1, 2], [3]],
  ['words', () => ['fred, barney, & pebbles'], ['fred', 'barney', 'pebbles']],
  ['xor', () => [[2, 1], [2, 3]], [1, 3]],
  ['zipObjectDeep', () => [['a.b[0].c', 'a.b[1].d'], [1, 2]], { a: { b: [{ c: 1 }, { d: 2 }] } }],
  ['zipWith', () => [[1, 2], [10, 20], add], [11, 22]],
];
`;

const VALUES = `// node checks/values.js modules|monolith: calls one file a method, or lodash.js, and compares the results.
const assert = require("assert");
const table = require("./table");

const monolith = process.argv[2] === "monolith" ? require("../lodash") : null;
for (const [name, args, expected] of table) {
  const method = monolith === null ? require("../" + name) : monolith[name];
  assert.deepStrictEqual(method(...args()), expected, name);
}
assert.deepStrictEqual(
  require("../lodash")([1, 2, 3, 4]).filter((n) => n % 2 === 0).map((n) => n * n).reverse().value(),
  [16, 4],
);
assert.strictEqual(require("../template")("<% for (const name of names) { %><%- name %>;<% } %>")({ names: ["a", "&"] }), "a;&amp;;");
assert.strictEqual(require("../memoize")((n) => n * 2)(21), 42);
assert.strictEqual(require("../curry")((a, b, c) => a + b + c)(1)(2)(3), 6);
assert.notStrictEqual(require("../uniqueId")(), require("../uniqueId")());
assert.strictEqual(require("../core").map([1, 2], (n) => n + 1).join(), "2,3");
console.log(table.length + " methods give what they should");
`;

const FP = `// node checks/fp.js: every module of fp loads, and some of them give what they should.
const assert = require("assert");
const fs = require("fs");
const path = require("path");

const folder = path.join(__dirname, "..", "fp");
const modules = fs.readdirSync(folder).filter((name) => name.endsWith(".js"));
for (const name of modules) require(path.join(folder, name));
const fp = require("../fp");
const frozen = Object.freeze({ a: Object.freeze({ b: 1 }) });
assert.deepStrictEqual(fp.set("a.b", 2, frozen), { a: { b: 2 } });
assert.deepStrictEqual(fp.flow(fp.map((n) => n * n), fp.filter((n) => n > 1), fp.sum)([1, 2, 3]), 13);
assert.deepStrictEqual(require("../fp/map")(parseInt)(["6", "8", "10"]), [6, 8, 10]);
assert.strictEqual(require("../fp/add")(1)(2), 3);
assert.strictEqual(require("../fp/getOr")("none", "x.y", {}), "none");
assert.deepStrictEqual(require("../fp/sortBy")("n")([{ n: 2 }, { n: 1 }]), [{ n: 1 }, { n: 2 }]);
console.log(modules.length + " modules of fp load");
`;

const STRICT = `// node checks/strict.js GLOB..: each file is strict, parses, and requires into const; no file is a failure.
const assert = require("assert");
const { execFileSync } = require("child_process");
const fs = require("fs");
const vm = require("vm");

for (const glob of process.argv.slice(2)) {
  const listed = execFileSync("git", ["ls-files", "--", ":(glob)" + glob], { encoding: "utf8" });
  const files = listed.split("\\n").filter((file) => file !== "" && !file.endsWith(".min.js"));
  assert.notStrictEqual(files.length, 0, glob);
  for (const file of files) {
    const text = fs.readFileSync(file, "utf8");
    assert.ok(text.startsWith("'use strict';\\n"), file + " is not strict");
    assert.ok(!/^var \\w+ = require\\(/m.test(text), file + " requires into var");
    new vm.Script("(function (exports, require, module) {" + text + "\\n})", { filename: file });
  }
}
`;

/** Paths and texts of the checks that the acceptance tests run. */
export const CHECKS: Readonly<Record<string, string>> = {
  'checks/table.js': TABLE,
  'checks/values.js': VALUES,
  'checks/fp.js': FP,
  'checks/strict.js': STRICT,
};
