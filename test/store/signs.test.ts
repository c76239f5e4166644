import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { heartbeatPath, holdPath, pidPath, STATE_FOLDERS, stopPath } from '../../lib/protocol/layout.ts';
import { hasState, makeFolders, refuseTracked } from '../../lib/store/folders.ts';
import {
  beat,
  isHeld,
  markOfHold,
  meansAttempt,
  readHeartbeat,
  readPid,
  readStop,
  removeFile,
  removePid,
  requestStop,
  writeHold,
  writePid,
} from '../../lib/store/signs.ts';
import { endAll, makeFolder, makeRoot } from './run-program.ts';

afterEach(endAll);

const ID = 'WS-001';
const lease = { run: 'run-1', attempt: 2, token: null };

describe('makeFolders', () => {
  it('makes each with 0700 and a .gitignore, and may be repeated', () => {
    const root = makeFolder();
    expect(hasState(root)).toBe(false);
    makeFolders(root);
    makeFolders(root);
    for (const name of STATE_FOLDERS) {
      expect(statSync(join(root, name)).mode & 0o777).toBe(0o700);
      expect(readFileSync(join(root, name, '.gitignore'), 'utf8')).toBe('*\n');
    }
    expect(hasState(root)).toBe(true);
  });

  it('closes a folder that others could read', () => {
    const root = makeFolder();
    mkdirSync(join(root, '.logs'));
    chmodSync(join(root, '.logs'), 0o777);
    makeFolders(root);
    expect(statSync(join(root, '.logs')).mode & 0o777).toBe(0o700);
  });

  it.each(STATE_FOLDERS)('refuses a link or a file in the place of %s', (name) => {
    for (const make of [
      (path: string) => symlinkSync('/tmp', path),
      (path: string) => symlinkSync('/nowhere', path),
      (path: string) => writeFileSync(path, 'precious'),
    ]) {
      const root = makeFolder();
      make(join(root, name));
      const before = lstatSync(join(root, name)).mode;
      expect(() => makeFolders(root)).toThrowError(expect.objectContaining({ code: 'UNSAFE_FOLDER' }));
      expect(lstatSync(join(root, name)).mode).toBe(before);
    }
    expect(lstatSync('/tmp').mode & 0o1000).toBe(0o1000);
  });

  it('refuses tracked files, but not its own', () => {
    expect(() => refuseTracked(['.status/.gitignore', '.worktrees/.gitignore'])).not.toThrow();
    for (const path of ['.status/a.json', '.logs/sub/.gitignore']) {
      expect(() => refuseTracked([path])).toThrowError(expect.objectContaining({ code: 'UNSAFE_FOLDER' }));
    }
  });
});

describe('a heartbeat', () => {
  it('tells when and how long awake', () => {
    const root = makeRoot();
    expect(readHeartbeat(root, ID)).toBeNull();
    beat(root, ID, 12.34);
    utimesSync(heartbeatPath(root, ID), 5, 5);
    beat(root, ID, 3);
    expect(readHeartbeat(root, ID)).toMatchObject({ awakeSeconds: 3 });
    expect(Math.abs((readHeartbeat(root, ID)?.mtimeMs ?? 0) - Date.now())).toBeLessThan(10_000);
  });

  it('that is empty, garbage or a pipe informs as far as it can', () => {
    const root = makeRoot();
    writeFileSync(heartbeatPath(root, ID), '');
    expect(readHeartbeat(root, ID)).toMatchObject({ awakeSeconds: 0 });
    writeFileSync(heartbeatPath(root, ID), 'now');
    expect(readHeartbeat(root, ID)).toMatchObject({ awakeSeconds: 0 });
    removeFile(heartbeatPath(root, ID));
    execFileSync('mkfifo', [heartbeatPath(root, ID)]);
    expect(readHeartbeat(root, ID)).toBeNull();
    expect(() => beat(root, ID, 1)).toThrow();
  });
});

