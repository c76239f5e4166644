import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename } from 'node:path';
import type { Duplex, Writable } from 'node:stream';
import { errnoOf, messageOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { readLines } from './channel.ts';
import { GATE_BYTE } from './gate.ts';
import { openLog } from './open-log.ts';

export type SpawnOptions = {
  script: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment of the child: nothing of the own one is added. */
  env: Readonly<Record<string, string | undefined>>;
  /** Logs, opened for append, made with mode 0600. */
  outPath: string;
  errPath: string;
  nodeFlags?: readonly string[];
};

export type GatedChild = {
  pid: number;
  /** Lets the child run. Throws SPAWN_FAILED if it has ended before. */
  open(): Promise<void>;
  /** Closes the pipe: at the gate the child exits without having run; later, an attached one sees its parent gone. */
  abandon(): Promise<void>;
  /** Settles when the child ends, while this process lives; never rejects. */
  exited: Promise<{ code: number | null; signal: string | null }>;
  /**
   * From now on, each line that an attached child sends on its channel, at most `maxBytes` long; what came before
   * waits for the first caller. A detached child has no channel.
   */
  onLine(maxBytes: number, listener: (line: string) => void): void;
};

const TOO_LONG_HINT =
  'Linux gives a program no variable of more than 128 KiB: look at the env_file and at your own environment.';

function failure(script: string, cause: unknown): OrchError {
  const isTooLong = errnoOf(cause) === 'E2BIG';
  const why = isTooLong ? 'its environment is longer than the system takes (E2BIG)' : messageOf(cause);
  const hint = isTooLong ? TOO_LONG_HINT : cause instanceof OrchError ? cause.hint : null;
  const message = `${basename(script)} could not be started: ${why}`;
  return new OrchError('SPAWN_FAILED', message, hint === null ? { cause } : { cause, hint });
}

/** What trying again does not mend. Too many processes, no memory, a full disk may pass. */
const LASTING: ReadonlySet<string> = new Set(['E2BIG', 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR']);

/** True if no child can be started by this SPAWN_FAILED until somebody mends something. */
export function isLasting({ cause }: OrchError): boolean {
  if (cause instanceof OrchError) return cause.code === 'UNSAFE_FOLDER';
  return LASTING.has(errnoOf(cause) ?? '');
}

type Launched = {
  pid: number;
  stdin: Writable | null;
  channel: Duplex | null;
  exited: GatedChild['exited'];
};
type Pipes = { stdin: 'pipe' | 'ignore'; channel: boolean };

/**
 * Starts node as the leader of a session of its own. The logs are bare file descriptors: with a pipe or a file of
 * execa's the child died together with its parent.
 */
async function launch(options: SpawnOptions, pipes: Pipes): Promise<Launched> {
  const { execa } = await import('execa');
  const fds: number[] = [];
  try {
    for (const path of [options.outPath, options.errPath]) fds.push(openLog(path));
    // execa takes any descriptor; its types know those below 10 alone.
    const [stdout, stderr] = fds as [3, 4];
    const args = [...(options.nodeFlags ?? []), options.script, ...options.args];
    failpoint('process.spawn.before');
    const child = execa(process.execPath, args, {
      cwd: options.cwd,
      env: options.env,
      extendEnv: false,
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      stdio: [pipes.stdin, stdout, stderr, ...(pipes.channel ? (['pipe'] as const) : [])],
    });
    if (child.pid === undefined) throw (await child).cause ?? new Error('no process was made');
    const exited = new Promise<Awaited<GatedChild['exited']>>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    child.unref();
    return { pid: child.pid, stdin: child.stdin, channel: duplexOf(child.stdio[3]), exited };
  } catch (cause) {
    throw failure(options.script, cause);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** A pipe beyond the first three is a socket that both ends may write to. */
function duplexOf(pipe: unknown): Duplex | null {
  if (!(pipe instanceof Socket)) return null;
  // Paused by word: execa drains what nobody listens to. That the other end is gone, the end of the child tells.
  pipe.pause();
  pipe.on('error', () => undefined).unref();
  return pipe;
}

/** Resolves once the pipe is closed, whether or not the child still reads. */
async function close(pipe: Writable): Promise<void> {
  if (pipe.closed) return;
  await new Promise<void>((resolve) => {
    pipe.once('close', () => resolve());
    pipe.destroy();
  });
}

/**
 * Starts a child that waits at its gate until `open`. Killed here before that, the child reads the end of the
 * pipe and exits without having run. A detached child survives whatever happens to this process afterwards; an
 * attached one reads the end of its stdin and of its channel then. Neither keeps this process from exiting.
 * Throws SPAWN_FAILED if no process was made.
 */
export async function spawnGated(
  options: SpawnOptions & { mode: 'attached' | 'detached' },
): Promise<GatedChild> {
  const pipes: Pipes = { stdin: 'pipe', channel: options.mode === 'attached' };
  const { pid, stdin: pipe, channel, exited } = await launch(options, pipes);
  if (pipe === null) throw new OrchError('INTERNAL', `the pipe to ${options.script} was not made`);
  let pipeError: Error | null = null;
  pipe.on('error', (error) => {
    pipeError ??= error;
  });
  if (pipe instanceof Socket) pipe.unref();
  const open = async (): Promise<void> => {
    if (pipe.destroyed) throw failure(options.script, pipeError ?? 'it ended before its gate was opened');
    failpoint('process.gate.open');
    await new Promise<void>((resolve, reject) => {
      pipe.write(GATE_BYTE[options.mode], (error) => {
        if (error === null || error === undefined) resolve();
        else reject(failure(options.script, error));
      });
    });
    if (options.mode === 'detached') await close(pipe);
    failpoint('process.gate.opened');
  };
  const onLine: GatedChild['onLine'] = (maxBytes, listener) => {
    if (channel !== null) readLines(channel, maxBytes, listener);
  };
  const abandon = async (): Promise<void> => {
    channel?.destroy();
    await close(pipe);
  };
  return { pid, open, abandon, exited, onLine };
}

/** Starts a child with no gate and no stdin, which survives this process. Throws SPAWN_FAILED if none was made. */
export async function spawnDetached(options: SpawnOptions): Promise<{ pid: number }> {
  const { pid } = await launch(options, { stdin: 'ignore', channel: false });
  return { pid };
}
