import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { identify } from '../../lib/process/identity.ts';
import { isFrozen } from '../../lib/process/system.ts';
import { clearDeadLock, lockHolder, takeLock, withLock } from '../../lib/store/lock.ts';
import { endAll, makeFolder, type Program, runProgram } from './run-program.ts';

afterEach(endAll);

async function holder(path: string): Promise<Program> {
  const program = runProgram('hold', [path, '0']);
  expect(await program.line()).toBe('held');
  return program;
}

/** The journal of `increment`: what each holder saw follows from what the one before did. */
function checkJournal(journal: string, counter: string): { ended: number; cut: number } {
  const lines = readFileSync(journal, 'utf8').trim().split('\n').filter(Boolean);
  let last = 0;
  let open: { pid: string; before: number } | null = null;
  let ended = 0;
  let cut = 0;
  for (const line of lines) {
    const [what, pid = '', number] = line.split(' ');
    if (what === 'begin') {
      if (open !== null) {
        // Killed in between: before its write or after it.
        expect([open.before, open.before + 1], line).toContain(Number(number));
        cut += 1;
      } else expect(Number(number), line).toBe(last);
      open = { pid, before: Number(number) };
    } else {
      expect(open, `${line}: somebody else was at it`).toEqual({ pid, before: Number(number) - 1 });
      last = Number(number);
      ended += 1;
      open = null;
    }
  }
  const now = Number(readFileSync(counter, 'utf8'));
  expect(open === null ? [last] : [open.before, open.before + 1]).toContain(now);
  return { ended, cut };
}

