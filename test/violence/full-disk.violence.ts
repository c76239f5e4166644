import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { lockHolder, takeLock } from '../../lib/store/lock.ts';
import { type Finished, isAlive, type Rig, signal, until } from '../rig/repository.ts';
import { rigOf } from '../rig/rigs.ts';

/** `.status` on a small disk of its own: full, and read-only. Needs the right to mount one. */

const out = mkdtempSync(join(tmpdir(), 'orch-out-'));
const mounted: string[] = [];
const canMount = mayMount();
if (!canMount)
  process.stderr.write('SKIPPED: full-disk.violence.ts needs to mount a tmpfs, which this user may not\n');

afterEach(() => {
  // Lazily: what still has a file open there is ended by the rig right after.
  for (const folder of mounted.splice(0)) execFileSync('umount', ['--lazy', folder]);
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const place = mkdtempSync(join(tmpdir(), 'orch-mount-'));
  const tried = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place]);
  if (tried.status === 0) execFileSync('umount', [place]);
  rmSync(place, { recursive: true });
  return tried.status === 0;
}

function mountStatus(rig: Rig, size: string): string {
  const folder = join(rig.root, '.status');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  mount(folder, size);
  return folder;
}

function mount(folder: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', folder]);
  mounted.push(folder);
}

const remount = (folder: string, how: 'ro' | 'rw'): void =>
  void execFileSync('mount', ['-o', `remount,${how}`, folder]);

function isRemounted(folder: string, how: 'ro' | 'rw'): boolean {
  return spawnSync('mount', ['-o', `remount,${how}`, folder], { stdio: 'ignore' }).status === 0;
}

/** Takes the last free block. */
function fill(folder: string): void {
  const descriptor = openSync(join(folder, 'ballast'), 'a');
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(4096));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  } finally {
    closeSync(descriptor);
  }
}

const free = (folder: string): void => rmSync(join(folder, 'ballast'));
const errorOf = ({ stderr }: Finished): string =>
  (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { error: { code: string } }).error.code;
const noted = (file: string): string[] => {
  const path = join(out, file);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};
const gate = (file: string): string => `until test -f ${join(out, file)}; do sleep 0.05; done`;
const open = (file: string): void => writeFileSync(join(out, file), '');

const planOf = (name: string) => [
  {
    id: 'A',
    tasks: [
      { run: `echo one >> ${join(out, name)}; echo 1 > one.txt` },
      { run: `echo two >> ${join(out, name)}; ${gate(`${name}-go`)}; echo 2 > two.txt` },
      { run: `echo three >> ${join(out, name)}; echo 3 > three.txt` },
    ],
    acceptance_tests: [{ run: `echo tested >> ${join(out, name)}` }],
  },
  { id: 'B', depends_on: ['A'], tasks: [{ run: 'test -f three.txt' }] },
];

/** Every record that is there can be read. */
function expectWholeRecords(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.json'))
      expect(() => JSON.parse(readFileSync(join(folder, name), 'utf8')), name).not.toThrow();
  }
}

/** Waits until the worker of A has noted the session of its second task: it writes nothing more while that waits. */
async function untilSecond(rig: Rig, name: string): Promise<void> {
  await until(() => noted(name).includes('two'), { what: 'the second task to begin' });
  // The command of the first task has ended.
  const isNoted = (): boolean =>
    isAlive((rig.record('A')['tool_session'] as { pid: number } | null)?.pid ?? 0);
  await until(isNoted, { what: 'the second task to be noted' });
}

const childrenOf = (pid: number): number =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).length;

const files = (rig: Rig, id: string): string[] =>
  rig
    .git('ls-tree', '--name-only', `orch/${id}`)
    .trim()
    .split('\n')
    .filter((name) => name.endsWith('.txt'))
    .sort();

