import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventsPath, logLockPath, logsLockPath, outPath } from '../../lib/protocol/layout.ts';
import { DEFAULT_LOG_LIMITS, partName, preparedName, readPartName } from '../../lib/protocol/log-parts.ts';
import { copyLog, logicalSize, logSpan, readEnd, readSince, tailStart } from '../../lib/store/log-files.ts';
import { givePartUp, moveAsideIfDue, rotateIfDue, settleIfCutOff } from '../../lib/store/rotate.ts';
import { endAll, makeRoot } from './run-program.ts';

afterEach(endAll);

const ID = 'a';
const limits = (maxBytes: number, keep = 3) => ({ ...DEFAULT_LOG_LIMITS, maxBytes, keep });
const rotate = (root: string, maxBytes: number, keep?: number) =>
  rotateIfDue(outPath(root, ID), logLockPath(root, ID), limits(maxBytes, keep));
const settle = (root: string) => settleIfCutOff(outPath(root, ID), logLockPath(root, ID));
const add = (root: string, text: string): void => appendFileSync(outPath(root, ID), text);
const besideLog = (root: string): string[] =>
  readdirSync(dirname(outPath(root, ID)))
    .filter((name) => name.startsWith('a.log.'))
    .sort();

/** All that can still be read from an offset on, and how much was missed on the way. */
async function readAll(
  root: string,
  start = 0,
  end: number | null = null,
): Promise<{ text: string; gone: number }> {
  const blocks: Buffer[] = [];
  let gone = 0;
  await copyLog(
    root,
    ID,
    'stdout',
    { start, end },
    {
      write: async (bytes) => void blocks.push(bytes),
      gone: async (count) => {
        gone += count;
      },
    },
  );
  return { text: Buffer.concat(blocks).toString(), gone };
}

/** Distinct lines, so that a byte that is lost or told twice shows. */
const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, at) => `line ${from + at}\n`).join('');

describe('names of parts', () => {
  it('say where the bytes lie, and are read back', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1e12 }),
        fc.integer({ min: 1, max: 1e12 }),
        fc.boolean(),
        (start, length, prepared) => {
          const name = (prepared ? preparedName : partName)('x.log.1-2.err', start, start + length);
          expect(readPartName(name)).toEqual({ log: 'x.log.1-2.err', start, end: start + length, prepared });
        },
      ),
    );
    for (const name of [
      'a.log',
      'a.log.1',
      'a.log.5-5',
      'a.log.5-4',
      'a.log.1-2.old',
      'a.txt.1-2',
      'a.log.-1-2',
    ])
      expect([name, readPartName(name)]).toEqual([name, null]);
  });
});

