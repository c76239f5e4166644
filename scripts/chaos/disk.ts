import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../lib/errors.ts';
import type { Action } from '../../lib/proof/chaos/action.ts';
import { later, type Stage } from '../../lib/proof/chaos/stage.ts';
import { count } from '../../lib/proof/chaos/tally.ts';
import { STATE_FOLDERS } from '../../lib/protocol/layout.ts';

/** A small disk for a round, and the action that fills it. The mounts are in a namespace of the round's own. */

const STATE_SIZE = '3m';
const WHOLE_SIZE = '48m';
const BLOCK = Buffer.alloc(64 * 1024);

const run = (file: string, ...args: string[]): void => void execFileSync(file, args, { stdio: 'ignore' });

/** Where a disk of the round can be filled. */
const fillers = new WeakMap<Stage, string>();

/** Status, PID files and logs on a disk of their own. */
export function mountState(stage: Stage): void {
  const disk = join(dirname(stage.shop.root), 'disk');
  mkdirSync(disk);
  run('mount', '-t', 'tmpfs', '-o', `size=${STATE_SIZE},mode=0700`, 'tmpfs', disk);
  for (const name of STATE_FOLDERS.slice(0, 3)) {
    for (const folder of [join(disk, name), join(stage.shop.root, name)]) mkdirSync(folder, { mode: 0o700 });
    run('mount', '--bind', join(disk, name), join(stage.shop.root, name));
    keepAfter(stage, join(stage.shop.root, name));
  }
  stage.cleanup.unshift(() => run('umount', '--lazy', disk));
  fillers.set(stage, join(disk, 'filler'));
}

/** The whole repository on a small disk. */
export function mountWhole(stage: Stage): void {
  const { root } = stage.shop;
  const disk = join(dirname(root), 'disk');
  mkdirSync(disk);
  run('mount', '-t', 'tmpfs', '-o', `size=${WHOLE_SIZE},mode=0755`, 'tmpfs', disk);
  run('cp', '-a', `${root}/.`, disk);
  run('mount', '--move', disk, root);
  keepAfter(stage, root);
  fillers.set(stage, join(root, '.git', 'filler'));
}

/** The mount goes with the round; what was on it stays, for people who look at a failure. */
function keepAfter(stage: Stage, path: string): void {
  stage.cleanup.push(() => {
    const copy = `${dirname(stage.shop.root)}/saved`;
    run('cp', '-a', path, copy);
    run('umount', '--lazy', path);
    run('cp', '-a', `${copy}/.`, path);
    rmSync(copy, { recursive: true, force: true });
  });
}

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, BLOCK);
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** The disk is full for a while; what is asked for then is refused. */
export const FILL_DISK: Action = {
  name: 'full-disk',
  weight: 6,
  decide(random) {
    const forMs = random.between(100, 3_000);
    const act = async (stage: Stage): Promise<void> => {
      const path = fillers.get(stage);
      if (path === undefined) return;
      count(stage.tally.deeds, 'full disk');
      fill(path);
      stage.note('the disk is full');
      const free = (): void => {
        rmSync(path, { force: true });
        stage.note('the disk is free');
      };
      stage.undo.push(free);
      later(stage, sleep(forMs).then(free));
    };
    return { what: `full disk for ${forMs} ms`, run: act };
  },
};
