import { execFileSync, spawn } from 'node:child_process';
import { errnoOf } from '../../errors.ts';

/**
 * A shell of a few lines that outlives a view which is killed with -9, and gives the terminal its settings back.
 * Everything else that ends a process is seen to by node itself, which resets the terminal at exit.
 */
export type Guard = { dismiss: () => void };

/** Long, for a loaded machine: without an answer there is no guard. */
const TIMEOUT_MS = 10_000;

/**
 * `$1`: the settings before the view, `$2`: those of the view. A line on stdin: the view has tidied up. Else it is
 * dead. A shell that shows its prompt again makes settings of its own at once; it is given a moment to, and only what
 * is still exactly as the view had it is put right. Runs in the group of the view, so that it hears the same signals:
 * none of them may end it before.
 */
const SCRIPT = `trap '' HUP INT QUIT TERM TSTP TTIN TTOU
if read -r line; then exit 0; fi
sleep 0.3
if [ "$(stty -g <&3)" = "$2" ]; then stty "$1" <&3; fi`;

/** The settings of the terminal at stdin as `stty` tells them, or null where there is no stty. */
export function terminalSettings(): string | null {
  try {
    return execFileSync('stty', ['-g'], {
      encoding: 'utf8',
      stdio: ['inherit', 'pipe', 'ignore'],
      timeout: TIMEOUT_MS,
    }).trim();
  } catch (error) {
    // Without it there is no guard; the view itself needs none.
    if (errnoOf(error) !== null || (error instanceof Error && 'status' in error)) return null;
    throw error;
  }
}

/** Starts the guard. The terminal is its descriptor 3, so that it needs no name of it. */
export function startGuard(before: string, during: string): Guard {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'orch-view-guard', before, during], {
    stdio: ['pipe', 'ignore', 'ignore', 0],
    // Nothing of ours: it may be around for a moment longer, and must not pass for a part of the work.
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    cwd: '/',
  });
  const pipe = child.stdin;
  child.on('error', () => undefined);
  pipe?.on('error', () => undefined);
  child.unref();
  (pipe as unknown as { unref?: () => void } | null)?.unref?.();
  return { dismiss: () => void pipe?.end('done\n') };
}