describe('a rotation', () => {
  it('moves what is there into a part, and offsets keep their meaning', async () => {
    const root = makeRoot();
    const first = lines(0, 200);
    add(root, first);
    expect(await rotate(root, 2200)).toEqual({ removed: [] });
    expect(besideLog(root)).toEqual([`a.log.0-${first.length}`]);
    expect(statSync(outPath(root, ID)).size).toBe(0);
    const second = lines(200, 10);
    add(root, second);
    expect(logicalSize(root, ID, 'stdout')).toBe(first.length + second.length);
    expect(logSpan(root, ID, 'stdout')).toEqual({ base: first.length, end: first.length + second.length });
    expect(await readAll(root)).toEqual({ text: first + second, gone: 0 });
    expect(await readAll(root, 5, 9)).toEqual({ text: first.slice(5, 9), gone: 0 });
    expect(readEnd(root, ID, 'stdout', 100)).toMatchObject({ from: first.length + second.length - 100 });
    expect(readEnd(root, ID, 'stdout', 100)?.bytes.toString()).toBe((first + second).slice(-100));
    expect(readEnd(root, 'b', 'stdout', 100)).toBe(null);
    const across = readSince(root, ID, 'stdout', first.length - 5, 10);
    expect([across.from, across.bytes.toString()]).toEqual([
      first.length - 5,
      first.slice(-5) + second.slice(0, 5),
    ]);
    // Too small yet.
    expect(await rotate(root, 2200)).toBe(null);
  });

  it('keeps so many parts; what is gone is told, and later offsets stay right', async () => {
    const root = makeRoot();
    let all = '';
    for (let round = 0; round < 6; round += 1) {
      const text = lines(round * 100, 100);
      all += text;
      add(root, text);
      const rotated = await rotate(root, 1000, 2);
      expect(rotated?.removed.length).toBe(round < 2 ? 0 : 1);
    }
    expect(besideLog(root)).toHaveLength(2);
    const { text, gone } = await readAll(root);
    expect(text.length + gone).toBe(all.length);
    expect(all.endsWith(text)).toBe(true);
    expect(logicalSize(root, ID, 'stdout')).toBe(all.length);
    expect(await readAll(root, 10, 20)).toEqual({ text: '', gone: 10 });
    // None at all, and yet the offsets go on.
    add(root, lines(600, 100));
    expect((await rotate(root, 1000, 0))?.removed).toHaveLength(3);
    all += lines(600, 100);
    add(root, 'tail\n');
    expect(logicalSize(root, ID, 'stdout')).toBe(all.length + 5);
    expect(await readAll(root)).toEqual({ text: 'tail\n', gone: all.length });
    expect(besideLog(root)).toHaveLength(1);
  });

  it('lets go of the oldest where more was written than a file may hold', async () => {
    const root = makeRoot();
    const text = lines(0, 2000);
    add(root, text);
    await rotate(root, 4000);
    const { text: kept, gone } = await readAll(root);
    expect(kept.length).toBe(3000);
    expect(text.endsWith(kept)).toBe(true);
    expect(kept.length + gone).toBe(text.length);
  });

  it('gives up a part without moving what comes after it', async () => {
    const root = makeRoot();
    for (const at of [0, 1]) {
      add(root, lines(at * 200, 200));
      await rotate(root, 2200);
    }
    add(root, 'tail\n');
    const size = logicalSize(root, ID, 'stdout');
    for (const name of besideLog(root)) givePartUp(join(dirname(outPath(root, ID)), name), outPath(root, ID));
    expect(besideLog(root)).toHaveLength(1);
    expect(logicalSize(root, ID, 'stdout')).toBe(size);
    expect(await readAll(root)).toEqual({ text: 'tail\n', gone: size - 5 });
  });

  it('is followed from the end over several parts, line by line', async () => {
    const root = makeRoot();
    let all = '';
    for (let round = 0; round < 3; round += 1) {
      const text = lines(round * 100, 100);
      all += text;
      add(root, text);
      await rotate(root, 1000);
    }
    add(root, lines(300, 5));
    all += lines(300, 5);
    for (const count of [0, 1, 5, 6, 105, 150, 304, 305, 1000]) {
      const start = tailStart(root, ID, 'stdout', { start: 0, end: all.length }, count);
      const expected = count === 0 ? '' : `${all.split('\n').slice(0, -1).slice(-count).join('\n')}\n`;
      expect([count, all.slice(start)]).toEqual([count, expected]);
    }
  });

  it('follows no link, waits on no pipe, and tells a folder', async () => {
    const root = makeRoot();
    writeFileSync(join(root, 'mine'), 'x'.repeat(5000));
    symlinkSync(join(root, 'mine'), outPath(root, ID));
    expect(await rotate(root, 1000)).toBe(null);
    expect(statSync(join(root, 'mine')).size).toBe(5000);
    rmSync(outPath(root, ID));
    mkdirSync(outPath(root, ID));
    expect(await rotate(root, 1000)).toBe(null);
    rmSync(outPath(root, ID), { recursive: true });
    // A part that is none.
    add(root, lines(0, 100));
    mkdirSync(`${outPath(root, ID)}.0-100`);
    symlinkSync(join(root, 'mine'), `${outPath(root, ID)}.100-200`);
    expect(await readAll(root)).toEqual({ text: lines(0, 100), gone: 0 });
    // And a link where the copy goes: it is replaced, never written through.
    symlinkSync(join(root, 'mine'), `${outPath(root, ID)}.copying`);
    await rotate(root, 1000);
    expect(statSync(join(root, 'mine')).size).toBe(5000);
  });

  it('of the audit trail renames it', async () => {
    const root = makeRoot();
    const path = eventsPath(root);
    const aside = () => moveAsideIfDue(path, logsLockPath(root), limits(1000, 2));
    for (let round = 0; round < 4; round += 1) {
      writeFileSync(path, 'x'.repeat(1000));
      expect((await aside())?.removed.length).toBe(round < 2 ? 0 : 1);
      expect(existsSync(path)).toBe(false);
    }
    expect(await aside()).toBe(null);
  });
});

