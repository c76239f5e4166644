import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { isAlive, type Rig, signal, until } from '../rig/repository.ts';

/** What no command may touch: a tree beside the repository, its own files, and strangers' processes. */

export const SECRET = 'canary-secret-7b1d9e';

export type Canary = {
  /** Strangers: one at work outside, one that leads a session of its own. */
  pids: number[];
  /** Throws unless everything outside is byte by byte what it was, and the strangers live. */
  expectUntouched(): void;
  end(): Promise<void>;
};

/** Builds the tree in `rig.aside` and starts the strangers. */
export function makeCanary(rig: Rig): Canary {
  const at = (path: string): string => join(rig.aside, path);
  for (const folder of ['folder', 'empty', 'deep/er']) mkdirSync(at(folder), { recursive: true });
  const files = {
    secret: SECRET,
    'folder/secret.json': JSON.stringify({ status: 'running', title: SECRET }),
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(at(path), text);
  writeFileSync(at('deep/er/x.json.123'), SECRET);
  writeFileSync(at('1.pid'), '1\n');
  symlinkSync(at('secret'), at('link'));
  const before = treeOf(rig.aside);
  const children = [rig.aside, rig.root].map((cwd) =>
    spawn('sleep', ['3600'], { cwd, detached: true, stdio: 'ignore', env: { PATH: process.env['PATH'] } }),
  );
  const pids = children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  return {
    pids,
    expectUntouched() {
      expect(treeOf(rig.aside)).toEqual(before);
      for (const pid of pids) expect([pid, isAlive(pid)]).toEqual([pid, true]);
    },
    end: () => endAll(children),
  };
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  for (const { pid, exitCode, signalCode } of children) {
    if (pid === undefined || exitCode !== null || signalCode !== null) continue;
    signal(pid, 'SIGKILL');
    await until(() => !isAlive(pid), { what: `the canary ${pid} to end` });
  }
}

/** Kind, mode, size, time of change and content of everything under `folder`, that folder itself included. */
function treeOf(folder: string): Record<string, string> {
  const tree: Record<string, string> = {};
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
  for (const path of [folder, ...paths]) {
    const stats = lstatSync(path, { bigint: true });
    const isFile = stats.isFile();
    const content = isFile
      ? createHash('sha256').update(readFileSync(path)).digest('hex')
      : stats.isSymbolicLink()
        ? readlinkSync(path)
        : '';
    const facts = [stats.mode.toString(8), isFile ? stats.size : 0, stats.mtimeNs, content];
    tree[relative(folder, path)] = facts.join(' ');
  }
  return tree;
}
