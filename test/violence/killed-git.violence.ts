import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { removeWorktree } from '../../lib/git/worktree.ts';
import {
  checkpoint,
  filesIn,
  isolate,
  prepare,
  put,
  type Repo,
  reaches,
  repository,
  sh,
} from '../git/repo.ts';

isolate();

const ROUNDS = Number(process.env['ORCH_TEST_ROUNDS'] ?? 10);
const CHILD = join(import.meta.dirname, '../git/prepare-child.ts');

async function start(repo: Repo, ...what: string[]): Promise<ChildProcess> {
  const args = ['--import', 'tsx', CHILD, repo.root, repo.base, ...what];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('no stdout');
  await once(child.stdout, 'data');
  return child;
}

/** Ends the child at a moment of its work; true if it was still at it. */
async function killAfter(child: ChildProcess, ms: number, first?: 'made'): Promise<boolean> {
  const ended = once(child, 'exit');
  const made = first && child.stdout ? once(child.stdout, 'data') : null;
  child.stdin?.write('x');
  if (made) await Promise.race([made, ended]);
  await sleep(ms);
  const alive = child.exitCode === null && child.kill('SIGKILL');
  await ended;
  return alive;
}

/** What the caller of `prepareWorktree` has to know: no git that the dead one started is left at it. */
async function untilNobodyIsIn(root: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while ((await pidsIn(root)).length > 0) {
    if (performance.now() > deadline) throw new Error(`still in ${root}: ${await pidsIn(root)}`);
    await sleep(10);
  }
}

async function pidsIn(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process that ends meanwhile, or another user's, is not one of ours at work.
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (cwd.startsWith(root)) found.push(pid);
  }
  return found;
}

for (const what of ['prepare', 'remove']) {
  test.runIf(process.platform === 'linux')(
    `${what}, killed with -9 at ${ROUNDS} moments, loses nothing and repeats`,
    async () => {
      const files = Object.fromEntries(
        Array.from({ length: 300 }, (_, n) => [`src/${n}.txt`, `${n}\n`.repeat(50)]),
      );
      const repo = await repository({ ...files, 'a.txt': 'a\n' });
      const { path } = await prepare(repo);
      await put(path, { 'b.txt': 'done' });
      const done = await checkpoint(repo, path);
      let child = await start(repo, what);
      for (let round = 0; round < ROUNDS; round += 1) {
        const next = round + 1 < ROUNDS ? start(repo, what) : null;
        await put(path, { 'a.txt': `half ${round}`, [`new ${round}`]: `${round}` });
        await sh(path, 'add', '-A');
        await sh(path, 'commit', '--quiet', '-m', `tool ${round}`);
        const tool = await sh(path, 'rev-parse', 'HEAD');
        await put(path, { 'src/1.txt': `dirty ${round}` });
        await put(repo.root, { dirty: `dirty ${round}` });
        expect(await killAfter(child, 5 + Math.random() * (what === 'remove' ? 500 : 250))).toBe(true);
        await untilNobodyIsIn(repo.root);
        const again = await prepare(repo, { attempt: 100 + round });
        expect(again.head).toBe(done.commit);
        expect(await sh(path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/orch/WS-1');
        expect(await sh(path, 'rev-parse', 'HEAD')).toBe(done.commit);
        expect(await sh(path, 'status', '--porcelain')).toBe('');
        const latest =
          (
            await sh(
              repo.root,
              'for-each-ref',
              '--format=%(refname)',
              '--sort=-version:refname',
              'refs/orch/salvage',
            )
          ).split('\n')[0] ?? '';
        expect(await reaches(repo.root, latest, tool)).toBe(true);
        const blob = await sh(repo.root, 'hash-object', '--', join(repo.root, 'dirty'));
        expect(await sh(repo.root, 'rev-list', '--objects', '--in-commit-order', latest)).toContain(blob);
        if (next) child = await next;
      }
      await removeWorktree(repo.root, 'WS-1');
      expect(
        await readdir(join(repo.root, '.git')).then((names) =>
          names.includes('worktrees') ? readdir(join(repo.root, '.git/worktrees')) : [],
        ),
      ).toEqual([]);
    },
  );
}

test.runIf(process.platform === 'linux')(
  'commitCheckpoint, killed with -9, leaves a chain that goes on',
  async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    let child = await start(repo, 'checkpoint');
    let before = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const next = round + 1 < ROUNDS ? start(repo, 'checkpoint') : null;
      expect(await killAfter(child, Math.random() * 300, 'made')).toBe(true);
      await untilNobodyIsIn(repo.root);
      const { head, checkpoint: state } = await prepare(repo, { attempt: 3 });
      expect(head).toBe(state.tip ?? repo.base);
      expect(state.done.length).toBeGreaterThan(before);
      before = state.done.length;
      expect(state.done).toEqual(state.done.map((_, n) => `digest-${n + 1}`));
      expect(await sh(repo.root, 'rev-parse', 'orch/WS-1')).toBe(head);
      expect(await sh(path, 'status', '--porcelain')).toBe('');
      const tasks = Object.keys(await filesIn(repo.root, head)).filter((name) => name.startsWith('task '));
      expect(tasks).toHaveLength(before);
      if (next) child = await next;
    }
  },
);

test.runIf(process.platform === 'linux')(
  'a checkpoint within a scope, killed with -9, loses nothing that was outside and commits none of it',
  async () => {
    const repo = await repository();
    const { path } = await prepare(repo);
    for (let round = 0; round < ROUNDS; round += 1) {
      const attempt = `${round + 2}`;
      const child = await start(repo, 'scope', attempt);
      expect(await killAfter(child, Math.random() * 500, 'made')).toBe(true);
      await untilNobodyIsIn(repo.root);
      const left = (await readdir(path)).filter((name) => name.startsWith('outside'));
      const { head, checkpoint: state } = await prepare(repo, { attempt: round + 3 });
      const inside = Object.keys(await filesIn(repo.root, head));
      expect(inside.filter((name) => name.startsWith('outside'))).toEqual([]);
      expect(inside.filter((name) => name.startsWith('task'))).toHaveLength(state.done.length);
      const history = await sh(repo.root, 'log', '--format=', '--name-only', head);
      expect(history).not.toContain('outside');
      expect((await readdir(path)).filter((name) => name.startsWith('outside'))).toEqual([]);
      const kept = await sh(
        repo.root,
        'log',
        '--format=',
        '--name-only',
        '-c',
        '--glob=refs/orch/salvage/WS-1/',
      );
      for (const name of left) expect(kept).toContain(name);
      expect(new Set(kept.match(/^outside .*/gm)).size).toBeGreaterThanOrEqual(state.done.length);
    }
  },
);
