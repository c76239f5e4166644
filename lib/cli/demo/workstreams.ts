import { SHOP } from './shop.ts';

/** The plan of the demo: what is done to the shop, and how each part is judged. */

type Run = { run: string };

/** A workstream as a person writes it in a plan file. */
export type DemoWorkstream = {
  id: string;
  title: string;
  files_scope: string[];
  depends_on?: string[];
  priority?: string;
  tasks: Run[];
  acceptance_tests: Run[];
};

const run = (command: string): Run => ({ run: command });
const apply = (rule: string, ...paths: string[]): Run =>
  run(`"$AST_GREP" scan -r codemods/${rule}.yml -U ${paths.join(' ')}`);
/** The patterns come quoted for the shell. */
const rewrite = (pattern: string, by: string, path: string): Run =>
  run(`"$AST_GREP" run -l js -p ${pattern} -r ${by} -U ${path}`);
const blockScoped = (...paths: string[]): Run[] => [
  apply('var-to-const', ...paths),
  apply('var-to-let', ...paths),
];
/** Exit code 1 of grep is "not one line"; 2, a folder that cannot be read, must not pass for it. */
const gone = (words: string, path: string): Run => run(`grep -rnE "${words}" ${path}; test $? -eq 1`);
const lines = (words: string, path: string, count: number): Run =>
  run(`test "$(grep -rE "${words}" ${path} | wc -l)" -eq ${count}`);
const tests = (...suites: string[]): Run => run(['node', 'test/run.js', ...suites].join(' '));

/** With the log muted a receipt prints nothing: true only once it prints through the log. */
const MUTED = [
  `console.log = () => { throw new Error('printed'); };`,
  `require('./src/log').mute(true);`,
  `require('./src/report/receipt')({ lines: [], off: 0, tax: 0, total: 0 });`,
].join(' ');

/** Seven workstreams in three waves; the last starts from the merged work of five parents. */
export const WORKSTREAMS: readonly DemoWorkstream[] = [
  {
    id: 'text-slice',
    title: 'src/text: slice instead of the deprecated substr',
    files_scope: ['src/text'],
    tasks: [apply('substr-to-slice', 'src/text'), ...blockScoped('src/text')],
    acceptance_tests: [tests('text'), gone('substr\\(|var ', 'src/text')],
  },
  {
    id: 'io-buffer',
    title: 'src/io: Buffer.from and Buffer.alloc instead of the deprecated constructor',
    files_scope: ['src/io'],
    tasks: [apply('buffer-constructor', 'src/io'), ...blockScoped('src/io')],
    acceptance_tests: [run('node --throw-deprecation test/run.js io'), gone('new Buffer|var ', 'src/io')],
  },
  {
    id: 'money-spread',
    title: 'src/money: const, let and spread',
    files_scope: ['src/money'],
    tasks: [...blockScoped('src/money'), apply('spread', 'src/money')],
    acceptance_tests: [tests('money'), gone('Object.assign|var ', 'src/money')],
  },
  {
    id: 'stock-equality',
    title: 'src/stock: === and !==, but for null and undefined',
    files_scope: ['src/stock'],
    tasks: [apply('strict-equal', 'src/stock'), ...blockScoped('src/stock')],
    acceptance_tests: [
      tests('stock'),
      lines('[^=!](==|!=)[^=]', 'src/stock', 2),
      lines('[^=!]== (null|undefined)', 'src/stock', 2),
      gone('var ', 'src/stock'),
    ],
  },
  {
    id: 'logger',
    title: 'The log becomes a folder of its own and speaks of info',
    priority: 'high',
    files_scope: ['src/log.js', 'src/log', 'src/main.js', 'src/shop.js'],
    tasks: [
      run('mkdir -p src/log && git mv src/log.js src/log/index.js'),
      rewrite(`"require('./text/slug')"`, `"require('../text/slug')"`, 'src/log'),
      apply('rest-parameters', 'src/log'),
      apply('say-to-info', 'src/log', 'src/main.js'),
      ...blockScoped('src/log', 'src/main.js', 'src/shop.js'),
    ],
    acceptance_tests: [
      tests('main'),
      run("node -e \"process.exit(typeof require('./src/log').info === 'function' ? 0 : 1)\""),
      gone('arguments|var ', 'src/log src/main.js src/shop.js'),
    ],
  },
  {
    id: 'report-logger',
    title: 'src/report: prints through the log',
    depends_on: ['logger'],
    files_scope: ['src/report'],
    tasks: [
      rewrite(`'console.log($$$ARGS)'`, `'log.info($$$ARGS)'`, 'src/report'),
      run('node scripts/add-require.js log ../log src/report/receipt.js src/report/daily.js'),
      ...blockScoped('src/report'),
    ],
    acceptance_tests: [tests('main'), run(`node -e "${MUTED}"`), gone('console|var ', 'src/report')],
  },
  {
    id: 'release',
    title: 'Strict mode, version and changelog, on the merged work of all the others',
    depends_on: ['text-slice', 'io-buffer', 'money-spread', 'stock-equality', 'report-logger'],
    files_scope: ['src', 'package.json', 'CHANGELOG.md'],
    tasks: [apply('use-strict', 'src'), run('node scripts/release.js 2.0.0')],
    acceptance_tests: [
      run('node --throw-deprecation test/run.js'),
      gone('substr\\(|new Buffer|Object.assign|arguments|var ', 'src'),
      lines(`^'use strict';`, 'src', Object.keys(SHOP).length),
      run("node -e \"process.exit(require('./package.json').version === '2.0.0' ? 0 : 1)\""),
      run('grep -q "^## 2.0.0" CHANGELOG.md'),
    ],
  },
];
