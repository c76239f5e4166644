import { stringify } from 'yaml';

/** The plan: eight workstreams that share no file, and one that starts from all eight merged. */

type Run = { run: string };
export type Planned = {
  id: string;
  title: string;
  files_scope: string[];
  files_create?: string[];
  depends_on?: string[];
  tasks: Run[];
  acceptance_tests: Run[];
  env: { AST_GREP: string };
};

const PARTS: readonly { id: string; globs: readonly string[] }[] = [
  { id: 'internals-base', globs: ['_base*.js'] },
  { id: 'internals-a-h', globs: ['_[A-Zac-h]*.js'] },
  { id: 'internals-i-z', globs: ['_[i-z]*.js'] },
  { id: 'methods-a-h', globs: ['[abd-h]*.js', 'c[ahlru]*.js', 'ceil.js', 'co[lmnu]*.js'] },
  { id: 'methods-i-r', globs: ['[i-km-r]*.js', 'la*.js', 'low*.js', 'lt*.js'] },
  { id: 'methods-s-z', globs: ['[s-z]*.js'] },
];

const quoted = (globs: readonly string[]): string => globs.map((glob) => `'${glob}'`).join(' ');
const each = (rule: string, globs: readonly string[]): Run => ({
  run: `sh codemods/each.sh ${rule} ${quoted(globs)}`,
});
const all = (rule: string, globs: readonly string[]): Run => ({
  run: `sh codemods/all.sh ${rule} ${quoted(globs)}`,
});
const strict = (globs: readonly string[]): Run => ({ run: `node checks/strict.js ${quoted(globs)}` });
const values = (what: 'modules' | 'monolith'): Run => ({ run: `node checks/values.js ${what}` });

/** A literal call in the plan itself, beside the table of the checks. */
const CHUNK: Run = {
  run: `node -e "require('assert').deepStrictEqual(require('./chunk')([1, 2, 3], 2), [[1, 2], [3]])"`,
};

/** The workstreams in plan order; `astGrep` is the absolute path of the codemod tool. */
export function workstreams(astGrep: string): Planned[] {
  const env = { AST_GREP: astGrep };
  const parts = [...PARTS.map(modules), fp(), monolith()].map((part) => ({ ...part, env }));
  return [...parts, { ...release(parts.map(({ id }) => id)), env }];
}

/** The plan file of these workstreams. */
export function planText(planned: readonly Planned[]): string {
  return stringify({ workstreams: planned }, { lineWidth: 0, aliasDuplicateObjects: false });
}

function modules({ id, globs }: (typeof PARTS)[number]): Omit<Planned, 'env'> {
  return {
    id,
    title: `${globs.join(', ')}: strict, with const and let`,
    files_scope: [...globs],
    tasks: [
      all('require-const', globs),
      all('module-const', globs),
      each('local-let', globs),
      all('use-strict', globs),
    ],
    acceptance_tests: [strict(globs), values('modules'), CHUNK],
  };
}

function fp(): Omit<Planned, 'env'> {
  const globs = ['fp/*.js'];
  return {
    id: 'fp',
    title: 'fp: strict, with const and let',
    files_scope: globs,
    tasks: [all('require-const', globs), all('module-const', globs), all('use-strict', globs)],
    acceptance_tests: [strict(globs), { run: 'node checks/fp.js' }],
  };
}

function monolith(): Omit<Planned, 'env'> {
  const globs = ['lodash.js', 'core.js'];
  return {
    id: 'monolith',
    title: 'lodash.js and core.js: strict, with let',
    files_scope: globs,
    // A rewrite of an outer declaration covers those inside it, so each level of functions is a pass.
    tasks: [...['', '', ''].map(() => each('local-let', globs)), each('use-strict', globs)],
    acceptance_tests: [strict(globs), values('monolith')],
  };
}

function release(parents: string[]): Omit<Planned, 'env'> {
  const globs = ['*.js', 'fp/*.js'];
  return {
    id: 'release',
    title: 'typeof compared with ===, manifest and notes, on the merged work of all the others',
    depends_on: parents,
    files_scope: [...globs, 'package.json'],
    files_create: ['NOTES.md'],
    tasks: [all('typeof-strict', globs), { run: 'node codemods/release.js' }],
    acceptance_tests: [
      strict(globs),
      values('modules'),
      values('monolith'),
      { run: 'node checks/fp.js' },
      { run: `git grep -nE "typeof [a-zA-Z.]+ [!=]= '" -- '*.js' ':!*.min.js' ':!checks'; test $? -eq 1` },
      { run: 'grep -qx "1046 of 1046 modules are strict." NOTES.md' },
    ],
  };
}
