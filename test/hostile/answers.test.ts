import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type View, viewOf, visibleFiles } from '../../lib/git/visible.ts';
import { scopeMatcher } from '../../lib/protocol/scope.ts';
import { readAnswer } from '../../lib/tools/llm/answer.ts';
import { changesFor } from '../../lib/tools/llm/changes.ts';
import { gatherContext } from '../../lib/tools/llm/context.ts';
import { judgeFailure } from '../../lib/tools/llm/failure.ts';
import { tellFaults } from '../../lib/tools/llm/feedback.ts';
import { plainPath } from '../../lib/tools/llm/place.ts';
import { readForModel } from '../../lib/tools/llm/shown.ts';
import { writeChanges } from '../../lib/tools/llm/write.ts';
import { makeRepository, type Rig } from '../rig/repository.ts';
import { type Canary, makeCanary, SECRET } from './canary.ts';
import { jsonValue, TEXTS, text } from './corpora.ts';
import { boundMs, runs } from './runs.ts';

/** Answers of models, as one with bad intent would give them: nothing outside of the scope is written or read. */

const PROPERTIES = 4;
const isSeen = (): boolean => true;
const NOTHING = { missed: new Set<string>(), seen: new Set<string>() };

let rig: Rig;
let canary: Canary;
let view: View;
let outside: Record<string, string>;

beforeAll(async () => {
  rig = makeRepository(undefined, { 'README.md': 'hello\n', '.gitignore': '*.log\n', __proto__: 'x\n' });
  canary = makeCanary(rig);
  const at = (path: string): string => join(rig.root, path);
  symlinkSync(rig.aside, at('out'));
  symlinkSync(join(rig.aside, 'secret'), at('link'));
  symlinkSync('loop', at('loop'));
  symlinkSync('/dev/zero', at('zero'));
  execFileSync('mkfifo', [at('pipe')]);
  execFileSync('git', ['init', '--quiet', at('sub')]);
  writeFileSync(at('sub/x.py'), 'x\n');
  writeFileSync(at('private.log'), SECRET);
  writeFileSync(at('.env'), SECRET);
  mkdirSync(at('.status'));
  writeFileSync(at('.status/a.json'), SECRET);
  view = await viewOf(rig.root, undefined, undefined);
  refill();
  outside = treeOf(rig.root);
});

afterAll(async () => {
  await canary.end();
  await rig.end();
});

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  canary.expectUntouched();
});

/** The scope of the task, as it was; links in it lead out. */
function refill(): void {
  const at = (path: string): string => join(rig.root, 'src', path);
  rmSync(join(rig.root, 'src'), { recursive: true, force: true });
  mkdirSync(at('deep'), { recursive: true });
  writeFileSync(at('a.py'), 'one\ntwo\nthree\n');
  writeFileSync(at('deep/b.py'), 'one\r\ntwo\r\n');
  writeFileSync(at('a\nb'), 'newline\n');
  writeFileSync(at('bytes'), Buffer.from([0, 1, 2, 255]));
  symlinkSync(rig.aside, at('out'));
  symlinkSync(join(rig.aside, 'secret'), at('link.py'));
}

/** Kind and content of everything in the repository but `src`, git's own files that every look changes aside. */
function treeOf(root: string): Record<string, string> {
  const tree: Record<string, string> = {};
  const look = (path: string): void => {
    const name = relative(root, path);
    if (name === 'src' || name === '.git/index') return;
    const stats = lstatSync(path);
    if (stats.isDirectory()) {
      tree[name] = 'folder';
      for (const inner of readdirSync(path)) look(join(path, inner));
    } else if (stats.isSymbolicLink()) tree[name] = `link ${readlinkSync(path)}`;
    else
      tree[name] = stats.isFile()
        ? createHash('sha256').update(readFileSync(path)).digest('hex')
        : String(stats.mode);
  };
  look(root);
  return tree;
}

