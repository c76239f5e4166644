import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { killKin, signalVerified } from '../../lib/process/kill.ts';
import { findKin, type Kin, type WorkerTrace } from '../../lib/process/kin.ts';
import { probe } from '../../lib/process/system.ts';
import { endAll, eventually, isGone, kill, makeFolder, pidIn, program, start, startWorker } from './rig.ts';

afterEach(endAll);

async function startTimeOf(pid: number): Promise<number> {
  const info = await probe(pid);
  if (info === 'gone' || info === 'unknown') throw new Error(`pid ${pid} is ${info}`);
  return info.startTime;
}

const orphansOf = (root: string, traces: readonly WorkerTrace[]) => async (): Promise<Kin[]> =>
  (await findKin(root, traces)).kin.filter(({ ofLiveWorker }) => !ofLiveWorker);

const ZOO = [
  'ignores-sigterm.sh',
  'forks-grandchild.sh',
  'escapes-session.sh',
  'clears-environment.sh',
  'hides.sh',
];

describe.each(['linux', 'portable'])('signalVerified on the %s backend', (kind) => {
  it('signals the one it means, and no stranger with its number', async () => {
    if (kind === 'portable') process.env['ORCH_PROCESS_BACKEND'] = 'portable';
    const child = await start('sleep', ['60']);
    const startTime = await startTimeOf(child.pid);
    expect(await signalVerified(child.pid, startTime - 100, 'SIGKILL')).toBe('gone');
    expect(await probe(child.pid)).toMatchObject({ pid: child.pid });
    expect(await signalVerified(child.pid, startTime, 'SIGKILL')).toBe('sent');
    await eventually('its end', () => isGone(child.pid));
    expect(await signalVerified(child.pid, startTime, 'SIGKILL')).toBe('gone');
  });

  it('refuses init, itself, groups and everybody', async () => {
    if (kind === 'portable') process.env['ORCH_PROCESS_BACKEND'] = 'portable';
    const startTime = await startTimeOf(process.pid);
    for (const pid of [process.pid, 1, 0, -1, -process.pid, Number.NaN, 2 ** 32]) {
      expect(await signalVerified(pid, startTime, 'SIGCONT')).toBe('refused');
    }
  });
});

