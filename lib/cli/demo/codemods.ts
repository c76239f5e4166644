/** The rules and scripts that the demo's tasks run: they are part of its repository, as in a real one. */

const yml = String.raw;

const rules = {
  'codemods/substr-to-slice.yml': yml`id: substr-from-start
language: JavaScript
severity: info
rule: { pattern: '$TEXT.substr(0, $COUNT)' }
fix: $TEXT.slice(0, $COUNT)
---
id: substr-to-end
language: JavaScript
severity: info
rule: { pattern: '$TEXT.substr($FROM)' }
fix: $TEXT.slice($FROM)
---
# substr counts, slice ends. FROM is written twice, so it must be a plain name or number.
id: substr-count
language: JavaScript
severity: info
rule: { pattern: '$TEXT.substr($FROM, $COUNT)' }
constraints:
  FROM: { regex: '^([A-Za-z_]\w*|[1-9]\d*)$' }
fix: $TEXT.slice($FROM, $FROM + $COUNT)
`,
  'codemods/buffer-constructor.yml': yml`id: buffer-alloc
language: JavaScript
severity: info
rule: { pattern: new Buffer($SIZE) }
constraints:
  SIZE: { kind: number }
fix: Buffer.alloc($SIZE)
---
id: buffer-from
language: JavaScript
severity: info
rule: { pattern: 'new Buffer($TEXT, $ENCODING)' }
fix: Buffer.from($TEXT, $ENCODING)
`,
  'codemods/var-to-const.yml': yml`# const where the module never assigns to that name again.
id: var-to-const
language: JavaScript
severity: info
rule:
  all:
    - pattern: var $NAME = $VALUE
    - not:
        inside:
          stopBy: end
          kind: program
          has:
            stopBy: end
            any:
              - all: [{ kind: assignment_expression }, { has: { field: left, pattern: $NAME } }]
              - all: [{ kind: augmented_assignment_expression }, { has: { field: left, pattern: $NAME } }]
              - all: [{ kind: update_expression }, { has: { field: argument, pattern: $NAME } }]
fix: const $NAME = $VALUE;
`,
  'codemods/var-to-let.yml': yml`# What var-to-const left over. This code uses no variable outside the block that declares it.
id: var-to-let
language: JavaScript
severity: info
rule: { all: [{ pattern: $DECLARATION }, { kind: variable_declaration }] }
transform:
  LET: { replace: { source: $DECLARATION, replace: '^var\b', by: let } }
fix: $LET
`,
  'codemods/spread.yml': yml`id: spread
language: JavaScript
severity: info
rule: { pattern: 'Object.assign({}, $FIRST, { $$$FIELDS })' }
fix: '{ ...$FIRST, $$$FIELDS }'
`,
  'codemods/strict-equal.yml': yml`# Comparisons with null and undefined stay: there == means "either of the two".
id: strict-equal
language: JavaScript
severity: info
rule: { pattern: $LEFT == $RIGHT }
constraints:
  RIGHT: { not: { regex: '^(null|undefined)$' } }
fix: $LEFT === $RIGHT
---
id: strict-unequal
language: JavaScript
severity: info
rule: { pattern: $LEFT != $RIGHT }
constraints:
  RIGHT: { not: { regex: '^(null|undefined)$' } }
fix: $LEFT !== $RIGHT
`,
  'codemods/rest-parameters.yml': yml`id: rest-parameters
language: JavaScript
severity: info
rule:
  pattern: |-
    function $NAME() {
      var $LIST = Array.prototype.slice.call(arguments);
      $$$BODY
    }
fix: |-
  function $NAME(...$LIST) {
    $$$BODY
  }
`,
  'codemods/say-to-info.yml': yml`id: say-to-info
language: JavaScript
severity: info
rule:
  any: [{ kind: identifier }, { kind: property_identifier }]
  regex: ^say$
fix: info
`,
  'codemods/use-strict.yml': yml`id: use-strict
language: JavaScript
severity: info
rule:
  all:
    - pattern: $PROGRAM
    - kind: program
    - not: { has: { kind: expression_statement, regex: "^'use strict'" } }
fix: |-
  'use strict';

  $PROGRAM
`,
};

const scripts = {
  'scripts/add-require.js': yml`// node scripts/add-require.js NAME MODULE FILE..: a require after the last one at the top of each file.
const fs = require('fs');

const [name, module_, ...files] = process.argv.slice(2);
for (const file of files) {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const last = lines.findLastIndex((line) => /^(var|const) \w+ = require\(/.test(line));
  lines.splice(last + 1, 0, 'const ' + name + " = require('" + module_ + "');");
  fs.writeFileSync(file, lines.join('\n'));
}
`,
  'scripts/release.js': yml`// node scripts/release.js VERSION: sets the version and opens its section in the changelog.
const fs = require('fs');

const version = process.argv[2];
const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'));
fs.writeFileSync('package.json', JSON.stringify({ ...manifest, version }, null, 2) + '\n');
const changes = [
  '- Modules are strict and use const, let, spread and rest parameters.',
  '- Deprecated calls are gone: substr, the Buffer constructor.',
  '- Reports are printed through the log, so that they can be muted.',
];
const log = fs.readFileSync('CHANGELOG.md', 'utf8');
fs.writeFileSync('CHANGELOG.md', log.replace('\n## ', '\n## ' + version + '\n\n' + changes.join('\n') + '\n\n## '));
`,
};

const documents = {
  'package.json': `${JSON.stringify(
    {
      name: 'corner-shop',
      version: '1.4.0',
      private: true,
      main: 'src/shop.js',
      scripts: { test: 'node test/run.js' },
    },
    null,
    2,
  )}\n`,
  'README.md': `# Corner shop

Sells tea and cups: \`node src/main.js\`. Tests: \`npm test\`.

\`orch.plan.yaml\` is the plan of its refactor; the rules that its tasks apply are in \`codemods/\`.
`,
  'CHANGELOG.md': '# Changelog\n\n## 1.4.0\n\n- Discounts.\n',
};

/** Paths and texts of everything in the demo's repository that is neither the shop nor its tests. */
export const TOOLING: Readonly<Record<string, string>> = { ...rules, ...scripts, ...documents };
