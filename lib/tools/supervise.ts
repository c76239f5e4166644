import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { killKin } from '../process/kill.ts';
import type { Kin } from '../process/kin.ts';
import { BOUND_MESSAGE, type Bound, watchBounds } from './bounds.ts';
import { type Enclose, firstByte } from './enclose.ts';

/** How a tool is watched: its bounds, and how to find all that it started. */
export type Supervision = {
  timeoutMs: number;
  stallMs: number;
  graceMs: number;
  /** Aborted when the worker must stop. */
  stop: AbortSignal;
  /** All live processes of this worker but the worker itself. */
  kin: () => Promise<Kin[]>;
  /** Told the pid of each program once it runs. */
  onStart: (pid: number) => Promise<void>;
  onSignal: (kin: Kin, signal: string) => void;
  /** Puts each program into what contains it; absent: it runs as it is. */
  enclose?: Enclose;
};

export type Ended = {
  how: 'exit' | 'timeout' | 'stalled' | 'killed' | 'not_started';
  exitCode: number | null;
  signal: string | null;
  message: string;
};

/** How and where a program is run. */
export type Place = {
  cwd: string;
  env: Record<string, string>;
  /**
   * A file that it reads as its standard input; absent: there is nothing to read. Never a pipe: who waits for more of
   * a file meets its end.
   */
  stdinFile?: string;
  /** A folder that it may write to although a sandbox would hide it. */
  scratch?: string;
};

/** What a shell answers where there is no such program. */
export const NOT_FOUND = 127;
/** What a shell answers where there is a program, and the system does not run it. */
const CANNOT_RUN = 126;
const TOO_LONG = 'the command and its environment are longer than the system takes (E2BIG)';
const KILL_BOUND_MS = 15_000;
const START_TRIES = 3;
/** Signals with which somebody else asks many programs at once to end: a shutdown, a logout, a terminal. */
const ASKED_TO_END: ReadonlySet<unknown> = new Set([
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  128 + 15,
  128 + 2,
  128 + 1,
]);
/** Within this time such a signal has reached this process too, if it was meant for both. */
const BOTH_ASKED_MS = 1_000;

/**
 * Runs a program to its end with output going straight to this process's own stdout and stderr, stops it at its
 * bounds, and ends whatever it left behind. The program leads a session of its own, so that a signal meant for
 * it does not reach the worker.
 */
export async function supervise(
  file: string,
  args: readonly string[],
  options: Place,
  supervision: Supervision,
): Promise<Ended> {
  const { enclose = async (command: readonly string[]) => [...command] } = supervision;
  for (let tries = 1; ; tries += 1) {
    const { how, ...ended } = await runOnce(await enclose([file, ...args], options), options, supervision);
    if (how !== 'not_contained') return { how, ...ended };
    if (tries === START_TRIES)
      throw new OrchError('SPAWN_FAILED', `the command could not be contained: ${ended.message}`, {
        hint: 'The log (`orch logs --stderr`) has what the container said; `orch doctor` tries it again.',
      });
  }
}

/** Once. Where nothing of an enclosed command has run, it says so, and it may be tried again. */
async function runOnce(
  [file = '', ...args]: readonly string[],
  options: Place,
  supervision: Supervision,
): Promise<Ended | (Omit<Ended, 'how'> & { how: 'not_contained' })> {
  const isEnclosed = supervision.enclose !== undefined;
  const earlier = new Set((await supervision.kin()).map((kin) => `${kin.pid}:${kin.startTime}`));
  // After the last wait before `watchBounds` listens: an abort in between would be heard by nobody.
  if (supervision.stop.aborted)
    return { how: 'killed', exitCode: null, signal: null, message: 'stopped before it began' };
  failpoint('tools.program.start');
  const mine = async (): Promise<Kin[]> =>
    (await supervision.kin()).filter((kin) => !earlier.has(`${kin.pid}:${kin.startTime}`));
  const child = start(file, args, options, isEnclosed);
  const hasBegun = isEnclosed ? firstByte(child) : Promise.resolve(true);
  const noted = child.pid === undefined ? Promise.resolve() : supervision.onStart(child.pid);
  // Its failure is met below, once the program and all it started have ended.
  noted.catch(() => undefined);
  const bound = watchBounds(supervision, options.cwd, mine);
  let first: 'exit' | Bound;
  try {
    failpoint('tools.program.started');
    first = await Promise.race([child.then(() => 'exit' as const), bound.reached]).finally(bound.close);
    failpoint('tools.program.ended');
    await endAll(supervision, mine, first === 'exit');
    await noted;
    failpoint('tools.program.over');
  } catch (error) {
    // Who else is left cannot be seen now; this one is a child that was not waited for, so its number is its own.
    child.kill('SIGKILL');
    throw error;
  }
  if (first !== 'exit') return { how: first, exitCode: null, signal: null, message: BOUND_MESSAGE[first] };
  const result = await child;
  if (ASKED_TO_END.has(result.signal) || ASKED_TO_END.has(result.exitCode))
    await within(BOTH_ASKED_MS, supervision.stop);
  // What asked this process to end may have ended the program a moment before: then its end, even a good one, is none.
  if (supervision.stop.aborted)
    return { how: 'killed', exitCode: null, signal: null, message: 'stopped as it ended' };
  if (result.exitCode === undefined && result.signal === undefined) {
    // The program is there, and its words are too many: what a shell says of that, and no reason to try again.
    if (errnoOf(result.cause) === 'E2BIG')
      return { how: 'exit', exitCode: CANNOT_RUN, signal: null, message: TOO_LONG };
    return {
      how: isEnclosed ? 'not_contained' : 'not_started',
      exitCode: null,
      signal: null,
      message: `${file}: ${errnoOf(result.cause) ?? result.code ?? 'cannot be started'}`,
    };
  }
  const exitCode = result.exitCode ?? null;
  const signal = result.signal ?? null;
  const message = signal === null ? exitText(exitCode) : `ended by ${signal}`;
  // Killed before it began is told as an end: a person or the kernel meant it, and it is not tried again.
  const how = signal !== null || (await hasBegun) ? 'exit' : 'not_contained';
  return { how, exitCode, signal, message };
}

/** Waits until the signal is aborted, at most that long. */
async function within(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The child has a descriptor of its own of what it reads, so that ours can be closed at once. */
function start(file: string, args: readonly string[], { cwd, env, stdinFile }: Place, isEnclosed: boolean) {
  const stdin =
    stdinFile === undefined ? null : openSync(stdinFile, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return execa(file, args, {
      cwd,
      env,
      extendEnv: false,
      // Its type names descriptors up to 9; it takes any.
      stdio: [
        (stdin as 3 | null) ?? 'ignore',
        'inherit',
        'inherit',
        ...(isEnclosed ? (['pipe'] as const) : []),
      ],
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
    });
  } finally {
    if (stdin !== null) closeSync(stdin);
  }
}

function exitText(exitCode: number | null): string {
  return exitCode === NOT_FOUND ? 'command not found (exit code 127)' : `exit code ${exitCode}`;
}

/** Ends what the program started; a short grace where it has ended by itself. */
async function endAll(
  { graceMs, onSignal }: Supervision,
  mine: () => Promise<Kin[]>,
  hasEnded: boolean,
): Promise<void> {
  const { left } = await killKin(mine, {
    graceMs: hasEnded ? Math.min(graceMs, 2_000) : graceMs,
    boundMs: graceMs + KILL_BOUND_MS,
    onSignal,
  });
  for (const kin of left) process.stderr.write(`orch: pid ${kin.pid} would not end: ${kin.command}\n`);
}
