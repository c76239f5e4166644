import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { renderStatus, type Screen } from '../../lib/cli/render.ts';
import { harmless } from '../../lib/cli/render-log.ts';
import { readEnvFile } from '../../lib/config/env-file.ts';
import { readConfig } from '../../lib/config/read.ts';
import { OrchError } from '../../lib/errors.ts';
import { checkpointMessage, readTrailers } from '../../lib/git/trailers.ts';
import type { StatusList } from '../../lib/orchestrate/poll.ts';
import { formatFault } from '../../lib/plan/fault.ts';
import { parseJson } from '../../lib/plan/json.ts';
import { parseBlocks } from '../../lib/plan/markdown.ts';
import { pathFault } from '../../lib/plan/paths.ts';
import { readPlan } from '../../lib/plan/read.ts';
import { parseYaml } from '../../lib/plan/yaml.ts';
import { encodeRecord } from '../../lib/protocol/encode.ts';
import { isFrozenPlan } from '../../lib/protocol/frozen-plan.ts';
import { isId } from '../../lib/protocol/ids.ts';
import { recordPath, STATE_FOLDERS } from '../../lib/protocol/layout.ts';
import { parseRecord } from '../../lib/protocol/parse.ts';
import { DEFAULT_OPTIONS } from '../../lib/protocol/plan.ts';
import { scopeMatcher } from '../../lib/protocol/scope.ts';
import { escapeControls, jsonLine } from '../../lib/protocol/text.ts';
import { readHeartbeat, readPid, readStop } from '../../lib/store/signs.ts';
import { folderWith } from '../plan/scratch.ts';
import { anyRecord } from '../protocol/arbitraries.ts';
import { BYTES, JSON_VALUES, jsonValue, spoil, spoiled, TEXTS, text } from './corpora.ts';
import { boundMs, runs } from './runs.ts';

/** Pure readers meet what somebody with bad intent may write. No reader throws anything but a coded error. */

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]/;
/** Texts on which a reader that goes back and forth takes hours; at their largest that orch reads. */
const MIB = 1024 * 1024;
const filled = (piece: string, bytes: number): string => piece.repeat(Math.floor(bytes / piece.length));
const SECOND = 1_000;
/** Generous: the machine may be busy with forty other things, and a hang takes hours. */
const HANG_MS = 60 * SECOND;
const PROPERTIES = 9;

