import { existsSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { spawnDetached, spawnGated } from '../../lib/process/spawn.ts';
import { probe } from '../../lib/process/system.ts';
import { bundle, endAll, eventually, isGone, kill, makeFolder, program, start, track } from './rig.ts';

let modules: Record<string, string> = {};
let built = '';

beforeAll(async () => {
  const { mkdtempSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  built = mkdtempSync(join(tmpdir(), 'orch-bundle-'));
  modules = await bundle(built, 'gate', 'spawn');
});
afterAll(() => rmSync(built, { recursive: true, force: true }));
afterEach(endAll);

type Gated = Parameters<typeof spawnGated>[0] & { state: string };

function options(mode: 'attached' | 'detached', script = 'gated.mjs'): Gated {
  const folder = makeFolder();
  const state = join(folder, 'state');
  const env = { PATH: process.env['PATH'], WATCH: mode === 'attached' ? '1' : '0' };
  const [outPath, errPath] = [join(folder, 'out'), join(folder, 'err')];
  const args = [modules['gate'] ?? '', state];
  return { script: program(script), args, cwd: folder, env, outPath, errPath, mode, state };
}

const stateOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

describe('spawnGated', () => {
  it('holds the child until its gate is opened', async () => {
    const { state, ...rest } = options('detached');
    const child = await spawnGated(rest);
    await track(child.pid);
    expect(await probe(child.pid)).toMatchObject({ session: child.pid, pgrp: child.pid, hasTerminal: false });
    // Asleep in its read: only then is an empty state a sign that the gate holds.
    await eventually(
      'the gate',
      () =>
        /\/gated\.mjs/.test(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')) && blocksOnStdin(child.pid),
    );
    expect(stateOf(state)).toBe('');
    await child.open();
    await eventually('its first word', () => stateOf(state) === 'passed /dev/null\n');
    await eventually(
      'its output',
      () => stateOf(rest.outPath) === 'out\n' && stateOf(rest.errPath) === 'err\n',
    );
    expect(statSync(rest.outPath).mode & 0o777).toBe(0o600);
    await kill(child.pid);
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it.each(['attached', 'detached'] as const)('ends an abandoned child that has not run, %s', async (mode) => {
    const { state, ...rest } = options(mode);
    const child = await spawnGated(rest);
    await track(child.pid);
    await child.abandon();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(stateOf(state)).toBe('');
    await expect(child.open()).rejects.toMatchObject({ code: 'SPAWN_FAILED' });
  });

  it('tells of a child that died before its gate was opened', async () => {
    const { state: _, ...rest } = options('detached', 'dies-before-ready.mjs');
    const child = await spawnGated(rest);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    await expect(child.open()).rejects.toMatchObject({ code: 'SPAWN_FAILED' });
  });

  it('appends to the logs, and follows no link', async () => {
    const { state, ...rest } = options('detached');
    for (let round = 1; round <= 2; round += 1) {
      const child = await spawnGated(rest);
      await track(child.pid);
      await child.open();
      await eventually('its output', () => stateOf(rest.outPath) === 'out\n'.repeat(round));
      await kill(child.pid);
    }
    expect(stateOf(state)).toBe('passed /dev/null\n'.repeat(2));
    const link = join(rest.cwd, 'link');
    symlinkSync(rest.outPath, link);
    await expect(spawnGated({ ...rest, errPath: link })).rejects.toMatchObject({ code: 'SPAWN_FAILED' });
  });

  it('fails with a code where no process can be made, and leaks no descriptor', async () => {
    const { state: _, ...rest } = options('detached');
    const { readdirSync } = await import('node:fs');
    const count = (): number => readdirSync('/proc/self/fd').length;
    await expect(spawnGated({ ...rest, cwd: join(rest.cwd, 'none') })).rejects.toMatchObject({
      code: 'SPAWN_FAILED',
    });
    const before = count();
    for (let round = 0; round < 3; round += 1) {
      await expect(spawnGated({ ...rest, cwd: join(rest.cwd, 'none') })).rejects.toMatchObject({
        code: 'SPAWN_FAILED',
      });
    }
    await eventually('as few descriptors as before', () => count() <= before);
  });
});

/** True if the main thread sleeps in a read of its fd 0. */
function blocksOnStdin(pid: number): boolean {
  return readFileSync(`/proc/${pid}/syscall`, 'utf8').startsWith('0 0x0 ');
}

async function launch(mode: 'attached' | 'detached', then: 'open' | 'wait' | 'exit') {
  const { state, ...rest } = options(mode);
  const launcher = await start(
    process.execPath,
    [program('launcher.mjs'), modules['spawn'] ?? '', JSON.stringify(rest), then],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    },
  );
  let printed = '';
  launcher.stdout?.on('data', (chunk) => {
    printed += chunk;
  });
  const pid = await track(
    await eventually('the pid of the child', () => printed.endsWith('\n') && Number(printed)),
  );
  return { state, launcher, pid };
}

describe('a launcher that dies', () => {
  it('before it opens the gate takes the child with it, which has not run', async () => {
    const { state, launcher, pid } = await launch('detached', 'wait');
    expect(await isGone(pid)).toBe(false);
    await kill(launcher.pid);
    await eventually('the end of the child', () => isGone(pid));
    expect(stateOf(state)).toBe('');
  });

  it.each([
    ['exit', null, false],
    ['SIGTERM', 'SIGTERM', false],
    ['SIGINT', 'SIGINT', false],
    ['SIGHUP', 'SIGHUP', false],
    ['SIGKILL', 'SIGKILL', false],
    ['SIGTERM to its group', 'SIGTERM', true],
    ['SIGINT to its group', 'SIGINT', true],
    ['SIGHUP to its group', 'SIGHUP', true],
    ['SIGKILL to its group', 'SIGKILL', true],
  ] as const)('by %s leaves a detached child alive', async (_how, signal, toGroup) => {
    const { state, launcher, pid } = await launch('detached', signal === null ? 'exit' : 'open');
    await eventually('its first word', () => stateOf(state) !== '');
    // The launcher leads the group that is meant; anything but its pid would be another's.
    if (signal !== null && launcher.pid > 1) process.kill(toGroup ? -launcher.pid : launcher.pid, signal);
    await eventually('the end of the launcher', () => isGone(launcher.pid));
    await eventually('a new parent', async () => {
      const info = await probe(pid);
      if (info === 'gone') throw new Error('the child died with its launcher');
      return info !== 'unknown' && info.ppid !== launcher.pid;
    });
    expect(stateOf(state)).toBe('passed /dev/null\n');
  });

  it('is noticed by an attached child', async () => {
    const { state, launcher, pid } = await launch('attached', 'open');
    await eventually('its first word', () => stateOf(state) !== '');
    expect(stateOf(state)).not.toContain('/dev/null');
    await kill(launcher.pid);
    await eventually('the loss', () => stateOf(state).endsWith('lost\n'));
    await eventually('the end of the child', () => isGone(pid));
  });
});

describe('spawnDetached', () => {
  it('starts a session of its own without a stdin', async () => {
    const { state: _, mode: __, ...rest } = options('detached', 'dies-before-ready.mjs');
    const { pid } = await spawnDetached({ ...rest, nodeFlags: ['--no-warnings'] });
    await eventually('its end', () => isGone(pid));
    const idle = await spawnDetached({ ...rest, script: program('worker.mjs') });
    await track(idle.pid);
    expect(await probe(idle.pid)).toMatchObject({ session: idle.pid, hasTerminal: false });
  });
});