const PATHS = [
  'src/a.py',
  'src/a.py',
  'src/deep/b.py',
  'src/new/c.py',
  'src',
  'src/deep/',
  'src/bytes',
  'src/out/secret',
  'src/out/new',
  'src/link.py',
  'src/../README.md',
  'src/./a.py',
  'src//a.py',
  'src/.git/config',
  'src/a.py/x',
  'src/x.log',
  'src/.env',
  'src/__proto__',
  'src/constructor/toString',
  'README.md',
  'out',
  'out/secret',
  'link',
  'loop',
  'loop/x',
  'pipe',
  'zero',
  'sub/x.py',
  'sub',
  '.git/hooks/post-checkout',
  '.status/a.json',
  'private.log',
  '.env',
];
const path = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PATHS) },
  { weight: 1, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.constantFrom(...TEXTS).map((one) => `src/${one}`) },
  { weight: 1, arbitrary: text },
);
const row = fc.oneof(
  fc.constantFrom('one', 'two', 'three', '  one', '', '=======', '>>>>>>> REPLACE', '<<<<<<< SEARCH', '```'),
  text,
);
const rows = fc.array(row, { maxLength: 4 }).map((lines) => lines.join('\n'));
const part = fc.oneof(
  fc
    .tuple(path, rows, rows)
    .map(
      ([where, search, replace]) =>
        `FILE: ${where}\n<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE`,
    ),
  fc
    .tuple(path, rows)
    .map(([where, content]) => `FILE: ${where}\n<<<<<<< WHOLE FILE\n${content}\n>>>>>>> WHOLE FILE`),
  fc.tuple(path, path).map(([from, to]) => `MOVE: ${from} -> ${to}`),
  path.map((where) => `DELETE: ${where}`),
  path.map((where) => `READ: ${where}`),
  row,
);
/** Mostly of one part: with each more it is likelier that one of them alone has all refused. */
const answer = fc
  .oneof(
    { weight: 3, arbitrary: fc.array(part, { minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.array(part, { minLength: 2, maxLength: 6 }) },
  )
  .map((parts) => parts.join('\n'));

test(
  'whatever an answer says, it is carried out in its scope or not at all',
  async () => {
    const isInside = scopeMatcher(['src']);
    await fc.assert(
      fc.asyncProperty(answer, async (said) => {
        const { edits, faults } = readAnswer(said);
        // Those that could be read, although the rest could not: harder than what happens.
        const changes = await changesFor(edits, view, { isInside, isSeen });
        if (Array.isArray(changes)) {
          for (const change of changes) expect([change, isInside(change.path)]).toEqual([change, true]);
          writeChanges(view.path, changes);
        } else expect(tellFaults(faults, changes.faults, NOTHING)).not.toContain(SECRET);
        expect(treeOf(rig.root)).toEqual(outside);
        const links = ['out', 'link.py'].map((name) =>
          lstatSync(join(rig.root, 'src', name)).isSymbolicLink(),
        );
        expect(links).toEqual([true, true]);
        const left = readdirSync(join(rig.root, 'src'), { recursive: true }).map(String);
        expect(left.filter((name) => name.includes('.orch-edit-'))).toEqual([]);
        if (Array.isArray(changes) && changes.length > 0) refill();
      }),
      runs(400, PROPERTIES),
    );
    canary.expectUntouched();
  },
  boundMs(120_000),
);

test(
  'whatever is asked for, nothing is shown that git would not commit',
  async () => {
    const visible = await visibleFiles(view);
    const known = new Set(visible);
    fc.assert(
      fc.property(path, fc.array(path, { maxLength: 5 }), (asked, present) => {
        const read = readForModel(rig.root, known, plainPath(asked));
        if (read.kind === 'text') expect(JSON.stringify(read.file)).not.toContain(SECRET);
        const budgetBytes = 10_000;
        const sources = {
          worktree: rig.root,
          visible,
          present,
          toCreate: [asked],
          prompt: asked,
          budgetBytes,
        };
        expect(gatherContext(sources).text).not.toContain(SECRET);
      }),
      runs(300, PROPERTIES),
    );
  },
  boundMs(60_000),
);

test(
  'any text is read as an answer, in time',
  () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(part, text, jsonValue)), (parts) => {
        const { edits, wishes, faults } = readAnswer(parts.join('\n'));
        expect(edits.length + wishes.length + faults.length).toBeLessThanOrEqual(1_002);
      }),
      runs(300, PROPERTIES),
    );
  },
  boundMs(60_000),
);

test(
  'any failure of a provider has an outcome and a wait that is a number',
  () => {
    const header = fc.oneof(
      text,
      fc.constantFrom('1e999', '-1', 'NaN', '9'.repeat(400), 'Wed, 21 Oct 2015 07:28:00 GMT'),
    );
    const status = fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 999 }));
    fc.assert(
      fc.property(status, fc.oneof(text, jsonValue), header, header, (code, said, after, afterMs) => {
        const headers = { 'retry-after': after, 'retry-after-ms': afterMs };
        const failure = { status: code, headers, text: said, errno: null };
        const { retryAfterSeconds } = judgeFailure(failure, { model: 'm', host: 'h', now: 1e9 });
        const wait = retryAfterSeconds ?? 0;
        expect(Number.isFinite(wait) && wait >= 0).toBe(true);
      }),
      runs(300, PROPERTIES),
    );
  },
  boundMs(60_000),
);

const MIB = 1024 * 1024;
const filled = (piece: string): string => piece.repeat(Math.floor(MIB / piece.length));
test.each([
  ['openings', filled('<<<<<<< SEARCH\n')],
  [
    'openings of every width',
    Array.from({ length: 1_000 }, (_, at) => `${'<'.repeat(7 + at)} SEARCH\n`).join(''),
  ],
  ['blocks without a name', filled('<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n')],
  ['blocks of one file', `FILE: src/a.py\n${filled('<<<<<<< SEARCH\none\n=======\none\n>>>>>>> REPLACE\n')}`],
  ['middles', `FILE: src/a.py\n<<<<<<< SEARCH\n${filled('=======\n')}>>>>>>> REPLACE`],
  ['fences', filled('```\n')],
  ['stars', filled('**`')],
  ['newlines', filled('\n')],
  ['spaces', filled(' ')],
  ['moves', filled('MOVE: a -> b -> c\n')],
  ['removals', filled('DELETE: src/a.py\n')],
  ['thoughts', filled('<think>\n')],
  ['one line', `FILE: ${filled('a/')}\n<<<<<<< SEARCH`],
])('a mebibyte of %s is read and judged in bounded time', async (_, said) => {
  const begun = performance.now();
  const { edits, faults } = readAnswer(said);
  const changes = await changesFor(edits, view, { isInside: isSeen, isSeen });
  if (!Array.isArray(changes)) tellFaults(faults, changes.faults, NOTHING);
  judgeFailure({ status: 400, headers: {}, text: said, errno: null }, { model: 'm', host: 'h', now: 1 });
  expect(performance.now() - begun).toBeLessThan(60_000);
});