describe('killed in the middle of a rotation', () => {
  const program = join(import.meta.dirname, 'programs/rotate.ts');
  const strike = async (root: string, place: string, what = 'kill') =>
    execa(process.execPath, ['--import', 'tsx', program, root, ID, '2200', '3'], {
      reject: false,
      env: { ORCH_FAILPOINT: `${place}:${what}` },
    });

  it.each(['copy', 'copied', 'prepared', 'cut', 'rotated'])(
    'at store.log.%s, no byte is lost or told twice',
    async (step) => {
      const root = makeRoot();
      const first = lines(0, 200);
      add(root, first);
      expect((await strike(root, `store.log.${step}`)).signal).toBe('SIGKILL');
      // As it lies there, by readers; and what tools go on to write.
      expect(await readAll(root)).toEqual({ text: first, gone: 0 });
      const second = lines(200, 50);
      add(root, second);
      expect(await readAll(root)).toEqual({ text: first + second, gone: 0 });
      expect(logicalSize(root, ID, 'stdout')).toBe((first + second).length);
      await settle(root);
      expect(await readAll(root)).toEqual({ text: first + second, gone: 0 });
      await rotate(root, 2200);
      add(root, 'tail\n');
      expect(await readAll(root)).toEqual({ text: `${first}${second}tail\n`, gone: 0 });
      expect(besideLog(root).every((name) => /^a\.log\.\d+-\d+$/.test(name))).toBe(true);
    },
  );

  it.each(['prepared', 'cut'])('at store.log.%s, and again while it is settled', async (step) => {
    const root = makeRoot();
    add(root, lines(0, 200));
    await strike(root, `store.log.${step}`);
    for (const place of ['store.log.settle', 'store.log.settled']) await strike(root, place);
    await settle(root);
    expect(await readAll(root)).toEqual({ text: lines(0, 200), gone: 0 });
  });

  it('costs readers one comparison, not one for each block', async () => {
    const root = makeRoot();
    const first = 'x'.repeat(99).concat('\n').repeat(160_000);
    add(root, first);
    await execa(process.execPath, ['--import', 'tsx', program, root, ID, '20000000', '3'], {
      reject: false,
      env: { ORCH_FAILPOINT: 'store.log.prepared:kill' },
    });
    const [waits, compared] = [vi.spyOn(Atomics, 'wait'), vi.spyOn(Buffer.prototype, 'compare')];
    await readAll(root);
    const calls = [waits, compared].map(({ mock }) => mock.calls.length);
    vi.restoreAllMocks();
    const blocks = Math.ceil(first.length / 65_536);
    expect(blocks).toBeGreaterThan(200);
    // Before: for each of them 16 MB were compared, a block at a time, and 12 ms were waited, each by one wait.
    expect(calls[0]).toBeLessThan(blocks);
    expect(calls[1]).toBeLessThan(3 * blocks);
    add(root, 'more\n');
    expect((await readAll(root)).text).toBe(`${first}more\n`);
    // Cut by hand, as its maker would have: the answer is another.
    truncateSync(outPath(root, ID), 0);
    add(root, 'after\n');
    expect((await readAll(root)).text).toBe(`${first}after\n`);
  });

  it('fails without harm, and can be tried again', async () => {
    for (const step of ['copy', 'copied', 'prepared', 'cut']) {
      const root = makeRoot();
      add(root, lines(0, 200));
      expect((await strike(root, `store.log.${step}`, 'error')).exitCode).not.toBe(0);
      expect([step, await readAll(root)]).toEqual([step, { text: lines(0, 200), gone: 0 }]);
      // On a full disk a half copy would take the room that the work needs.
      expect(besideLog(root).filter((name) => name.endsWith('.copying'))).toEqual([]);
      await settle(root);
      await rotate(root, 2200);
      expect([step, await readAll(root)]).toEqual([step, { text: lines(0, 200), gone: 0 }]);
    }
  });
});

it('reads the same bytes whatever is added, rotated and read in between', async () => {
  const step = fc.oneof(
    fc.record({ add: fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 300 }) }),
    fc.record({ rotate: fc.integer({ min: 50, max: 600 }) }),
    fc.record({ read: fc.nat({ max: 2000 }), length: fc.integer({ min: 1, max: 700 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const root = makeRoot();
      let all = '';
      for (const one of steps) {
        if ('add' in one) {
          add(root, one.add);
          all += one.add;
        } else if ('rotate' in one) await rotate(root, one.rotate, 2);
        else {
          const { from, bytes } = readSince(root, ID, 'stdout', one.read, one.length);
          expect(bytes.toString()).toBe(all.slice(from, from + bytes.length));
          expect(bytes.length).toBeLessThanOrEqual(one.length);
        }
        expect(logicalSize(root, ID, 'stdout')).toBe(all.length);
      }
    }),
    { numRuns: 60 },
  );
});

it('starts at the beginning of a log that somebody emptied', async () => {
  const root = makeRoot();
  add(root, lines(0, 10));
  truncateSync(outPath(root, ID), 0);
  add(root, 'anew\n');
  expect(logSpan(root, ID, 'stdout')).toEqual({ base: 0, end: 5 });
});