afterEach(() => {
  // Object.prototype has what it always had, and nothing else.
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

const content = fc.oneof(
  fc.constantFrom(...BYTES).map((bytes) => bytes.toString('utf8')),
  fc.constantFrom(...JSON_VALUES),
  text,
);

/** A screen as wide as a terminal, and a pipe. */
const SCREENS: Screen[] = [
  { width: 80, color: false },
  { width: null, color: false },
];

test(
  'any record is one, or a foreign one, or unreadable with its place; what was read can be written',
  () => {
    fc.assert(
      fc.property(
        anyRecord,
        fc.array(spoil, { minLength: 1, maxLength: 3 }),
        content,
        (sound, spoils, other) => {
          for (const written of [spoiled(sound, spoils), other]) {
            const parsed = parseRecord(written);
            if (parsed.kind === 'unreadable') expect(parsed.line).toBeGreaterThan(0);
            if (parsed.kind !== 'record') continue;
            try {
              expect(parseRecord(encodeRecord(parsed.record)).kind).toBe('record');
            } catch (error) {
              expect(error).toBeInstanceOf(OrchError);
              expect(error).toMatchObject({ code: 'RECORD_TOO_LARGE' });
            }
          }
        },
      ),
      runs(400, PROPERTIES),
    );
  },
  boundMs(60_000),
);

test('a record without finite numbers, or whose commits are options, is none', () => {
  const sound = { ...fc.sample(anyRecord, { numRuns: 1, seed: 7 })[0] };
  const withField = (name: string, json: string): string =>
    JSON.stringify({ ...sound, [name]: '@' }).replace(`"${name}":"@"`, `"${name}":${json}`);
  for (const [name, json] of [
    ['last_update', '1e999'],
    ['attempt', '1e300'],
    ['restarts', '-1'],
    ['launcher', '{"pid": 1, "start_time": 1e999}'],
    ['base', '"--output=/tmp/x"'],
    ['base', '"HEAD"'],
  ] as const) {
    expect([name, parseRecord(withField(name, json)).kind]).toEqual([name, 'unreadable']);
  }
});

const workstream = {
  id: 'A',
  title: 'x',
  tasks: ['do it', { run: 'true' }],
  steps: [{ id: 's', tasks: ['x'], acceptance_tests: ['npm test'] }],
  files_scope: ['src/**'],
  acceptance_tests: [{ run: 'true' }, 'it works'],
  env: { A: 'b' },
  setup: ['true'],
  copy: ['.env'],
  priority: 1,
  timeout: '5m',
  metadata: { priority: 'high' },
};

test(
  'any plan is sound or has coded faults without control characters; a sound one can be frozen',
  async () => {
    const root = await folderWith({});
    await fc.assert(
      fc.asyncProperty(
        fc.array(spoil, { minLength: 1, maxLength: 3 }),
        content,
        fc.constantFrom('a.json', 'a.yaml', 'a.md'),
        async (spoils, other, name) => {
          for (const written of [spoiled({ workstreams: [workstream] }, spoils), other]) {
            writeFileSync(join(root, name), written);
            const result = await readPlan(root, [name], { cwd: root });
            for (const fault of [...(result.ok ? [] : result.faults), ...result.warnings]) {
              for (const line of formatFault(fault).split('\n')) expect(line).not.toMatch(CONTROL);
            }
            if (!result.ok) expect(result.faults.length).toBeGreaterThan(0);
            else expect(isFrozenPlan(JSON.parse(JSON.stringify(frozen(result.workstreams))))).toBe(true);
          }
        },
      ),
      runs(400, PROPERTIES),
    );
    rmSync(root, { recursive: true });
  },
  boundMs(120_000),
);

const frozen = (workstreams: unknown[]): object => ({
  schema: 'orch.plan-frozen/1',
  run: 'r',
  created_at: 1,
  base: 'b'.repeat(40),
  mode: 'detached',
  options: DEFAULT_OPTIONS,
  workstreams,
});

test('a frozen plan whose ids are paths, or whose bounds are none, is none', () => {
  const task = { kind: 'run', run: 'true', digest: 'd', step: null, timeoutMs: null };
  const lists = { checks: [], files_scope: [], files_create: [], depends_on: [], setup: [], copy: [] };
  const rest = { env: {}, tool: null, priority: 1, timeoutMs: null, taskTimeoutMs: null };
  const one = { id: 'A', title: 't', tasks: [task], definition: 'd', source: 's', ...lists, ...rest };
  expect(isFrozenPlan(frozen([one]))).toBe(true);
  for (const bad of [
    { id: '../A' },
    { id: 1 },
    { env: null },
    { env: { A: 1 } },
    { tasks: [null] },
    { tasks: [{ ...task, run: 1 }] },
    { depends_on: ['../../x'] },
    { setup: [{}] },
    { timeoutMs: Number.POSITIVE_INFINITY },
    { priority: '1' },
    { anew: true },
    { anew: { seen: '1', fresh: true } },
    { anew: { seen: 1, fresh: 1 } },
  ]) {
    expect([bad, isFrozenPlan(frozen([{ ...one, ...bad }]))]).toEqual([bad, false]);
  }
  expect(isFrozenPlan(frozen([one, { ...one, id: 'a' }]))).toBe(false);
  expect(isFrozenPlan(frozen([{ ...one, anew: { seen: null, fresh: false } }]))).toBe(true);
  const lifting = (lifts: unknown) => isFrozenPlan({ ...frozen([one]), lifts });
  expect([lifting(null), lifting('1-2'), lifting(1)]).toEqual([true, true, false]);
});

test(
  'any config and any env_file is read or refused by code',
  async () => {
    const root = await folderWith({});
    const config = { max_parallel: 2, timeout: '1h', tool: ['aider'], env_file: '.env', require_env: ['A'] };
    await fc.assert(
      fc.asyncProperty(fc.array(spoil, { minLength: 1, maxLength: 3 }), content, async (spoils, other) => {
        for (const written of [spoiled(config, spoils), other]) {
          writeFileSync(join(root, 'orch.config.yaml'), written);
          const result = await readConfig(root, root);
          for (const fault of result.ok ? [] : result.faults) expect(fault.message).not.toMatch(CONTROL);
        }
        writeFileSync(join(root, '.env'), other);
        expect(['read', 'faulty']).toContain(readEnvFile(join(root, '.env')).kind);
      }),
      runs(200, PROPERTIES),
    );
    rmSync(root, { recursive: true });
  },
  boundMs(60_000),
);

test(
  'any PID file, heartbeat and stop request is a number in its bounds, or none',
  async () => {
    const root = await folderWith({});
    for (const name of STATE_FOLDERS) mkdirSync(join(root, name));
    const anything = fc.oneof(
      fc.constantFrom(...BYTES),
      text.map((one) => Buffer.from(one)),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          jsonValue.map((json) => Buffer.from(json)),
        ),
        (bytes) => {
          for (const file of ['.pids/A.pid', '.status/A.heartbeat', '.status/A.stop'])
            writeFileSync(join(root, file), bytes);
          const pid = readPid(join(root, '.pids/A.pid'))?.pid ?? 1;
          expect(Number.isSafeInteger(pid) && pid > 0 && pid < 10 ** 10).toBe(true);
          expect(Number.isFinite(readHeartbeat(root, 'A')?.awakeSeconds ?? 0)).toBe(true);
          // Whatever it says, a person put it there: it stops something, and never is overlooked.
          expect(readStop(root, 'A')).not.toBeNull();
        },
      ),
      runs(300, PROPERTIES),
    );
    rmSync(root, { recursive: true });
  },
  boundMs(60_000),
);