describe('withLock', () => {
  it('lets one process in at a time', async () => {
    const folder = makeFolder();
    const [lock, counter, journal] = ['a.lock', 'counter', 'journal'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(counter, '0'.padStart(12));
    writeFileSync(journal, '');
    const programs = Array.from({ length: 8 }, () => runProgram('increment', [lock, counter, journal, '25']));
    for (const program of programs) expect(await program.ended, program.stderr()).toBe(0);
    expect(Number(readFileSync(counter, 'utf8'))).toBe(200);
    expect(checkJournal(journal, counter)).toEqual({ ended: 200, cut: 0 });
    expect(readdirSync(folder).sort()).toEqual(['counter', 'journal']);
  });

  it('lets callers of one process in one after the other, and survives their failures', async () => {
    const path = join(makeFolder(), 'a.lock');
    const order: number[] = [];
    const turns = [1, 2, 3, 4].map((turn) =>
      withLock(path, async () => {
        order.push(turn);
        await new Promise((resolve) => setImmediate(resolve));
        if (turn === 2) throw new Error('two');
        order.push(turn);
      }),
    );
    const results = await Promise.allSettled(turns);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(order).toEqual([1, 1, 2, 3, 3, 4, 4]);
    expect(lockHolder(path)).toBe('free');
  });

  it('makes its folder where somebody deleted it, and gives errors a code', async () => {
    const folder = makeFolder();
    await (await takeLock(join(folder, 'deleted', 'a.lock'), { boundMs: 0 }))();
    writeFileSync(join(folder, 'file'), '');
    const refused = takeLock(join(folder, 'file', 'a.lock'), { boundMs: 0 });
    await expect(refused).rejects.toMatchObject({ code: 'IO' });
  });
});

describe('a lock whose holder was killed', () => {
  it('is broken at once, however young or old it is', async () => {
    for (const age of ['young', 'old']) {
      const path = join(makeFolder(), 'a.lock');
      const victim = await holder(path);
      expect(lockHolder(path)).toMatchObject({ pid: victim.pid });
      await expect(takeLock(path, { boundMs: 0 })).rejects.toMatchObject({ code: 'LOCK_HELD' });
      if (age === 'old') utimesSync(path, 0, 0);
      await expect(takeLock(path, { boundMs: 0 })).rejects.toMatchObject({ code: 'LOCK_HELD' });
      expect(await clearDeadLock(path)).toBe(false);
      victim.signal('SIGKILL');
      await victim.ended;
      const release = await takeLock(path, { boundMs: 0 });
      expect(lockHolder(path)).toMatchObject({ pid: process.pid });
      await release();
      expect(readdirSync(join(path, '..'))).toEqual([]);
    }
  });

  it('is broken while it is a zombie, too: nobody waited for it yet', async () => {
    const path = join(makeFolder(), 'a.lock');
    // The shell replaces itself by a sleep that never waits for its child. That ends with its stdin, which a shell
    // would take from it; by another number it gets the one of here, on which nothing ever comes.
    const { spawn } = await import('node:child_process');
    const program = join(import.meta.dirname, 'programs', 'hold.ts');
    const script = `exec 3<&0; '${process.execPath}' --import tsx '${program}' '${path}' 0 <&3 & exec sleep 120`;
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
    try {
      await expect.poll(() => lockHolder(path)).toMatchObject({ pid: expect.any(Number) });
      const held = lockHolder(path);
      if (typeof held === 'string') throw new Error(held);
      process.kill(held.pid, 'SIGKILL');
      await expect.poll(() => readFileSync(`/proc/${held.pid}/stat`, 'latin1')).toContain(') Z ');
      // Its other threads may take a moment longer to go; nobody waits for the process itself.
      await (await takeLock(path, { boundMs: 20_000 }))();
      expect(readFileSync(`/proc/${held.pid}/stat`, 'latin1')).toContain(') Z ');
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('is not broken for one that is only stopped, which works on when it is continued', async () => {
    const path = join(makeFolder(), 'a.lock');
    const program = await holder(path);
    program.signal('SIGSTOP');
    utimesSync(path, 0, 0);
    const begun = performance.now();
    const refusal = await takeLock(path, { boundMs: 300 }).catch((error: unknown) => error);
    const tookMs = performance.now() - begun;
    expect(refusal).toMatchObject({
      code: 'LOCK_HELD',
      message: expect.stringContaining(String(program.pid)),
    });
    expect(tookMs).toBeGreaterThan(250);
    // Less than the bound of `withLock`, and much more than a busy machine needs for a dozen looks.
    expect(tookMs).toBeLessThan(15_000);
    program.signal('SIGCONT');
    program.tell('release');
    expect(await program.line()).toBe('released');
    await (await takeLock(path, { boundMs: 0 }))();
  });

  it('goes with a holder that exits without a release, or is asked to end', async () => {
    for (const way of ['exit', 'SIGTERM'] as const) {
      const path = join(makeFolder(), 'a.lock');
      const program = await holder(path);
      if (way === 'exit') program.tell('exit');
      else program.signal('SIGTERM');
      await program.ended;
      expect(readdirSync(join(path, '..')), way).toEqual([]);
    }
  });

  it('is not the lock of a process that now has its number', async () => {
    const path = join(makeFolder(), 'a.lock');
    const mine = await identify(process.pid, '');
    if (mine === null) throw new Error('no identity');
    plant(path, [NONCE, process.pid, mine.start_time - 1, mine.boot_id, mine.pid_namespace, mine.host]);
    await (await takeLock(path, { boundMs: 0 }))();
  });

  it('is left alone where its holder cannot be seen from here', async () => {
    const mine = await identify(process.pid, '');
    if (mine === null) throw new Error('no identity');
    const { start_time, boot_id, pid_namespace, host } = mine;
    for (const parts of [
      [NONCE, 4_000_000, start_time, boot_id, pid_namespace, 'another-host'],
      [NONCE, 4_000_000, start_time, boot_id, 'pid:[1]', host],
    ]) {
      const path = join(makeFolder(), 'a.lock');
      plant(path, parts);
      await expect(takeLock(path, { boundMs: 0 })).rejects.toMatchObject({ code: 'LOCK_HELD' });
      expect(await clearDeadLock(path)).toBe(false);
      expect(readdirSync(path)).toHaveLength(1);
    }
  });
});

describe('a lock folder', () => {
  it('is free when it is empty: its holder was killed between two steps of the release', async () => {
    const path = join(makeFolder(), 'a.lock');
    mkdirSync(path);
    expect(lockHolder(path)).toBe('free');
    await (await takeLock(path, { boundMs: 0 }))();
    expect(lockHolder(path)).toBe('free');
  });

  it('that holds what is not ours is never broken', async () => {
    const mine = await identify(process.pid, '');
    if (mine === null) throw new Error('no identity');
    const { boot_id, pid_namespace, host } = mine;
    const encode = (parts: unknown[]): string =>
      parts.map((part) => encodeURIComponent(String(part))).join('~');
    const dead = encode([NONCE, 4_000_000, 1, boot_id, pid_namespace, host]);
    const garbage = [
      ['garbage'],
      ['%E0%A4%A'],
      ['%'],
      [encode(['short', 4_000_000, 1, boot_id, pid_namespace, host])],
      [encode([NONCE, 4_000_000, 'abc', boot_id, pid_namespace, host])],
      [encode([NONCE, 4_000_000, '', boot_id, pid_namespace, host])],
      [encode([NONCE, 0, 1, boot_id, pid_namespace, host])],
      [encode([NONCE, -1, 1, boot_id, pid_namespace, host])],
      [encode([NONCE, 4_000_000, 1, boot_id, pid_namespace])],
      [dead, 'garbage'],
    ];
    for (const names of garbage) {
      const path = join(makeFolder(), 'a.lock');
      mkdirSync(path);
      for (const name of names) writeFileSync(join(path, name), '');
      expect(lockHolder(path), names.join()).toBe('unknown');
      await expect(takeLock(path, { boundMs: 0 }), names.join()).rejects.toMatchObject({ code: 'LOCK_HELD' });
      expect(await clearDeadLock(path)).toBe(false);
      expect(readdirSync(path)).toContain(names.at(-1));
    }
  });

  it('that is a file or a link is nobody’s to break either', async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'file.lock'), 'precious');
    mkdirSync(join(folder, 'target'));
    writeFileSync(join(folder, 'target', 'precious'), '');
    symlinkSync(join(folder, 'target'), join(folder, 'link.lock'));
    for (const name of ['file.lock', 'link.lock']) {
      const path = join(folder, name);
      expect(lockHolder(path)).toBe('unknown');
      await expect(takeLock(path, { boundMs: 0 })).rejects.toMatchObject({ code: 'LOCK_HELD' });
    }
    expect(readdirSync(folder).sort()).toEqual(['file.lock', 'link.lock', 'target']);
    expect(readdirSync(join(folder, 'target'))).toEqual(['precious']);
  });
});

describe('a storm of kill -9', () => {
  it('never lets two in, never loses a count, and leaves a lock that can be taken', async () => {
    const folder = makeFolder();
    const [lock, counter, journal] = ['a.lock', 'counter', 'journal'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(counter, '0'.padStart(12));
    writeFileSync(journal, '');
    const start = (): Program => runProgram('increment', [lock, counter, journal, '100000']);
    const programs = Array.from({ length: 4 }, start);
    const ends = (): number => (readFileSync(journal, 'utf8').match(/^end /gm) ?? []).length;
    for (let kill = 0; kill < 14 || ends() <= 14; kill += 1) {
      const before = ends();
      await expect.poll(ends, { timeout: 60_000, interval: 1 + ((kill * 7) % 5) }).toBeGreaterThan(before);
      // Every other time whoever is inside, else somebody: at some point of taking, waiting or giving.
      const aimed = kill % 2 === 0 ? await stopInside(programs, journal) : kill % 4;
      const [victim] = programs.splice(aimed, 1);
      victim?.signal('SIGKILL');
      programs.push(start());
    }
    for (const program of programs) program.signal('SIGKILL');
    for (const program of programs) await program.ended;
    const { ended, cut } = checkJournal(journal, counter);
    expect(ended).toBeGreaterThan(14);
    expect(cut, 'no kill ever met a holder: the storm proved nothing').toBeGreaterThan(0);
    await (await takeLock(lock, { boundMs: 0 }))();
    expect(lockHolder(lock)).toBe('free');
  }, 120_000);
});

/**
 * Stops one of the programs while it is inside, at whatever point of it, and tells which. On a busy machine one that
 * was just seen there has mostly gone on until a signal comes: it stands still first, and is looked at again.
 */
async function stopInside(programs: readonly Program[], journal: string): Promise<number> {
  let inside = -1;
  const look = async (): Promise<boolean> => {
    inside = programs.findIndex(({ pid }) => pid === lastBegun(journal));
    const program = programs[inside];
    if (program === undefined) return false;
    program.signal('SIGSTOP');
    await expect.poll(() => isFrozen(program.pid), { interval: 1 }).toBe(true);
    if (lastBegun(journal) === program.pid) return true;
    program.signal('SIGCONT');
    return false;
  };
  await expect.poll(look, { timeout: 60_000, interval: 1 }).toBe(true);
  return inside;
}

function lastBegun(journal: string): number {
  const [what, pid] = (readFileSync(journal, 'utf8').trim().split('\n').at(-1) ?? '').split(' ');
  return what === 'begin' ? Number(pid) : 0;
}

const NONCE = '0123456789abcdef0123456789abcdef';

function plant(path: string, parts: readonly (string | number)[]): void {
  mkdirSync(path);
  writeFileSync(join(path, parts.map((part) => encodeURIComponent(part)).join('~')), '');
}
