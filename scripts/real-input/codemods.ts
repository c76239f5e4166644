/** The rules that refactor lodash: each leaves a file alone where it cannot be sure. */

const yml = String.raw;

/** True of names that the module assigns to again, in conditions on `$NAME`. */
const REASSIGNED = `inside:
                stopBy: end
                kind: program
                has:
                  stopBy: end
                  any:
                    - all: [{ kind: assignment_expression }, { has: { field: left, pattern: $NAME } }]
                    - all: [{ kind: augmented_assignment_expression }, { has: { field: left, pattern: $NAME } }]
                    - all: [{ kind: update_expression }, { has: { field: argument, pattern: $NAME } }]`;

const rules = {
  'codemods/require-const.yml': yml`# var declarations at the top of a module that hold nothing but required modules.
id: require-const
language: JavaScript
severity: info
rule:
  all:
    - pattern: $DECLARATION
    - kind: variable_declaration
    - inside: { kind: program }
    - not:
        has:
          kind: variable_declarator
          not:
            has:
              field: value
              any: [{ pattern: require($MODULE) }, { pattern: require($MODULE).$MEMBER }]
transform:
  CONST: { replace: { source: $DECLARATION, replace: '^var\b', by: const } }
fix: $CONST
`,
  'codemods/module-const.yml': yml`# Other var declarations at the top of a module whose names get a value there, and never another one.
id: module-const
language: JavaScript
severity: info
rule:
  all:
    - pattern: $DECLARATION
    - kind: variable_declaration
    - inside: { kind: program }
    - not: { has: { kind: variable_declarator, not: { has: { field: value, pattern: $VALUE } } } }
    - not:
        has:
          all:
            - kind: variable_declarator
            - has: { field: name, pattern: $NAME }
            - ${REASSIGNED}
transform:
  CONST: { replace: { source: $DECLARATION, replace: '^var\b', by: const } }
fix: $CONST
`,
  'codemods/local-let.yml': yml`# var at the top of a function's body, unless its name is a parameter or is declared twice.
id: local-let
language: JavaScript
severity: info
utils:
  function: { any: [{ kind: function_declaration }, { kind: function_expression }] }
rule:
  all:
    - pattern: $DECLARATION
    - kind: variable_declaration
    - inside: { kind: statement_block, inside: { matches: function } }
    - not:
        has:
          all:
            - kind: variable_declarator
            - has: { field: name, pattern: $NAME }
            - inside:
                kind: variable_declaration
                any:
                  - inside:
                      kind: statement_block
                      inside: { matches: function, has: { field: parameters, has: { pattern: $NAME } } }
                  - follows: &again
                      stopBy: end
                      has: { stopBy: end, kind: variable_declarator, has: { field: name, pattern: $NAME } }
                  - precedes: *again
transform:
  LET: { replace: { source: $DECLARATION, replace: '^var\b', by: let } }
fix: $LET
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
  'codemods/typeof-strict.yml': yml`# typeof is a string, and so is the literal; comparisons with null keep their ==.
id: typeof-equal
language: JavaScript
severity: info
rule: { pattern: typeof $VALUE == $TYPE }
constraints: { TYPE: { kind: string } }
fix: typeof $VALUE === $TYPE
---
id: typeof-unequal
language: JavaScript
severity: info
rule: { pattern: typeof $VALUE != $TYPE }
constraints: { TYPE: { kind: string } }
fix: typeof $VALUE !== $TYPE
`,
};

const scripts = {
  'codemods/each.sh': `# sh codemods/each.sh RULE GLOB..: rewrites each file, and has node parse it before the next is begun.
set -eu
rule=$1
shift
for glob in "$@"; do
  for file in $(git ls-files -- ":(glob)$glob"); do
    "$AST_GREP" scan -r "codemods/$rule.yml" -U "$file"
    node --check "$file"
  done
done
`,
  'codemods/all.sh': `# sh codemods/all.sh RULE GLOB..: rewrites all files in one go, but for minified ones.
set -eu
rule=$1
shift
for glob in "$@"; do
  "$AST_GREP" scan -r "codemods/$rule.yml" -U $(git ls-files -- ":(glob)$glob" | grep -v '[.]min[.]js$')
done
`,
  'codemods/release.js': `// node codemods/release.js: the manifest says what the code now needs, NOTES.md what was done.
const fs = require('fs');

const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'));
manifest.engines = { node: '>=6' };
fs.writeFileSync('package.json', JSON.stringify(manifest, null, 2) + '\\n');
const modules = [...fs.readdirSync('.'), ...fs.readdirSync('fp').map((name) => 'fp/' + name)]
  .filter((name) => name.endsWith('.js') && !name.endsWith('.min.js'));
const strict = modules.filter((name) => fs.readFileSync(name, 'utf8').startsWith("'use strict';"));
fs.writeFileSync('NOTES.md', '# Notes\\n\\n' + strict.length + ' of ' + modules.length + ' modules are strict.\\n');
`,
};

/** Paths and texts of the rules and the scripts that apply them. */
export const CODEMODS: Readonly<Record<string, string>> = { ...rules, ...scripts };
