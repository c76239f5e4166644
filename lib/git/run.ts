import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { messageOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';

const CONFIG = [
  'core.hooksPath=/dev/null',
  'commit.gpgSign=false',
  'core.fsmonitor=false',
  'core.fsync=committed,loose-object,reference',
  'gc.auto=0',
  'maintenance.auto=0',
  'advice.detachedHead=false',
  // A user's setting of these would skip unreadable files, refuse mixed line ends, hide edits, touch
  // submodules, or leave out the reflog that shows the commits a tool made and dropped.
  'add.ignoreErrors=false',
  'core.safecrlf=false',
  'core.ignoreStat=false',
  'submodule.recurse=false',
  'core.logAllRefUpdates=true',
  'i18n.commitEncoding=UTF-8',
  'worktree.useRelativePaths=false',
].flatMap((setting) => ['-c', setting]);

const DEFAULT_TIMEOUT_MS = 10 * 60_000;

export type GitOptions = {
  /** The repository, where it must not be looked for: a tool may have replaced a worktree's `.git`. */
  gitDir?: string;
  workTree?: string;
  /** Looks for the repository in the folders above `cwd` too. */
  discover?: boolean;
  /** A temporary index. */
  index?: string;
  /** Text for stdin, which is closed otherwise. */
  input?: string;
  /** Characters of input and output stand for bytes (latin1): names of files need not be UTF-8. */
  bytes?: boolean;
  /** Exit codes other than 0 that are an answer, not a failure. */
  answers?: readonly number[];
  env?: Readonly<Record<string, string>>;
  timeoutMs?: number;
};

export type GitResult = { code: number; stdout: string; stderr: string };

/**
 * Runs one git command in `cwd` without hooks, prompts, signing or inherited `GIT_*` variables.
 * Throws GIT_FAILED for each exit code that is neither 0 nor in `answers`, and for a time-out (default
 * 10 min); GIT_KILLED where a signal from elsewhere ended it; GIT_TOO_OLD where there is no git. On Linux the
 * command ends when this process does.
 */
export async function git(
  cwd: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<GitResult> {
  const place = [
    ...(options.gitDir === undefined ? [] : [`--git-dir=${options.gitDir}`]),
    ...(options.workTree === undefined ? [] : [`--work-tree=${options.workTree}`]),
  ];
  step('git.*.before', args);
  const encoding = options.bytes ? 'latin1' : 'utf8';
  const [file = 'git', ...before] = [...(await tether()), 'git'];
  const result = await execa(file, [...before, ...CONFIG, ...place, ...args], {
    cwd,
    env: environment(cwd, options),
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    encoding,
    ...(options.input === undefined
      ? { stdin: 'ignore' as const }
      : { input: Buffer.from(options.input, encoding) }),
  });
  const { exitCode: code, stdout, stderr } = result;
  if (code !== undefined && !result.isTerminated && (code === 0 || options.answers?.includes(code))) {
    step('git.*.after', args);
    if (!result.isMaxBuffer) return { code, stdout, stderr };
  }
  const missing = before.length === 0 ? result.code === 'ENOENT' && existsSync(cwd) : code === 127;
  if (missing) throw gitMissing(result.cause);
  throw failure(args, cwd, result);
}

/** What was wrong was not git's, nor what it was asked: it may do the same well at another time. */
export class GitKilled extends OrchError {
  /** Its name, such as `SIGKILL`. */
  readonly signal: string;

  constructor(shown: string, signal: string) {
    super('GIT_KILLED', `git ${shown} was ended by ${signal}, which was not from orch`, {
      hint: 'Look for what ended it, such as a lack of memory (`dmesg`); then run the same orch command again.',
    });
    this.signal = signal;
  }
}

/** The end of a git command that `error` goes back to, by its causes; null where it goes back to none. */
export function killedGitOf(error: unknown): GitKilled | null {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof GitKilled) return one;
  return null;
}

/** A failpoint that is named by the git command, and fails as that does. */
function step(place: string, args: readonly string[]): void {
  const command = args.find((arg) => !arg.startsWith('-')) ?? 'git';
  try {
    failpoint(place, command);
  } catch (cause) {
    throw new OrchError('GIT_FAILED', `git ${command} failed: ${messageOf(cause)}`, { cause });
  }
}

/** The parts of NUL-separated output. */
export function splitNul(text: string): string[] {
  return text.split('\0').filter((part) => part !== '');
}

function environment(cwd: string, options: GitOptions): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^GIT_/i.test(name)) env[name] = value;
  }
  return {
    ...env,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_EDITOR: 'true',
    GIT_OPTIONAL_LOCKS: '0',
    // A worktree lies inside the user's checkout: where a tool has removed its `.git`, git would go up and
    // reset that checkout instead.
    ...(options.discover ? {} : { GIT_CEILING_DIRECTORIES: dirname(cwd) }),
    ...(options.index === undefined ? {} : { GIT_INDEX_FILE: options.index }),
    ...options.env,
  };
}

const TETHER = ['setpriv', '--pdeathsig', 'TERM'];
let tethered: Promise<string[]> | null = null;

/**
 * A prefix that makes the kernel end git when this process dies, by kill -9 too; git then removes its lock
 * files. Empty where there is no such program (macOS, busybox): then git may outlive us for a moment.
 */
function tether(): Promise<string[]> {
  tethered ??= probeTether();
  return tethered;
}

async function probeTether(): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const [file = '', ...args] = TETHER;
  const probe = await execa(file, [...args, 'git', '--version'], { reject: false, stdin: 'ignore' });
  return probe.exitCode === 0 ? TETHER : [];
}

function gitMissing(cause: unknown): OrchError {
  return new OrchError('GIT_TOO_OLD', 'git was not found', {
    hint: 'Install git 2.38 or newer and put it on PATH.',
    cause,
  });
}

type Outcome = {
  exitCode?: number | undefined;
  signal?: string | undefined;
  timedOut: boolean;
  isMaxBuffer: boolean;
  /** None where no process was made. */
  stderr?: string | undefined;
  originalMessage?: string | undefined;
  cause?: unknown;
};

function failure(args: readonly string[], cwd: string, result: Outcome): OrchError {
  const shown = args.map((arg) => (/^[\w@%+=:,./^{}~-]+$/.test(arg) ? arg : JSON.stringify(arg))).join(' ');
  const cut = shown.length > 300 ? `${shown.slice(0, 299)}…` : shown;
  const signal = killedBy(result);
  if (signal !== null) return new GitKilled(cut, signal);
  const how = result.timedOut
    ? 'took too long'
    : result.exitCode === undefined
      ? `ended without an exit code (${result.signal ?? result.originalMessage ?? 'unknown'})`
      : `failed with exit code ${result.exitCode}`;
  const last = (result.stderr ?? '').trim().split('\n').slice(-3).join('\n');
  return new OrchError('GIT_FAILED', `git ${cut} ${how}${last === '' ? '' : `: ${last}`}`, {
    hint: `See what git says of it in ${cwd}; then run the same orch command again.`,
    cause: result.cause,
  });
}

/** A signal that orch did not send to it, or to a git that it started itself. */
function killedBy({ timedOut, isMaxBuffer, signal, stderr }: Outcome): string | null {
  if (timedOut || isMaxBuffer) return null;
  if (signal !== undefined) return signal;
  const number = Number(/ died of signal (\d+)/.exec(stderr ?? '')?.[1]);
  const names = Object.entries(constants.signals);
  return names.find(([, value]) => value === number)?.[0] ?? null;
}