describe.skipIf(!canMount)('a disk that is full', () => {
  it('refuses a launch, with its reason, and takes it once there is room', { timeout: 60_000 }, async () => {
    const rig = rigOf(planOf('full-launch'));
    const folder = mountStatus(rig, '256k');
    fill(folder);
    const refused = await rig.orch(['launch', '--json']);
    expect([refused.code, refused.stdout, errorOf(refused)]).toEqual([70, '', 'DISK_FULL']);
    expect([noted('full-launch'), rig.processes()]).toEqual([[], []]);
    free(folder);
    open('full-launch-go');
    expect((await rig.orch(['launch'])).code).toBe(0);
    const waited = await rig.orch(['wait', '--timeout', '50s']);
    expect([waited.code, waited.stderr]).toEqual([0, '']);
    expect(noted('full-launch')).toEqual(['one', 'two', 'three', 'tested']);
  });

  it('costs no work of a live worker', { timeout: 90_000 }, async () => {
    const rig = rigOf(planOf('full-live'));
    const folder = mountStatus(rig, '256k');
    expect((await rig.orch(['launch'])).code).toBe(0);
    await untilSecond(rig, 'full-live');
    const worker = rig.pid('A');
    fill(folder);
    open('full-live-go');
    // It cannot tell anybody, and goes on to its last word. Filled again and again: a record that was just being
    // written frees a block when it takes the place of the old one.
    const isTested = (): boolean => {
      fill(folder);
      return noted('full-live').includes('tested');
    };
    await until(isTested, { what: 'the acceptance test' });
    await until(() => childrenOf(worker) === 0, { what: 'the tools to end' });
    const status = await rig.orch(['status', '--json']);
    expect(status.code).toBe(0);
    expectWholeRecords(folder);
    expect(isAlive(worker)).toBe(true);
    free(folder);
    const reattached = await rig.orch(['reattach']);
    expect([reattached.code, rig.status('A'), rig.status('B')]).toEqual([0, 'completed', 'completed']);
    // What it could not tell then, it has told since.
    expect(rig.record('A')).toMatchObject({ attempt: 1, progress: '3/3', reason: null });
    expect(rig.record('A')['tool_runs']).toMatchObject([{ task: 1 }, { task: 2 }, { task: 3 }]);
    expect(rig.record('A')['checks']).toMatchObject([{ passed: true }]);
    expect(noted('full-live')).toEqual(['one', 'two', 'three', 'tested']);
    expect(files(rig, 'B')).toEqual(['one.txt', 'three.txt', 'two.txt']);
  });

  it('loses nothing if all die meanwhile', { timeout: 90_000 }, async () => {
    const rig = rigOf(planOf('full-dead'));
    const folder = mountStatus(rig, '256k');
    expect((await rig.orch(['launch'])).code).toBe(0);
    await untilSecond(rig, 'full-dead');
    fill(folder);
    const pids = [rig.pid('_orchestrator'), rig.pid('A')];
    for (const pid of pids) signal(pid, 'SIGKILL');
    await until(() => !pids.some(isAlive), { what: 'both to be gone' });
    fill(folder);
    const reattached = await rig.orch(['reattach', '--once', '--json']);
    expect([reattached.code, errorOf(reattached)]).toEqual([70, 'DISK_FULL']);
    expectWholeRecords(folder);
    free(folder);
    open('full-dead-go');
    expect((await rig.orch(['reattach'])).code).toBe(0);
    expect([rig.status('A'), rig.record('A')['attempt'], rig.status('B')]).toEqual([
      'completed',
      2,
      'completed',
    ]);
    // The first task had its checkpoint, the second was cut off.
    expect(noted('full-dead')).toEqual(['one', 'two', 'two', 'three', 'tested']);
    expect(files(rig, 'B')).toEqual(['one.txt', 'three.txt', 'two.txt']);
  });
});

describe.skipIf(!canMount)('a disk that is read-only', () => {
  it('keeps no lock for ever that could not be released meanwhile', { timeout: 30_000 }, async () => {
    const folder = mkdtempSync(join(out, 'locks-'));
    mount(folder, '256k');
    const path = join(folder, 'a.lock');
    const release = await takeLock(path, { boundMs: 0 });
    remount(folder, 'ro');
    await release();
    await expect(takeLock(path, { boundMs: 0 })).rejects.toMatchObject({ code: 'IO' });
    remount(folder, 'rw');
    expect(lockHolder(path)).toMatchObject({ pid: process.pid });
    const again = await takeLock(path, { boundMs: 0 });
    // This one is held in earnest.
    await expect(takeLock(path, { boundMs: 0 })).rejects.toMatchObject({ code: 'LOCK_HELD' });
    await again();
    expect(lockHolder(path)).toBe('free');
  });

  it('is told, and costs no work', { timeout: 90_000 }, async () => {
    const rig = rigOf(planOf('read-only'));
    const folder = mountStatus(rig, '1m');
    remount(folder, 'ro');
    const refused = await rig.orch(['launch', '--json']);
    expect([refused.code === 0, refused.stdout, noted('read-only'), rig.processes()]).toEqual([
      false,
      '',
      [],
      [],
    ]);
    expect(['IO', 'UNSAFE_FOLDER']).toContain(errorOf(refused));
    remount(folder, 'rw');
    expect((await rig.orch(['launch'])).code).toBe(0);
    await untilSecond(rig, 'read-only');
    const worker = rig.pid('A');
    // Busy while somebody writes.
    await until(() => isRemounted(folder, 'ro'), { what: 'a moment without a writer' });
    open('read-only-go');
    await until(() => noted('read-only').includes('tested'), { what: 'the acceptance test' });
    expect((await rig.orch(['status', '--json'])).code).toBe(0);
    const reaped = await rig.orch(['reap', '--dry-run', '--json']);
    expect(reaped.code).toBe(0);
    expect(isAlive(worker)).toBe(true);
    remount(folder, 'rw');
    expect((await rig.orch(['reattach'])).code).toBe(0);
    expect([rig.status('A'), rig.record('A')['attempt'], rig.status('B')]).toEqual([
      'completed',
      1,
      'completed',
    ]);
    expect(noted('read-only')).toEqual(['one', 'two', 'three', 'tested']);
    expect(files(rig, 'B')).toEqual(['one.txt', 'three.txt', 'two.txt']);
  });
});
