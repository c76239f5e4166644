import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseStat } from '../../lib/process/proc.ts';
import {
  backend,
  createToken,
  listProcesses,
  origin,
  type ProcessInfo,
  probe,
} from '../../lib/process/system.ts';
import { endAll, eventually, kill, makeFolder, pidIn, program, start } from './rig.ts';

const onLinux = process.platform === 'linux';
const backends = onLinux ? (['linux', 'portable'] as const) : (['portable'] as const);

async function seen(pid: number): Promise<ProcessInfo> {
  const info = await probe(pid);
  if (info === 'gone' || info === 'unknown') throw new Error(`pid ${pid} is ${info}`);
  return info;
}

afterEach(endAll);

describe.each(backends)('the %s backend', (kind) => {
  beforeEach(() => {
    if (kind === 'portable') process.env['ORCH_PROCESS_BACKEND'] = 'portable';
  });

  it('is the one in use', () => {
    expect(backend()).toBe(kind);
  });

  it('tells who a process is', async () => {
    const before = Date.now() / 1_000;
    const child = await start('sleep', ['61.25'], { detached: true });
    const after = Date.now() / 1_000;
    const info = await seen(child.pid);
    expect(info).toMatchObject({
      pid: child.pid,
      ppid: process.pid,
      pgrp: child.pid,
      session: child.pid,
      hasTerminal: false,
      zombie: false,
      stopped: false,
      uid: process.getuid?.(),
      command: 'sleep 61.25',
    });
    expect(info.startedAt).toBeGreaterThan(before - 3);
    expect(info.startedAt).toBeLessThan(after + 3);
    const { cwd, environ, ...rest } = info;
    const listed = (await listProcesses({ detail: true })).find(({ pid }) => pid === child.pid);
    expect(listed).toMatchObject({ ...rest, startedAt: expect.closeTo(info.startedAt, 0) });
  });

  it('lists itself', async () => {
    expect((await listProcesses()).map(({ pid }) => pid)).toContain(process.pid);
  });

  it('takes the dead for gone, and what cannot be a pid too', async () => {
    const child = await start('sleep', ['60']);
    await kill(child.pid);
    for (const pid of [child.pid, 0, -1, 1.5, Number.NaN, 2 ** 40]) expect(await probe(pid)).toBe('gone');
  });

  it('takes a zombie for gone, though kill(pid, 0) says it lives', async () => {
    const file = join(makeFolder(), 'pid');
    await start('sh', [program('leaves-zombie.sh'), file]);
    const zombie = await pidIn(file);
    await eventually('a zombie', async () => (await probe(zombie)) === 'gone');
    expect(process.kill(zombie, 0)).toBe(true);
    const listed = (await listProcesses()).find(({ pid }) => pid === zombie);
    expect(listed?.zombie).toBe(true);
  });

  it.runIf(onLinux)('takes a process that lost its first thread alone for alive', async () => {
    const file = join(makeFolder(), 'pid');
    await start('python3', [program('loses-first-thread.py'), file]);
    const pid = await pidIn(file);
    await eventually('state Z', async () => {
      const text = await import('node:fs').then(({ readFileSync }) =>
        readFileSync(`/proc/${pid}/stat`, 'utf8'),
      );
      return parseStat(text).state === 'Z';
    });
    expect((await seen(pid)).zombie).toBe(false);
  });

  it('sees a stop', async () => {
    const child = await start('sleep', ['60']);
    process.kill(child.pid, 'SIGSTOP');
    await eventually('stopped', async () => (await seen(child.pid)).stopped);
  });

  it('sees a terminal', async () => {
    const file = join(makeFolder(), 'pid');
    await start('python3', [program('sits-at-terminal.py'), file], { stdio: ['pipe', 'ignore', 'ignore'] });
    const shell = await pidIn(file);
    expect((await seen(shell)).hasTerminal).toBe(true);
  });

  it('says where it is, always the same', async () => {
    const here = await origin();
    expect(await origin()).toEqual(here);
    for (const text of Object.values(here)) expect(text).not.toBe('');
  });
});

describe.runIf(onLinux)('/proc', () => {
  it('shows only the ORCH_ variables, and the cwd', async () => {
    const cwd = makeFolder();
    const env = { PATH: process.env['PATH'], ORCH_ROOT: '/r=x y', SECRET: 'ORCH_NOT=1', ORCH_TOKEN: 't' };
    const child = await start('sleep', ['60'], { cwd, env });
    expect(await seen(child.pid)).toMatchObject({ environ: { ORCH_ROOT: '/r=x y', ORCH_TOKEN: 't' }, cwd });
  });

  it('hides the cwd of another mount namespace, where the path is another folder', async () => {
    const cwd = makeFolder();
    const child = await start('unshare', ['--mount', 'sleep', '60'], { cwd });
    await eventually('sleep', async () => (await seen(child.pid)).command === 'sleep 60');
    expect((await seen(child.pid)).cwd).toBeNull();
  });

  it('takes the number of a thread for no process', async () => {
    const { readdirSync } = await import('node:fs');
    const thread =
      readdirSync('/proc/self/task')
        .map(Number)
        .find((tid) => tid !== process.pid) ?? 0;
    expect(process.kill(thread, 0)).toBe(true);
    expect(await probe(thread)).toBe('gone');
  });

  it('parses hostile names', () => {
    const text =
      '7 (a) b (c)) S 1 2 3 0 -1 4194304 100 0 0 0 5 6 0 0 20 0 1 0 99517 3133440 380 18446744073709551615';
    expect(parseStat(text)).toMatchObject({
      pid: 7,
      name: 'a) b (c)',
      state: 'S',
      ppid: 1,
      session: 3,
      cpuTicks: 11,
    });
    expect(parseStat(text)).toMatchObject({ threads: 1, startTime: 99517, residentPages: 380 });
    expect(() => parseStat('7 (sleep) S 1')).toThrow(/stat line/);
  });
});

it('makes tokens of 128 bits that differ', () => {
  expect(createToken()).toMatch(/^[0-9a-f]{32}$/);
  expect(createToken()).not.toBe(createToken());
});
