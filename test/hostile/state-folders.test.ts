import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Finished, makeRepository, type Rig, until } from '../rig/repository.ts';
import { type Canary, makeCanary, SECRET } from './canary.ts';
import { boundMs, runs } from './runs.ts';
import { put, type Sound, type Thing, things } from './world.ts';

/** Every command of the built CLI meets state folders that were made up at random. */

const FOLDERS = ['.status', '.pids', '.logs', '.worktrees'];
const PLAN = [
  { id: 'A', tasks: [{ run: 'echo a > a.txt' }] },
  { id: 'B', tasks: [{ run: 'echo b > b.txt' }], depends_on: ['A'] },
];
const COMMANDS: string[][] = [
  ['status'],
  ['status', '--json'],
  ['plan'],
  ['launch', '--dry-run', '--json'],
  ['logs', 'A', '-n', '5'],
  ['logs', 'A', '--attempt', '1', '--json'],
  ['reap', '--dry-run'],
  ['reap', '--dry-run', '--json'],
  ['stop', 'A', '--grace', '1s'],
  ['wait', '--timeout', '1s', '--json'],
  ['reattach', '--once'],
  ['reap', '--older-than', '1s'],
  ['reattach', '--once', '--json'],
  ['status', '--json'],
];
/** A lock that nobody may break is waited for, 15 s at each of a few places: `reap` meets eight of them at the worst. */
const COMMAND_BOUND_MS = 300_000;

let rig: Rig;
let canary: Canary;
let sound: Sound;
let saved: string;

beforeAll(async () => {
  rig = makeRepository(PLAN);
  expect(await rig.orch(['launch'])).toMatchObject({ code: 0 });
  expect(await rig.orch(['wait'])).toMatchObject({ code: 0 });
  await until(() => rig.processes().length === 0, { what: 'the orchestrator to resign' });
  sound = soundOf(rig);
  saved = `${rig.root}.saved`;
  for (const name of FOLDERS) cpSync(join(rig.root, name), join(saved, name), { recursive: true });
  canary = makeCanary(rig);
}, 120_000);

afterAll(async () => {
  await canary.end();
  await rig.end();
  rmSync(saved, { recursive: true, force: true });
});

function soundOf({ root, record }: Rig): Sound {
  const text = (path: string): string => readFileSync(join(root, path), 'utf8');
  const dead = { ...record('B'), status: 'crashed', exit_code: null, ended_at: 1, reason: null };
  const running = { ...record('B'), status: 'running', exit_code: null, ended_at: null };
  return new Map<string, unknown>([
    ['.status/A.json', record('A')],
    ['.status/B.json', running],
    ['.status/a.json', dead],
    [
      '.status/foreign.json',
      { status: 'running', progress: '1/4', last_update: 1, reason: { message: 'x' } },
    ],
    ['.status/_plan.json', JSON.parse(text('.status/_plan.json'))],
    ['.status/_orchestrator.json', JSON.parse(text('.status/_orchestrator.json'))],
    ['.status/A.history.ndjson', text('.status/A.history.ndjson')],
    ['.status/A.stop', { run: record('A')['run'], attempt: 1, at: 1, by: 1 }],
    ['.status/_hold.json', { at: 1, by: 1 }],
    ['.pids/foreign.pid', '1'],
    ['.pids/A.pid', '1'],
  ]);
}

async function restore(): Promise<void> {
  for (const name of FOLDERS) rmSync(join(rig.root, name), { recursive: true, force: true });
  for (const name of FOLDERS) cpSync(join(saved, name), join(rig.root, name), { recursive: true });
}

/** Control characters but newlines: none may reach a terminal. `logs` through a pipe gives the bytes as they are. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

function expectSound(args: readonly string[], { code, stdout, stderr }: Finished): void {
  const shown = { args, code, stdout: stdout.slice(0, 3_000), stderr: stderr.slice(0, 3_000) };
  if (code === null || code > 4) throw new Error(`exit code ${code}: ${JSON.stringify(shown)}`);
  if (/^\s+at /m.test(stderr)) throw new Error(`a stack: ${JSON.stringify(shown)}`);
  const isRaw = args[0] === 'logs' && !args.includes('--json');
  const text = isRaw ? stderr : stdout + stderr;
  if (CONTROL.test(text)) throw new Error(`control characters: ${JSON.stringify(shown)}`);
  if (text.includes(SECRET)) throw new Error(`a text from outside: ${JSON.stringify(shown)}`);
  if (!args.includes('--json')) return;
  for (const line of stdout.split('\n')) if (line !== '') JSON.parse(line);
}

async function meets(rig: Rig, list: readonly Thing[]): Promise<void> {
  await restore();
  for (const one of list) await put(rig, sound, one);
  const before = rig.git('for-each-ref');
  for (const args of COMMANDS) {
    const bound = AbortSignal.timeout(COMMAND_BOUND_MS);
    const finished = await Promise.race([
      rig.orch(args),
      new Promise<never>((_, reject) => {
        bound.onabort = () => reject(new Error(`${args.join(' ')} hangs`));
      }),
    ]);
    expectSound(args, finished);
  }
  canary.expectUntouched();
  // They wait for such a lock too.
  await until(() => rig.processes().length === 0, {
    what: 'the workers to end',
    boundMs: COMMAND_BOUND_MS,
  });
  const isStarted = (ref: string): boolean => !before.includes(ref);
  for (const line of rig.git('for-each-ref').split('\n').filter(isStarted)) {
    expect(line).toMatch(/refs\/(?:heads\/orch|orch\/(?:checkpoint|salvage|base))\//);
  }
  expect(rig.git('status', '--porcelain')).toBe('');
  expect(readdirSync(rig.root).sort()).toEqual([...FOLDERS, '.git', 'README.md', 'orch.plan.json'].sort());
  for (const folder of ['.status', '.logs']) expectNoSecret(join(rig.root, folder));
}

/** What orch wrote holds nothing that it could only have from outside. */
function expectNoSecret(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && readFileSync(path, 'utf8').includes(SECRET))
      throw new Error(`${path} has a secret`);
  }
}

test(
  'whatever is in the state folders, commands end with a coded answer and touch nothing else',
  async () => {
    await fc.assert(
      fc.asyncProperty(things, async (list) => meets(rig, list)),
      { ...runs(10), endOnFailure: true },
    );
  },
  // Each list that holds such a lock takes minutes.
  boundMs(1_800_000),
);
