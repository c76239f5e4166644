import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { json } from '../rig/ledger.ts';
import { type Rig, until } from '../rig/repository.ts';
import { type Case, type Row, refuseAll, untouched, works } from './table.ts';

/** Disks that are full or read-only, and another user's folders: for those who may mount and chown. */

/** True if this user may mount a small disk of its own. */
export function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const place = mkdtempSync(join(tmpdir(), 'orch-mount-'));
  const tried = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place]);
  if (tried.status === 0) execFileSync('umount', [place]);
  rmSync(place, { recursive: true });
  return tried.status === 0;
}

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

/** `.status` on a disk of 256 KiB, full and read-only in turn. */
export async function disks(rig: Rig): Promise<Row[]> {
  const status = join(rig.root, '.status');
  mkdirSync(status, { mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', status]);
  try {
    return await onDisk(rig, status);
  } finally {
    // Lazily: an orchestrator may still watch it.
    execFileSync('umount', ['--lazy', status]);
  }
}

async function onDisk(rig: Rig, status: string): Promise<Row[]> {
  const remount = (how: 'ro' | 'rw'): void => void execFileSync('mount', ['-o', `remount,${how}`, status]);
  const fault = (what: string, code: string, ...args: string[]): Case => ({ what, args, exit: 70, code });
  const rows: Row[] = [];
  fill(status);
  rows.push(...(await untouched(rig, () => refuseAll(rig, [fault('a full disk', 'DISK_FULL', 'launch')]))));
  rmSync(join(status, 'ballast'));
  remount('ro');
  rows.push(...(await untouched(rig, () => refuseAll(rig, [fault('a read-only .status', 'IO', 'launch')]))));
  remount('rw');
  rows.push(await works(rig, { what: 'there is room again', args: ['launch'] }));
  expect((await rig.orch(['wait'])).code).toBe(0);
  expect(rig.status('A')).toBe('completed');
  await until(() => rig.processes().length === 0, { what: 'the orchestrator to resign' });
  const gone = spawnSync('true').pid;
  rig.write('.status/F.json', '{"status": "running"}');
  rig.write('.pids/F.pid', `${gone}\n`);
  remount('ro');
  const cases = [
    fault('a read-only .status', 'IO', 'retry', 'A', '--fresh'),
    fault('a read-only .status', 'IO', 'reap'),
  ];
  rows.push(...(await untouched(rig, () => refuseAll(rig, cases))));
  rows.push(await works(rig, { what: 'a read-only .status', args: ['status'] }, 'It only reads.'));
  rows.push(await works(rig, { what: 'a read-only .status', args: ['reap', '--dry-run'] }, 'It only reads.'));
  remount('rw');
  fill(status);
  const full = [
    fault('a full disk', 'DISK_FULL', 'reap'),
    fault('a full disk', 'DISK_FULL', 'stop', '--all'),
  ];
  rows.push(...(await untouched(rig, () => refuseAll(rig, full))));
  rmSync(join(status, 'ballast'));
  const reaped = await rig.orch(['reap', '--json']);
  expect(json<{ actions: object[] }>(reaped).actions).toMatchObject([
    { workstream: 'F', target: 'crashed' },
    {},
  ]);
  return rows;
}

/** Folders and repositories of another user. */
export async function strangers(rig: Rig): Promise<Row[]> {
  const STRANGER = 12_345;
  mkdirSync(join(rig.root, '.status'));
  chownSync(join(rig.root, '.status'), STRANGER, STRANGER);
  const rows = await untouched(rig, () =>
    refuseAll(rig, [{ what: 'another user’s .status', args: ['launch'], exit: 2, code: 'UNSAFE_FOLDER' }]),
  );
  const other = join(rig.aside, 'other');
  mkdirSync(other);
  rig.git('init', '--quiet', other);
  writeFileSync(join(other, 'orch.plan.json'), '[]');
  for (const path of [other, join(other, '.git')]) chownSync(path, STRANGER, STRANGER);
  const args = ['launch', '--root', other];
  return [
    ...rows,
    ...(await refuseAll(rig, [
      { what: 'another user’s repository', args, exit: 2, code: 'NOT_A_REPOSITORY' },
    ])),
  ];
}
