import { afterEach, describe, expect, it } from 'vitest';
import { listProcesses } from '../../lib/process/system.ts';
import { cpuSecondsOf, usageOf } from '../../lib/process/usage.ts';
import { endAll, eventually, kill, program, start, track } from './rig.ts';

afterEach(endAll);

const MEGABYTE = 1_000_000;

async function startBurner(seconds: number): Promise<{ pid: number; child: number }> {
  const burner = await start(process.execPath, [program('burns-cpu.mjs'), String(seconds)], {
    detached: true,
  });
  const child = await eventually('its child', async () => {
    const all = await listProcesses();
    // Between fork and exec it is as large as its parent, and has its words.
    return all.find(({ ppid, command }) => ppid === burner.pid && command.includes(' -e '))?.pid ?? null;
  });
  return { pid: burner.pid, child: await track(child) };
}

describe.runIf(process.platform === 'linux')('usageOf on Linux', () => {
  it('sums the tree, and sees that it became idle', async () => {
    const { pid } = await startBurner(2);
    const busy = await eventually('a busy tree', async () => {
      const usage = (await usageOf([pid])).get(pid);
      return usage !== undefined && usage.cpuPercent > 10 && usage;
    });
    expect(busy.memoryBytes).toBeGreaterThan(30 * MEGABYTE);
    await eventually('an idle tree', async () => ((await usageOf([pid])).get(pid)?.cpuPercent ?? 100) < 5);
  });

  it('agrees with node on the size of a page', async () => {
    const usage = (await usageOf([process.pid])).get(process.pid);
    expect(usage?.memoryBytes).toBeGreaterThan(process.memoryUsage.rss() * 0.8);
  });

  it('keeps trees of two roots apart', async () => {
    const { pid, child } = await startBurner(0);
    await eventually(
      'a child in full size',
      async () => ((await usageOf([child])).get(child)?.memoryBytes ?? 0) > 30 * MEGABYTE,
    );
    const alone = (await usageOf([pid])).get(pid)?.memoryBytes ?? 0;
    const both = await usageOf([pid, child]);
    const parts = [both.get(pid)?.memoryBytes ?? 0, both.get(child)?.memoryBytes ?? 0];
    for (const part of parts) expect(part).toBeGreaterThan(10 * MEGABYTE);
    expect(Math.abs(alone - parts.reduce((sum, part) => sum + part)) / alone).toBeLessThan(0.3);
  });
});

describe.each(['linux', 'portable'])('on the %s backend', (kind) => {
  it('leaves out the dead', async () => {
    if (kind === 'portable') process.env['ORCH_PROCESS_BACKEND'] = 'portable';
    const [dead, living] = [await start('sleep', ['60']), await start('sleep', ['60'])];
    await kill(dead.pid);
    expect([...(await usageOf([dead.pid, living.pid])).keys()]).toEqual([living.pid]);
    expect((await usageOf([living.pid])).get(living.pid)?.memoryBytes).toBeGreaterThan(0);
    expect(await usageOf([dead.pid])).toEqual(new Map());
    expect(await usageOf([])).toEqual(new Map());
    expect(await cpuSecondsOf([dead.pid])).toBe(0);
  });

  it('counts CPU seconds', async () => {
    if (kind === 'portable') process.env['ORCH_PROCESS_BACKEND'] = 'portable';
    const { child } = await startBurner(60);
    await eventually('CPU time', async () => (await cpuSecondsOf([child])) >= 0.5);
  });
});
