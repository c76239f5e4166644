import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { worktreePath } from '../../protocol/layout.ts';
import { bystander } from '../processes.ts';
import { personEnvironment } from './command.ts';
import type { Stage } from './stage.ts';

const LIFE = '900';
/** Beside a busy machine. */
const SHELL_BOUND_MS = 60_000;
const SCRIPT = '/usr/bin/script';

/**
 * Two processes of nobody: one with a session of its own in the repository, and, where `script` is installed, a
 * person's shell on a terminal that goes into a worktree as soon as there is one. Both end by themselves, late.
 */
export async function placeBystanders(stage: Stage): Promise<void> {
  const { root, aside } = stage.shop;
  const stranger = spawn('sleep', [LIFE], {
    cwd: root,
    detached: true,
    stdio: 'ignore',
    env: personEnvironment(),
  });
  await note(stage, stranger.pid, 'a stranger in the repository');
  if (process.platform !== 'linux' || !existsSync(SCRIPT)) return;
  const pidFile = join(aside, 'shell.pid');
  // After a reboot it names one who is gone.
  rmSync(pidFile, { force: true });
  const worktree = worktreePath(root, stage.ids[0] ?? '');
  const shell = `echo $$ > '${pidFile}'; tries=2000; until cd '${worktree}' 2> /dev/null || [ $tries = 0 ]; do tries=$((tries-1)); sleep 0.3; done; exec sleep ${LIFE}`;
  const terminal = spawn(SCRIPT, ['--quiet', '--command', shell, '/dev/null'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...personEnvironment(), SHELL: '/bin/sh' },
  });
  await note(stage, terminal.pid, 'a terminal');
  const bound = performance.now() + SHELL_BOUND_MS;
  while (!/^\d+\n$/.test(textOf(pidFile)) && performance.now() < bound) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await note(stage, Number(textOf(pidFile)), 'a shell with a terminal, in a worktree');
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** From here on the process must live. */
export async function note(stage: Stage, pid: number | undefined, what: string): Promise<void> {
  stage.bystanders.add(await bystander(pid ?? 0, what));
}
