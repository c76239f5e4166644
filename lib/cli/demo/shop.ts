/** The code base of the demo, as it was before the refactor: a small shop in the JavaScript of 2012. */

const js = String.raw;

const text = {
  'src/text/slug.js': js`var MAX = 24;

/** 'Green Tea, 100 g' becomes 'green-tea-100-g'. */
function slug(name) {
  var words = name.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean).join('-');
  if (words.length > MAX) {
    words = words.substr(0, MAX);
  }
  return words.substr(-1) === '-' ? words.substr(0, words.length - 1) : words;
}

module.exports = slug;
`,
  'src/text/column.js': js`var BLANK = '                                ';

/** Text at the left of a column: cut if longer, filled up if shorter. */
function left(text, width) {
  var filled = text + BLANK;
  return filled.substr(0, width);
}

/** Text at the right of a column: the end is kept if it is longer. */
function right(text, width) {
  var filled = BLANK + text;
  return filled.substr(-width);
}

module.exports = { left: left, right: right };
`,
  'src/text/sku.js': js`var KIND = 3;

/** 'TEA-0042-GB' is a kind, a number and a country. */
function parse(sku) {
  var from = KIND + 1;
  return { kind: sku.substr(0, KIND), number: Number(sku.substr(from, 4)), country: sku.substr(from + 5) };
}

module.exports = { parse: parse };
`,
};

const io = {
  'src/io/base64.js': js`function encode(text) {
  var bytes = new Buffer(text, 'utf8');
  return bytes.toString('base64');
}

function decode(encoded) {
  return new Buffer(encoded, 'base64').toString('utf8');
}

module.exports = { encode: encode, decode: decode };
`,
  'src/io/frame.js': js`var HEADER = 4;

/** Its length in four bytes, then the text. */
function pack(text) {
  var body = new Buffer(text, 'utf8');
  var header = new Buffer(4);
  header.writeUInt32BE(body.length, 0);
  return Buffer.concat([header, body]);
}

/** The texts of frames that stand one after another. */
function unpack(bytes) {
  var texts = [];
  var at = 0;
  while (at < bytes.length) {
    var end = at + HEADER + bytes.readUInt32BE(at);
    texts.push(bytes.toString('utf8', at + HEADER, end));
    at = end;
  }
  return texts;
}

module.exports = { pack: pack, unpack: unpack };
`,
};

const money = {
  'src/money/price.js': js`/** 1250 cents are '12.50'. */
function format(cents) {
  var sign = cents < 0 ? '-' : '';
  var whole = Math.floor(Math.abs(cents) / 100);
  var rest = String(Math.abs(cents) % 100);
  if (rest.length < 2) {
    rest = '0' + rest;
  }
  return sign + whole + '.' + rest;
}

/** What the lines of an order cost in all, in cents. */
function sum(lines) {
  var total = 0;
  for (var i = 0; i < lines.length; i++) {
    total += lines[i].cents * lines[i].count;
  }
  return total;
}

module.exports = { format: format, sum: sum };
`,
  'src/money/tax.js': js`var RATES = { GB: 20, DE: 19, CH: 8 };

/** The order with its tax in cents, rounded half up. Unknown countries pay none. */
function withTax(order) {
  var rate = RATES[order.country] || 0;
  var tax = Math.round((order.net * rate) / 100);
  return Object.assign({}, order, { tax: tax, total: order.net + tax });
}

module.exports = withTax;
`,
  'src/money/discount.js': js`var STEPS = [
  { from: 10000, percent: 10 },
  { from: 5000, percent: 5 },
];

/** The order with the best discount that its net sum earns. */
function withDiscount(order) {
  var percent = 0;
  for (var i = 0; i < STEPS.length; i++) {
    if (order.net >= STEPS[i].from && STEPS[i].percent > percent) {
      percent = STEPS[i].percent;
    }
  }
  var off = Math.floor((order.net * percent) / 100);
  return Object.assign({}, order, { net: order.net - off, off: off });
}

module.exports = withDiscount;
`,
};

