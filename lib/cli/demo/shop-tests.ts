/** The shop's own tests: plain Node, no dependencies. They pass before the refactor and after it. */

const js = String.raw;

const suites = {
  'test/text.js': js`const assert = require('assert');
const column = require('../src/text/column');
const sku = require('../src/text/sku');
const slug = require('../src/text/slug');

exports['a slug has lower case and single dashes'] = () => {
  assert.strictEqual(slug('Green Tea, 100 g'), 'green-tea-100-g');
};
exports['a long slug is cut and never ends in a dash'] = () => {
  assert.strictEqual(slug('One Two Three Four Five Six Seven'), 'one-two-three-four-five');
  assert.strictEqual(slug('abcdefghijklmnopqrstuvwxyz'), 'abcdefghijklmnopqrstuvwx');
  assert.strictEqual(slug(''), '');
};
exports['columns are as wide as asked for'] = () => {
  assert.strictEqual(column.left('tea', 5), 'tea  ');
  assert.strictEqual(column.left('teapot', 3), 'tea');
  assert.strictEqual(column.right('tea', 5), '  tea');
  assert.strictEqual(column.right('teapot', 3), 'pot');
};
exports['an article number has three parts'] = () => {
  assert.deepStrictEqual(sku.parse('TEA-0042-GB'), { kind: 'TEA', number: 42, country: 'GB' });
};
`,
  'test/io.js': js`const assert = require('assert');
const base64 = require('../src/io/base64');
const frame = require('../src/io/frame');

exports['base64 there and back'] = () => {
  assert.strictEqual(base64.encode('Grüner Tee'), 'R3LDvG5lciBUZWU=');
  assert.strictEqual(base64.decode('R3LDvG5lciBUZWU='), 'Grüner Tee');
};
exports['frames keep their length in bytes'] = () => {
  assert.deepStrictEqual([...frame.pack('é')], [0, 0, 0, 2, 0xc3, 0xa9]);
  assert.deepStrictEqual(frame.unpack(Buffer.concat([frame.pack('tea'), frame.pack('')])), ['tea', '']);
};
`,
  'test/money.js': js`const assert = require('assert');
const discount = require('../src/money/discount');
const price = require('../src/money/price');
const tax = require('../src/money/tax');

exports['prices have two decimals'] = () => {
  assert.deepStrictEqual([0, 5, 1250, -1, -250].map(price.format), ['0.00', '0.05', '12.50', '-0.01', '-2.50']);
};
exports['a sum counts every piece'] = () => {
  assert.strictEqual(price.sum([{ cents: 250, count: 3 }, { cents: 100, count: 0 }]), 750);
};
exports['tax is rounded and the order is not changed'] = () => {
  const order = { country: 'DE', net: 1003 };
  assert.deepStrictEqual(tax(order), { country: 'DE', net: 1003, tax: 191, total: 1194 });
  assert.deepStrictEqual(order, { country: 'DE', net: 1003 });
  assert.strictEqual(tax({ country: 'XX', net: 10 }).tax, 0);
};
exports['the best discount wins'] = () => {
  const off = (net) => discount({ net }).off;
  assert.deepStrictEqual([4999, 5000, 9999, 10000, 12345].map(off), [0, 250, 499, 1000, 1234]);
};
`,
  'test/stock.js': js`const assert = require('assert');
const inventory = require('../src/stock/inventory');
const reorder = require('../src/stock/reorder');

exports['taking more than there is takes nothing'] = () => {
  const items = [{ sku: 'A', count: 2 }];
  assert.strictEqual(inventory.take(items, 'A', 1), 1);
  assert.throws(() => inventory.take(items, 'A', 2), /not enough/);
  assert.throws(() => inventory.take(items, 'A', '1'), /not enough/);
  assert.throws(() => inventory.take(items, 'B', 1), /no such item/);
  assert.strictEqual(items[0].count, 1);
};
exports['sold out is a crate, low is up to the minimum'] = () => {
  const items = [
    { sku: 'A', count: 0, crate: 12 },
    { sku: 'B', count: 2, minimum: 5, crate: 12 },
    { sku: 'C', count: 2, minimum: 5, crate: 12, supplier: 'none' },
    { sku: 'D', count: 2, crate: 12 },
    { sku: 'E', count: 2, minimum: null, crate: 12 },
  ];
  assert.deepStrictEqual(reorder(items), [{ sku: 'A', count: 12 }, { sku: 'B', count: 3 }]);
};
`,
  'test/main.js': js`const assert = require('assert');
const { execFileSync } = require('child_process');
const path = require('path');

exports['the program prints a receipt and the day'] = () => {
  const main = path.join(__dirname, '..', 'src', 'main.js');
  assert.deepStrictEqual(execFileSync(process.execPath, [main], { encoding: 'utf8' }).split('\n'), [
    '== receipt',
    '4 Green Tea             50.00',
    '2 Cup                   16.00',
    'discount                -3.30',
    'tax                     12.54',
    'total                   75.24',
    '== the-day / and-its-orders',
    'orders 1 takings 75.24',
    'order TEA-0042-GB x 1',
    'order CUP-0007-DE x 12',
    'done',
    '',
  ]);
};
`,
};

const runner = js`// node test/run.js [suite..]: runs the tests of this folder; exit code 1 if one fails.
const fs = require('fs');
const path = require('path');

const all = fs.readdirSync(__dirname).filter((name) => name !== path.basename(__filename)).sort();
const chosen = process.argv.length > 2 ? process.argv.slice(2).map((name) => name + '.js') : all;
let passed = 0;
let failed = 0;
for (const file of chosen) {
  for (const [name, test] of Object.entries(require('./' + file))) {
    try {
      test();
      passed += 1;
    } catch (error) {
      failed += 1;
      console.error(file + ': ' + name + '\n' + error.stack);
    }
  }
}
console.log(passed + ' passed, ' + failed + ' failed');
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
`;

/** Paths and texts of the tests; `node test/run.js` runs them. */
export const SHOP_TESTS: Readonly<Record<string, string>> = { 'test/run.js': runner, ...suites };