describe.runIf(process.platform === 'linux')('killKin', () => {
  // Not `clears-environment`: in a session of a tool that is gone, in another folder, nothing tells whose it is.
  it('ends the zoo of a dead worker, and leaves a living one and strangers alone', async () => {
    const root = makeFolder();
    const dead = await startWorker(root, 'A', ZOO, { TOOL_SESSIONS: '1' });
    const living = await startWorker(root, 'B', ['escapes-session.sh', 'hides.sh']);
    const stranger = await start('sh', [program('stranger.sh'), join(root, 'stranger')], { detached: true });
    await kill(dead.pid);
    const traces = [dead.trace, living.trace];
    const { 'clears-environment.sh': _, ...found } = Object.fromEntries(dead.tools);
    // A tool that is still in exec is not proven by its folder; found after the grace, it would see no SIGTERM.
    await eventually('all of them', async () => {
      const seen = new Set((await orphansOf(root, traces)()).map(({ pid }) => pid));
      return Object.values(found).every((pid) => seen.has(pid));
    });
    const signals: string[] = [];
    const { killed, left } = await killKin(orphansOf(root, traces), {
      graceMs: 300,
      boundMs: 20_000,
      onSignal: (kin, signal) => {
        signals.push(`${kin.pid} ${signal}`);
      },
    });
    expect(left).toEqual([]);
    for (const pid of Object.values(found)) expect(await isGone(pid)).toBe(true);
    expect(killed.map(({ pid }) => pid)).toEqual(expect.arrayContaining(Object.values(found)));
    expect(signals).toContain(`${dead.tools.get('ignores-sigterm.sh')} SIGKILL`);
    for (const pid of Object.values(found)) expect(signals).toContain(`${pid} SIGTERM`);
    for (const pid of [living.pid, ...living.tools.values(), stranger.pid])
      expect(await isGone(pid)).toBe(false);
  });

  it('ends a process that cleared its environment and left the folder, in the session', async () => {
    const root = makeFolder();
    const { pid, tools, trace } = await startWorker(root, 'A', ['clears-environment.sh']);
    await kill(pid);
    const { killed } = await killKin(orphansOf(root, [trace]), { graceMs: 1_000, boundMs: 20_000 });
    expect(killed.map((kin) => kin.pid)).toEqual([tools.get('clears-environment.sh')]);
  });

  it('ends at once without a grace', async () => {
    const root = makeFolder();
    const { pid, trace } = await startWorker(root, 'A', ['ignores-sigterm.sh', 'forks-grandchild.sh']);
    await kill(pid);
    const signals = new Set<string>();
    const note = (_: Kin, signal: string): void => {
      signals.add(signal);
    };
    const { killed } = await killKin(orphansOf(root, [trace]), {
      graceMs: 0,
      boundMs: 20_000,
      onSignal: note,
    });
    expect(killed).toHaveLength(2);
    expect([...signals]).toEqual(['SIGSTOP', 'SIGKILL']);
  });

  it('lets a stopped process see its SIGTERM', async () => {
    const root = makeFolder();
    const file = join(root, 'seen');
    const script = `trap 'echo yes > ${file}; exit' TERM; echo up > ${file}.up; while :; do sleep 0.05; done`;
    const child = await start('sh', ['-c', script], { detached: true });
    await eventually('its trap', () => existsSync(`${file}.up`));
    process.kill(child.pid, 'SIGSTOP');
    const kin: Kin = {
      pid: child.pid,
      startTime: await startTimeOf(child.pid),
      command: 'sh',
      workstream: 'A',
      token: null,
      proof: 'marker',
      ofLiveWorker: false,
    };
    const { killed } = await killKin(async () => [kin], { graceMs: 20_000, boundMs: 1_000 });
    expect(killed).toEqual([kin]);
    expect(existsSync(file)).toBe(true);
  });

  it('ends what a dying parent leaves without any proof of its own', async () => {
    const root = makeFolder();
    const file = join(root, 'child');
    // The child is found by descent alone, which ends with its parent.
    const script = `setsid env -i sh -c 'cd /; trap "" TERM; echo $$ > ${file}; exec sleep 60' & wait`;
    const { pid, trace, env } = await startWorker(root, 'A', []);
    await kill(pid);
    const parent = await start('sh', ['-c', script], { detached: true, env });
    const child = await pidIn(file);
    const { killed, left } = await killKin(orphansOf(root, [trace]), { graceMs: 100, boundMs: 20_000 });
    expect(left).toEqual([]);
    expect(killed.map((kin) => kin.pid)).toEqual(expect.arrayContaining([parent.pid, child]));
  });

  it('gives nobody up whom it has not killed, however long it stood still itself', async () => {
    const root = makeFolder();
    const { pid, tools, trace } = await startWorker(root, 'A', ['ignores-sigterm.sh']);
    await kill(pid);
    const orphans = orphansOf(root, [trace]);
    let looks = 0;
    const select = async (): Promise<Kin[]> => {
      looks += 1;
      // Past the grace and the bound, before the first SIGKILL.
      if (looks === 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
      return orphans();
    };
    const { killed, left } = await killKin(select, { graceMs: 300, boundMs: 300 });
    expect(left).toEqual([]);
    expect(killed.map((kin) => kin.pid)).toEqual([tools.get('ignores-sigterm.sh')]);
  });

  it('reports who would not end, within the bound', async () => {
    // Init cannot be signalled: it stands for whatever survives SIGKILL.
    const kin = {
      pid: 1,
      startTime: await startTimeOf(1),
      command: 'init',
      workstream: 'A',
      token: null,
    } as const;
    const select = async (): Promise<Kin[]> => [{ ...kin, proof: 'marker', ofLiveWorker: false }];
    const { killed, left } = await killKin(select, { graceMs: 0, boundMs: 300 });
    expect(killed).toEqual([]);
    expect(left.map(({ pid }) => pid)).toEqual([1]);
  });

  it('finishes even if nobody can be told', async () => {
    const root = makeFolder();
    const { pid, tools, trace } = await startWorker(root, 'A', ['ignores-sigterm.sh']);
    await kill(pid);
    const onSignal = (): void => writeFileSync('/proc/none', '');
    const done = killKin(orphansOf(root, [trace]), { graceMs: 50, boundMs: 20_000, onSignal });
    await expect(done).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await isGone(tools.get('ignores-sigterm.sh') ?? 0)).toBe(true);
  });
});
