import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { errPath, eventsPath, logLockPath, outPath } from '../../lib/protocol/layout.ts';
import { DEFAULT_LOG_LIMITS } from '../../lib/protocol/log-parts.ts';
import { findLeftovers, removeLeftover } from '../../lib/store/leftovers.ts';
import { takeLock } from '../../lib/store/lock.ts';
import { logEntries, logFilesOf, surplusParts } from '../../lib/store/log-folder.ts';
import { endAll, makeRoot } from './run-program.ts';

afterEach(endAll);

function put(path: string, size: number, ageSeconds = 0): void {
  writeFileSync(path, 'x'.repeat(size));
  const at = Date.now() / 1000 - ageSeconds;
  utimesSync(path, at, at);
}

describe('the bound of all logs together', () => {
  const names = (
    root: string,
    totalBytes: number,
    isAtWork: (id: string) => boolean = () => false,
  ): string[] =>
    surplusParts(logEntries(root), { ...DEFAULT_LOG_LIMITS, totalBytes }, isAtWork).map(({ name }) => name);

  function furnished(): string {
    const root = makeRoot();
    put(outPath(root, 'a'), 100);
    put(`${outPath(root, 'a')}.0-100`, 100, 30);
    put(`${errPath(root, 'a')}.0-100`, 100, 50);
    put(`${outPath(root, 'b')}.0-100`, 100, 40);
    put(`${eventsPath(root)}.0-100`, 100, 90);
    return root;
  }

  it('takes the oldest parts first, and no more than it must', () => {
    const root = furnished();
    expect(names(root, 500)).toEqual([]);
    expect(names(root, 499)).toEqual(['a.err.0-100']);
    expect(names(root, 300)).toEqual(['a.err.0-100', 'b.log.0-100']);
  });

  it('takes nothing of what is at work, no log itself, and no audit trail', () => {
    const root = furnished();
    expect(names(root, 0, (id) => id === 'a')).toEqual(['b.log.0-100']);
    expect(names(root, 0)).toEqual(['a.err.0-100', 'b.log.0-100', 'a.log.0-100']);
  });
});

it('knows all files of the logs of one workstream, and none of another of a like name', () => {
  const root = makeRoot();
  const mine = ['a.log', 'a.err', 'a.log.0-5', 'a.err.3-9.new', 'a.log.copying'];
  const others = ['a.b.log', 'a.log.log', 'a.log.0-5.log', 'b.log.0-5', '_orchestrator.log', 'a.log.txt'];
  for (const name of [...mine, ...others]) put(join(dirname(outPath(root, 'a')), name), 1);
  expect(
    logFilesOf(root, 'a')
      .map((path) => path.split('/').at(-1))
      .sort(),
  ).toEqual(mine.sort());
});

it('finds a copy that was cut off, and leaves one that somebody is at', async () => {
  const root = makeRoot();
  const copy = `${outPath(root, 'a')}.copying`;
  put(copy, 5);
  const left = await findLeftovers(root);
  expect(left).toEqual([{ path: copy, kind: 'copy', why: 'a rotation was interrupted' }]);
  const release = await takeLock(logLockPath(root, 'a'), { boundMs: 0 });
  const [first] = left;
  if (first === undefined) throw new Error('nothing was found');
  expect(await removeLeftover(root, first)).toBe(false);
  await release();
  expect(await removeLeftover(root, first)).toBe(true);
  expect(existsSync(copy)).toBe(false);
  expect(readdirSync(dirname(copy)).filter((name) => name.startsWith('a.'))).toEqual([]);
});
