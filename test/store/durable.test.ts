import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { errnoOf } from '../../lib/errors.ts';
import { recordPath, STATE_FOLDERS } from '../../lib/protocol/layout.ts';
import { writeDurably } from '../../lib/store/durable.ts';
import { recordHistory } from '../../lib/store/events.ts';
import { appendLine, readOwnFile } from '../../lib/store/open.ts';
import { changeRecord, createRecord, leaseOf, readRecord } from '../../lib/store/records.ts';
import { plainRecord } from '../protocol/arbitraries.ts';
import { endAll, makeFolder, runProgram } from './run-program.ts';

afterEach(endAll);

describe('writeDurably', () => {
  it('writes and replaces, readable by its owner alone, and leaves nothing beside', async () => {
    const folder = makeFolder();
    const path = join(folder, 'a.json');
    writeFileSync(path, 'old', { mode: 0o644 });
    chmodSync(path, 0o644);
    await writeDurably(path, 'new é\n');
    expect(readFileSync(path, 'utf8')).toBe('new é\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await writeDurably(join(folder, 'b.json'), '');
    expect(readdirSync(folder)).toEqual(['a.json', 'b.json']);
  });

  it.each(['there', 'nowhere'])('does not write through a link to %s', async (target) => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'there'), 'precious');
    symlinkSync(join(folder, target), join(folder, 'a.json'));
    await expect(writeDurably(join(folder, 'a.json'), 'x')).rejects.toMatchObject({ code: 'UNSAFE_FOLDER' });
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('precious');
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
    expect(lstatSync(join(folder, 'a.json')).isSymbolicLink()).toBe(true);
  });

  it('says IO where the folder is missing, a file, or a folder is in the way', async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'taken'));
    for (const path of ['missing/a.json', 'file/a.json', 'taken']) {
      await expect(writeDurably(join(folder, path), 'x'), path).rejects.toMatchObject({ code: 'IO' });
    }
    expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
  });

  it('shows a reader the old text or the new one, also when the writer is killed', async () => {
    const path = join(makeFolder(), 'a.json');
    for (let round = 0; round < 2; round += 1) {
      const writer = runProgram('write', [path]);
      await writer.line();
      for (let look = 0; look < 200; look += 1) {
        const text = readFileSync(path, 'utf8');
        expect(text).toHaveLength(3001);
        expect(new Set(text.trim()).size).toBe(1);
      }
      writer.signal('SIGKILL');
      await writer.ended;
      expect(new Set(readFileSync(path, 'utf8').trim()).size).toBe(1);
    }
  });
});

describe('on a full disk', () => {
  it('says DISK_FULL, keeps the old text and goes on once there is room', async ({ skip }) => {
    const root = makeFolder();
    const unmount = mountSmallDisk(root);
    if (unmount === null) {
      console.warn('SKIPPED: cannot mount a tmpfs here (not root?): the full disk was not tested');
      return skip('cannot mount a tmpfs here');
    }
    try {
      for (const name of STATE_FOLDERS) mkdirSync(join(root, name), { mode: 0o700 });
      const actor = { role: 'test', pid: process.pid };
      const record = plainRecord({ status: 'running', pid: 1, identity: IDENTITY });
      expect(await createRecord(root, actor, record)).toMatchObject({ ok: true });
      const before = readFileSync(recordPath(root, 'WS-001'), 'utf8');
      writeFileSync(join(root, 'larger'), 'old');
      fill(join(root, 'filler'));
      // Room for some of it: a short write must not pass for the whole.
      truncateSync(join(root, 'filler'), statSync(join(root, 'filler')).size - 2 * 4096);
      await expect(writeDurably(join(root, 'larger'), 'x'.repeat(20_000))).rejects.toMatchObject({
        code: 'DISK_FULL',
      });
      expect(readFileSync(join(root, 'larger'), 'utf8')).toBe('old');
      fill(join(root, 'filler'));

      const event = { type: 'progress', patch: { progress: '1/1' } } as const;
      const change = () => changeRecord(root, 'WS-001', leaseOf(record), 'worker', actor, event);
      await expect(change()).rejects.toMatchObject({ code: 'DISK_FULL', hint: expect.any(String) });
      await expect(writeDurably(join(root, 'new'), 'x'.repeat(20_000))).rejects.toMatchObject({
        code: 'DISK_FULL',
      });
      expect(() => appendLine(join(root, 'lines'), 'x'.repeat(20_000))).toThrowError(
        expect.objectContaining({ code: 'DISK_FULL' }),
      );
      expect(() => recordHistory(root, 'WS-001', { tool: 'x'.repeat(20_000) })).not.toThrow();
      expect(readFileSync(recordPath(root, 'WS-001'), 'utf8')).toBe(before);
      expect(readdirSync(join(root, '.status')).filter((name) => name.startsWith('WS-001.json'))).toEqual([
        'WS-001.json',
      ]);

      rmSync(join(root, 'filler'));
      expect(await change()).toMatchObject({ ok: true });
      expect(readRecord(root, 'WS-001')).toMatchObject({ kind: 'record', record: { progress: '1/1' } });
    } finally {
      unmount();
    }
  });
});

describe('readOwnFile', () => {
  it('is null only where nothing is', () => {
    const folder = makeFolder();
    expect(readOwnFile(join(folder, 'missing'))).toBeNull();
    expect(readOwnFile(join(folder, 'missing', 'deeper'))).toBeNull();
    writeFileSync(join(folder, 'empty'), '');
    expect(readOwnFile(join(folder, 'empty'))).toMatchObject({ text: '' });
    expect(() => readOwnFile(join(folder, 'empty', 'below'))).toThrowError(
      expect.objectContaining({ code: 'IO' }),
    );
  });

  it('neither waits on a pipe nor follows a link', () => {
    const folder = makeFolder();
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    symlinkSync('/etc/passwd', join(folder, 'link'));
    for (const name of ['pipe', 'link', '.']) {
      expect(() => readOwnFile(join(folder, name)), name).toThrowError(
        expect.objectContaining({ code: 'UNSAFE_FOLDER' }),
      );
    }
    expect(() => appendLine(join(folder, 'pipe'), 'x')).toThrowError(expect.objectContaining({ code: 'IO' }));
    expect(() => appendLine(join(folder, 'link'), 'x')).toThrowError(expect.objectContaining({ code: 'IO' }));
  });
});

const IDENTITY = { host: 'h', boot_id: 'b', pid_namespace: 'n', start_time: 1, session: null, token: 't' };

function mountSmallDisk(path: string): (() => void) | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'orch-test', path], { stdio: 'ignore' });
  } catch (error) {
    // No such program, or no right to mount: both end up here, with no errno of their own.
    if (errnoOf(error) === 'ENOENT' || (error as { status?: number }).status !== 0) return null;
    throw error;
  }
  return () => void execFileSync('umount', [path]);
}

function fill(path: string): void {
  const block = Buffer.alloc(4096);
  try {
    for (;;) writeFileSync(path, block, { flag: 'a' });
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  }
}
