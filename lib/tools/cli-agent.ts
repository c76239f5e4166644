import { join } from 'node:path';
import { execa } from 'execa';
import { failpoint } from '../failpoint.ts';
import type { Outcome } from '../protocol/status.ts';
import type { ToolSettings } from '../protocol/tools.ts';
import type { Adapter, Found, ToolRequest, ToolResult, ToolUsage } from './adapter.ts';
import { findProgram } from './find-program.ts';
import { safeMessage } from './redact.ts';
import { writePrivate } from './scratch-file.ts';
import { type Ended, NOT_FOUND, supervise } from './supervise.ts';

/** How a program is started for one task. */
export type Invocation = {
  args: string[];
  /** Over the environment of the request. */
  env: Record<string, string>;
  /** The prompt, or another file that it reads as its standard input. */
  stdinFile?: string;
  /** Puts away what the tool keeps for itself; called once, however it ended. */
  tidy?: () => void;
};

/** How a program ended by itself, and what it printed. */
export type End = { exitCode: number | null; signal: string | null; out: string; err: string };

/** What its end means. `done` is only ever said where the tool said so. */
export type Reading = {
  outcome: Outcome;
  message: string;
  usage: ToolUsage | null;
  retryAfterSeconds: number | null;
};

/** What is particular to one command-line tool. */
export type Recipe = {
  name: string;
  /** The program, where the settings name none. */
  program: string;
  /** What else than the program it needs, as far as can be seen without running it. */
  lack?(
    env: Readonly<Record<string, string | undefined>>,
    settings: ToolSettings,
  ): { why: string; hint: string } | null;
  /** What a run that cannot go well ends in without a start; null: it is started. */
  refuse?(request: ToolRequest): Reading | null;
  /** `promptFile` holds the prompt, for this user alone. */
  prepare(request: ToolRequest, promptFile: string): Invocation;
  /** Pure but for files in the scratch folder that the tool itself wrote. */
  read(end: End, request: ToolRequest): Reading;
  /** Before the prompt in the file: of many a tool, a first character such as `/`, `!` or `@` makes a command. */
  preface: string;
};

/** An empty prompt would open a conversation, too. */
export const PREFACE =
  'Carry out the following task. Make all edits that it needs; nobody is there to answer questions.\n\n';

const PROMPT_NAME = 'prompt.md';
/** The shell's word for a file that is there and cannot be run. */
const NOT_RUNNABLE = 126;

/** An adapter by its recipe. The prompt is in a file that only this user may read, never among the arguments. */
export function cliAgent(recipe: Recipe): Adapter {
  const { name } = recipe;
  const programOf = (settings: ToolSettings): string => settings.executable ?? recipe.program;

  const find = (env: Record<string, string | undefined>, settings: ToolSettings): Found => {
    const found = findProgram(programOf(settings), env);
    const lack = found.usable ? (recipe.lack?.(env, settings) ?? null) : null;
    return lack === null ? found : { usable: false, ...lack };
  };

  const run = async (request: ToolRequest): Promise<ToolResult> => {
    const { env, settings, scratch } = request;
    const found = findProgram(programOf(settings), env);
    if (!found.usable) return resultOf(NEVER, readingOf('not_installed', found.why), request);
    const refused = refusal(recipe, request);
    if (refused !== null) return resultOf(NEVER, refused, request);
    const promptFile = join(scratch, PROMPT_NAME);
    writePrivate(promptFile, recipe.preface + request.prompt);
    const { args, env: own, stdinFile, tidy } = recipe.prepare(request, promptFile);
    const place = {
      cwd: request.worktree,
      env: { ...env, ...own },
      scratch,
      ...(stdinFile === undefined ? {} : { stdinFile }),
    };
    try {
      const ended = await supervise(found.file, args, place, request.supervision);
      const { exitCode, signal } = ended;
      return resultOf(
        ended,
        recipe.read({ exitCode, signal, ...request.transcript.read() }, request),
        request,
      );
    } finally {
      failpoint('tools.leftovers.remove');
      tidy?.();
    }
  };

  const version = async (env: Record<string, string | undefined>, settings: ToolSettings) => {
    const found = find(env, settings);
    return found.usable ? versionOf(found.file, env) : null;
  };
  return { name, isAgent: true, find, version, run };
}

/** Of a run that was not begun. */
const NEVER: Ended = { how: 'exit', exitCode: null, signal: null, message: 'it was not started' };

/** How a run ends that is not begun; null: it may be. */
function refusal(recipe: Recipe, request: ToolRequest): Reading | null {
  const lack = recipe.lack?.(request.env, request.settings) ?? null;
  if (lack !== null) return readingOf('auth', `${lack.why}. ${lack.hint}`);
  return recipe.refuse?.(request) ?? null;
}

/** A reading without use and without a time to wait for. */
export function readingOf(outcome: Outcome, message: string, usage: ToolUsage | null = null): Reading {
  return { outcome, message, usage, retryAfterSeconds: null };
}

/** The bounds of the worker decide before what the tool said, and a missing program before both. */
function resultOf(ended: Ended, reading: Reading, { env }: ToolRequest): ToolResult {
  const { exitCode, signal } = ended;
  const told = { exitCode, signal, usage: reading.usage };
  const bound = outcomeOfEnd(ended);
  if (bound !== null)
    return { outcome: bound, ...told, message: safeMessage(ended.message, env), retryAfterSeconds: null };
  // An end that nobody saw is no success, whatever was printed before it.
  const isUnknown = reading.outcome === 'done' && exitCode === null;
  return {
    outcome: isUnknown ? 'error' : reading.outcome,
    ...told,
    message: safeMessage(isUnknown ? ended.message : reading.message, env),
    retryAfterSeconds: reading.retryAfterSeconds,
  };
}

function outcomeOfEnd({ how, exitCode }: Ended): Outcome | null {
  switch (how) {
    case 'timeout':
    case 'stalled':
    case 'killed':
      return how;
    case 'not_started':
      return 'not_installed';
    case 'exit':
      // What contains it, or the system, met no program: it vanished, or the one that its first line names did.
      return exitCode === NOT_FOUND || exitCode === NOT_RUNNABLE ? 'not_installed' : null;
  }
}

const VERSION_MS = 30_000;
const VERSION = /\d+\.\d+(?:[\w.+-]*\w)?/;

/** What `--version` prints, in a folder without configs of a repository. */
async function versionOf(file: string, env: Record<string, string | undefined>): Promise<string | null> {
  const result = await execa(file, ['--version'], {
    cwd: '/',
    env,
    extendEnv: false,
    stdin: 'ignore',
    timeout: VERSION_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024,
    reject: false,
  });
  if (result.exitCode !== 0) return null;
  return VERSION.exec(`${result.stdout}\n${result.stderr}`)?.[0] ?? null;
}

/** The last line of what a program said that holds anything, for a person. */
export function lastWords({ exitCode, signal, out, err }: End): string {
  const how = signal === null ? `exit code ${exitCode}` : `ended by ${signal}`;
  const line = [err, out]
    .map((text) => text.trimEnd().split('\n').at(-1)?.trim() ?? '')
    .find((one) => one !== '');
  return line === undefined ? how : `${how}: ${line}`;
}
