import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { TestContext } from 'vitest';
import { isAlive, personEnvironment, signal, until } from '../rig/repository.ts';

/** PID namespaces: machines within the machine, which see nothing of each other. */
export type Namespace = {
  /** Its init, as the test sees it. */
  init: number;
  /** Starts a program inside. */
  start(args: readonly string[], options?: { cwd?: string; env?: Record<string, string> }): ChildProcess;
};

const NEW = ['--pid', '--fork', '--mount-proc', '--kill-child', '--propagation', 'private'];
const probe = spawnSync('unshare', [...NEW, 'sh', '-c', 'echo 500 > /proc/sys/kernel/ns_last_pid']);

/** Why there can be none here, or null. */
export const whyNone: string | null =
  probe.status === 0 ? null : `no PID namespaces here: ${String(probe.stderr ?? probe.error).trim()}`;

/** An init that waits for whatever is left to it, and one that never does. */
const INITS = { reaps: 'while :; do sleep 0.3; done', 'leaves zombies': 'exec sleep 1000' } as const;

const IN_FOLDER = ['sh', '-c', 'cd "$0" && exec "$@"'];

/** Makes a namespace whose PIDs begin at `firstPid`; all in it ends with the test. */
export async function makeNamespace(
  context: Pick<TestContext, 'onTestFinished'>,
  firstPid: number,
  init: keyof typeof INITS = 'reaps',
): Promise<Namespace> {
  const script = `echo ${firstPid} > /proc/sys/kernel/ns_last_pid; echo begun; ${INITS[init]}`;
  const stdio = ['ignore', 'pipe', 'ignore'] as const;
  const holder = spawn('unshare', [...NEW, 'sh', '-c', script], { stdio: [...stdio], cwd: '/' });
  const { pid } = holder;
  if (pid === undefined) throw new Error('unshare did not start');
  let hasBegun = false;
  holder.stdout?.once('data', () => {
    hasBegun = true;
  });
  context.onTestFinished(async () => {
    // The kernel ends all of a namespace with its init.
    signal(pid, 'SIGKILL');
    await until(() => !isAlive(pid), { what: 'the end of a namespace' });
  });
  const children = (): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const inside = Number(await until(children, { what: 'the init of a namespace' }));
  // Before its word it may have neither its own `/proc` nor its numbers.
  await until(() => hasBegun, { what: 'the init to begin' });
  return {
    init: inside,
    start: (args, { cwd = '/', env = {} } = {}) =>
      // Who enters a mount namespace finds itself at its root.
      spawn('nsenter', [`--target=${inside}`, '--pid', '--mount', ...IN_FOLDER, cwd, ...args], {
        env: personEnvironment(env),
        stdio: 'ignore',
        detached: true,
      }),
  };
}

/** The PID, as the test sees it, of the process that is `inner` inside. */
export function outerPid({ init }: Namespace, inner: number): number | null {
  const own = namespaceOf(init);
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || namespaceOf(Number(name)) !== own) continue;
    if (innerPid(Number(name)) === inner) return Number(name);
  }
  return null;
}

/** The PID that a process has in its own namespace; null once it is gone. */
export function innerPid(pid: number): number | null {
  const text = orGone(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  const numbers = /^NSpid:\s+(.*)$/m.exec(text ?? '')?.[1]?.split(/\s+/);
  return numbers === undefined ? null : Number(numbers.at(-1));
}

/** The words of its command line; null once it is gone. */
export const wordsOf = (pid: number): string[] | null =>
  orGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    ?.split('\0')
    .slice(0, -1) ?? null;

const namespaceOf = (pid: number): string | null => orGone(() => readlinkSync(`/proc/${pid}/ns/pid`));

function orGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    // EACCES: init of the machine shows its namespaces to nobody.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