const stock = {
  'src/stock/inventory.js': js`function find(items, sku) {
  for (var i = 0; i < items.length; i++) {
    if (items[i].sku == sku) {
      return items[i];
    }
  }
  return null;
}

/** Takes count pieces out of the stock; throws, and takes none, where there are not enough. */
function take(items, sku, count) {
  var item = find(items, sku);
  if (item == null) {
    throw new Error('no such item: ' + sku);
  }
  var left = item.count - count;
  if (typeof count != 'number' || left < 0) {
    throw new Error('not enough of ' + sku);
  }
  item.count = left;
  return left;
}

module.exports = { find: find, take: take };
`,
  'src/stock/reorder.js': js`/** What to order: items that are sold out in full crates, others up to their minimum. */
function reorder(items) {
  var orders = [];
  for (var i = 0; i < items.length; i++) {
    var item = items[i];
    var wanted = item.minimum == undefined ? 0 : item.minimum;
    if (item.count == 0) {
      orders.push({ sku: item.sku, count: item.crate });
    } else if (item.count < wanted && item.supplier != 'none') {
      orders.push({ sku: item.sku, count: wanted - item.count });
    }
  }
  return orders;
}

module.exports = reorder;
`,
};

const report = {
  'src/report/receipt.js': js`var column = require('../text/column');
var price = require('../money/price');

function row(name, cents) {
  return column.left(name, 20) + column.right(price.format(cents), 9);
}

/** Prints an order that has its discount and tax. */
function receipt(order) {
  for (var i = 0; i < order.lines.length; i++) {
    var line = order.lines[i];
    console.log(row(line.count + ' ' + line.name, line.count * line.cents));
  }
  if (order.off > 0) {
    console.log(row('discount', -order.off));
  }
  console.log(row('tax', order.tax));
  console.log(row('total', order.total));
}

module.exports = receipt;
`,
  'src/report/daily.js': js`var price = require('../money/price');
var reorder = require('../stock/reorder');

/** Prints the day's takings and what has to be ordered. */
function daily(totals, items) {
  var sum = totals.reduce(function (a, b) {
    return a + b;
  }, 0);
  console.log('orders', String(totals.length), 'takings', price.format(sum));
  reorder(items).forEach(function (order) {
    console.log('order', order.sku, 'x', String(order.count));
  });
}

module.exports = daily;
`,
};

const entry = {
  'src/log.js': js`var slug = require('./text/slug');

var muted = false;

function say() {
  var parts = Array.prototype.slice.call(arguments);
  if (!muted) {
    console.log(parts.join(' '));
  }
}

function section() {
  var titles = Array.prototype.slice.call(arguments);
  say('== ' + titles.map(slug).join(' / '));
}

function mute(on) {
  muted = on;
}

module.exports = { say: say, section: section, mute: mute };
`,
  'src/shop.js': js`var discount = require('./money/discount');
var inventory = require('./stock/inventory');
var price = require('./money/price');
var tax = require('./money/tax');

/** Sells: takes the lines out of the stock and works out what they cost. */
function sell(items, country, wishes) {
  var lines = [];
  for (var i = 0; i < wishes.length; i++) {
    var item = inventory.find(items, wishes[i].sku);
    inventory.take(items, wishes[i].sku, wishes[i].count);
    lines.push({ name: item.name, cents: item.cents, count: wishes[i].count });
  }
  return tax(discount({ country: country, lines: lines, net: price.sum(lines) }));
}

module.exports = { sell: sell };
`,
  'src/main.js': js`var daily = require('./report/daily');
var log = require('./log');
var receipt = require('./report/receipt');
var shop = require('./shop');

var items = [
  { sku: 'TEA-0042-GB', name: 'Green Tea', cents: 1250, count: 9, minimum: 6, crate: 24 },
  { sku: 'CUP-0007-DE', name: 'Cup', cents: 800, count: 2, crate: 12 },
];
var order = shop.sell(items, 'GB', [
  { sku: 'TEA-0042-GB', count: 4 },
  { sku: 'CUP-0007-DE', count: 2 },
]);

log.section('Receipt');
receipt(order);
log.section('The day', 'and its orders');
daily([order.total], items);
log.say('done');
`,
};

/** Paths and texts of the modules that the demo refactors. */
export const SHOP: Readonly<Record<string, string>> = {
  ...text,
  ...io,
  ...money,
  ...stock,
  ...report,
  ...entry,
};