test(
  'an id is never a way out of its folder, nor an option, nor two things on one disk',
  () => {
    fc.assert(
      fc.property(text, (id) => {
        if (!isId(id)) return;
        expect(recordPath('/r', id)).toBe(`/r/.status/${id}.json`);
        expect(id).not.toMatch(/[/\\\u0000-\u001f]|^-|^\.|\.\./);
        expect(id).toMatch(/^[\u0021-\u007e]+$/);
      }),
      runs(500, PROPERTIES),
    );
    for (const bad of TEXTS.filter((one) => !/^(?:con|NUL|A|a|constructor|toString)$/.test(one)))
      expect([bad, isId(bad)]).toEqual([bad, false]);
  },
  boundMs(60_000),
);

test(
  'what is shown holds no control character, whatever it is made of',
  () => {
    const screenText = fc.oneof(text, jsonValue);
    fc.assert(
      fc.property(screenText, screenText, fc.constantFrom(...SCREENS), (one, other, screen) => {
        expect(escapeControls(one)).not.toMatch(CONTROL);
        expect(jsonLine({ [one]: other }).slice(0, -1)).not.toMatch(CONTROL);
        expect(JSON.parse(jsonLine([one]))).toEqual([one]);
        const shown = renderStatus(listOf(one, other), screen);
        expect(shown.replaceAll('\n', '')).not.toMatch(CONTROL);
      }),
      runs(100, PROPERTIES),
    );
  },
  boundMs(120_000),
);

test.each(['x ', 'é '])('a record of a mebibyte of "%s" is a few lines on a screen, and at once', (piece) => {
  const long = filled(piece, MIB);
  for (const screen of SCREENS) {
    const begun = performance.now();
    expect(renderStatus(listOf(long, long), screen).length).toBeLessThan(20_000);
    expect(performance.now() - begun).toBeLessThan(HANG_MS);
  }
});

function listOf(one: string, other: string): StatusList {
  const status = {
    workstream: 'A',
    status: one,
    verdict: 'unknown',
    alive: null,
    current_task: other,
    progress: one,
    last_update: 1e308,
    pid: 1,
    evidence: one,
    reason: { code: one, message: other, hint: one },
  };
  const faults = [{ code: 'io', message: other, hint: one }].filter(() => other.length < 10_000);
  const list = {
    root: '/r',
    at: 1,
    orchestrator: null,
    summary: { total: 1 },
    workstreams: [status],
    faults,
  };
  return list as unknown as StatusList;
}