describe('a stop request', () => {
  it('means its run and attempt alone', async () => {
    const root = makeRoot();
    expect(readStop(root, ID)).toBeNull();
    await requestStop(root, ID, lease);
    const stop = readStop(root, ID);
    expect(stop).toMatchObject({ run: 'run-1', attempt: 2, by: process.pid });
    expect(meansAttempt(stop, lease, null)).toBe(true);
    expect(meansAttempt(stop, { ...lease, attempt: 3 }, null)).toBe(false);
    expect(meansAttempt(stop, { ...lease, run: 'run-2' }, null)).toBe(false);
    expect(meansAttempt(null, lease, null)).toBe(false);
  });

  it.each(['', 'please', 'null', '[]', '{"attempt": "2"}'])(
    'with content %j means what began before it',
    (text) => {
      const root = makeRoot();
      writeFileSync(stopPath(root, ID), text);
      utimesSync(stopPath(root, ID), 1000, 1000);
      const stop = readStop(root, ID);
      expect(meansAttempt(stop, lease, 999)).toBe(true);
      expect(meansAttempt(stop, lease, 1001)).toBe(false);
      expect(meansAttempt(stop, lease, null)).toBe(true);
    },
  );

  it('that is no file is a request too, and stops nobody from looking', () => {
    for (const make of [
      (path: string) => void mkdirSync(path),
      (path: string) => void execFileSync('mkfifo', [path]),
      (path: string) => symlinkSync('/nowhere', path),
    ]) {
      const root = makeRoot();
      make(stopPath(root, ID));
      expect(meansAttempt(readStop(root, ID), lease, Date.now() / 1000 - 60)).toBe(true);
      expect(meansAttempt(readStop(root, ID), lease, Date.now() / 1000 + 60)).toBe(false);
    }
  });
});

describe('a PID file', () => {
  it('works for shells and goes only with its own PID', async () => {
    const root = makeRoot();
    await writePid(pidPath(root, ID), 4711);
    expect(readFileSync(pidPath(root, ID), 'utf8')).toBe('4711\n');
    removePid(root, ID, 4712);
    expect(readPid(pidPath(root, ID))).toMatchObject({ pid: 4711, mtimeMs: expect.any(Number) });
    removePid(root, ID, 4711);
    expect(readPid(pidPath(root, ID))).toBeNull();
  });

  it.each(['', '0', '-1', '1e3', '12 34', '0x10', '99999999999', '4711.5', 'pid'])(
    'that says %j names nobody',
    (text) => {
      const root = makeRoot();
      writeFileSync(pidPath(root, ID), text);
      expect(readPid(pidPath(root, ID))).toBeNull();
    },
  );

  it('that is a folder or a pipe names nobody', () => {
    const root = makeRoot();
    mkdirSync(pidPath(root, ID));
    execFileSync('mkfifo', [pidPath(root, 'WS-002')]);
    expect(readPid(pidPath(root, ID))).toBeNull();
    expect(readPid(pidPath(root, 'WS-002'))).toBeNull();
  });
});

describe('the hold', () => {
  it('holds while it is there, readable or not', async () => {
    const root = makeRoot();
    expect(isHeld(root, null)).toBe(false);
    await writeHold(root);
    expect(isHeld(root, null)).toBe(true);
    removeFile(holdPath(root));
    mkdirSync(holdPath(root));
    expect([markOfHold(root), isHeld(root, { lifts: null }), isHeld(root, {})]).toEqual([null, true, true]);
    expect(isHeld(join(root, 'nowhere'), null)).toBe(false);
  });

  it('that a launch lifts holds no more, although it is there; the next one does, whatever the clock says', async () => {
    const root = makeRoot();
    expect(markOfHold(root)).toBeNull();
    await writeHold(root);
    const lifts = markOfHold(root);
    expect(lifts).toEqual(expect.any(String));
    expect([isHeld(root, { lifts }), isHeld(root, { lifts: null }), isHeld(root, null)]).toEqual([
      false,
      true,
      true,
    ]);
    await writeHold(root);
    utimesSync(holdPath(root), 1, 1);
    expect(isHeld(root, { lifts })).toBe(true);
    // By hand, too.
    const other = markOfHold(root);
    utimesSync(holdPath(root), 2, 2);
    expect(isHeld(root, { lifts: other })).toBe(true);
  });
});