test(
  'what a tool prints moves, hides and forges nothing on a terminal: of escapes only colours pass',
  () => {
    const ansi = fc.constantFrom(
      '\u001b]52;c;aGk=\u0007',
      '\u001b[2J',
      '\u001b[31m',
      '\u001b',
      '\u009b2J',
      '\r',
      '\b',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(ansi, text), { maxLength: 10 }), (parts) => {
        const shown = harmless(parts.join(''), true).replaceAll(/\u001b\[[\d;:]*m|\n|\t/g, '');
        expect(shown).not.toMatch(CONTROL);
        expect(harmless(parts.join(''), false)).not.toContain('\u001b');
      }),
      runs(500, PROPERTIES),
    );
  },
  boundMs(60_000),
);

test(
  'the trailers of a checkpoint are those that orch wrote, whatever its task says',
  () => {
    const fake = 'x\n\nOrch-Workstream: B\nOrch-Task: f\nOrch-Previous: none\nOrch-Base: b';
    fc.assert(
      fc.property(fc.oneof(text, fc.constant(fake)), (subject) => {
        const real = {
          workstream: 'A',
          run: 'r',
          attempt: 1,
          task: 'd',
          index: '1/1',
          previous: null,
          base: 'b',
        };
        expect(readTrailers(checkpointMessage(subject, real))).toEqual(real);
      }),
      runs(300, PROPERTIES),
    );
  },
  boundMs(60_000),
);

const bomb = (letters: string): string =>
  [...letters]
    .map((letter, at) => `${letter}: &${letter} [${`${at === 0 ? 'x' : `*${letters[at - 1]}`},`.repeat(9)}]`)
    .join('\n');
const merges = `a: &a {${Array.from({ length: 5_000 }, (_, at) => `k${at}: 1`).join(',')}}\nb: {<<: [${filled('*a,', 90_000)}*a]}`;

const YAML: Record<string, string> = {
  'brackets without end': filled('[', MIB),
  'objects without end': filled('{a: ', MIB),
  'lists in lists': filled('- ', MIB),
  'a bomb of aliases': bomb('abcdefghijklmn'),
  'a bomb of merge keys': merges,
  'tags without end': filled('!a ', MIB / 16),
  'anchors without end': filled('&a ', MIB / 16),
};
const MARKDOWN: Record<string, string> = {
  brackets: filled('[', MIB / 2),
  'links that do not end': filled('[a](', MIB / 2),
  images: filled('![', MIB / 2),
  definitions: filled('[a]: /u\n', MIB / 2),
  emphasis: filled('*a ', MIB / 16),
  quotes: filled('> ', MIB / 2),
  'lists in lists': filled('- - ', MIB / 2),
  'HTML without end': filled('<a ', MIB / 2),
  'a wide table': `|${filled('a|', MIB / 4)}\n|${filled('-|', MIB / 4)}\n`,
  backticks: Array.from({ length: 900 }, (_, at) => '`'.repeat(at)).join(' '),
};

test.each(Object.entries(YAML))(
  'YAML is refused or read in bounded time: %s',
  (_, written) => {
    const begun = performance.now();
    expect(parseYaml(written).ok).toBe(false);
    expect(performance.now() - begun).toBeLessThan(HANG_MS);
  },
  120_000,
);

test.each(Object.entries(MARKDOWN))(
  'Markdown is refused or read in bounded time: %s',
  (_, written) => {
    const begun = performance.now();
    parseBlocks(written);
    expect(performance.now() - begun).toBeLessThan(HANG_MS);
  },
  120_000,
);

test('JSON nested 100,000 deep is a fault, and so is a record', () => {
  for (const piece of ['[', '{"a":']) {
    expect(parseJson(filled(piece, 600_000)).ok).toBe(false);
    expect(parseRecord(filled(piece, 600_000)).kind).toBe('unreadable');
  }
});

test('a glob that would take hours on a name is refused', () => {
  for (const glob of ['*a'.repeat(60), '@(a|a|a)*'.repeat(20), '**a**a**a**a**a**a', '**/a/**/a/**/a/**/a'])
    expect([glob, pathFault(glob)]).toEqual([glob, expect.stringContaining('at most')]);
  for (const glob of [
    'src/**/*.{ts,tsx}',
    'packages/*/src/**/*_test.*',
    '**/*.test.*.ts',
    '+(a+)+b',
    '(a+)+b',
  ]) {
    expect([glob, pathFault(glob)]).toEqual([glob, null]);
    const begun = performance.now();
    scopeMatcher([glob])('a'.repeat(255));
    expect(performance.now() - begun).toBeLessThan(HANG_MS);
  }
});
