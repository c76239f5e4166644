import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { ENV } from '../protocol/layout.ts';
import type { ToolRequest } from './adapter.ts';
import { filesForChat } from './aider-files.ts';
import { aiderModel } from './aider-model.ts';
import { aiderOutcome } from './aider-outcome.ts';
import { cliAgent, type Invocation, PREFACE } from './cli-agent.ts';
import { tailOf, writePrivate } from './scratch-file.ts';

/** Below the scratch folder. */
const EVENTS = 'events.ndjson';
const HISTORY = 'chat.md';
/** A request ends by itself only after orch's own bounds would have: its tries and their words look like work. */
const AFTER_STALL_SECONDS = 60;
const CACHE_NAME = /^\.aider\.tags\.cache\.v\d+$/;

/** Where requests go: said again after aider has read the `.env` of the worktree, which would go before these. */
const ENDPOINTS = ['OPENAI_API_BASE', 'OPENAI_BASE_URL', 'ANTHROPIC_API_BASE', 'ANTHROPIC_BASE_URL'];

function prepare(request: ToolRequest, promptFile: string): Invocation {
  const { scratch, worktree, env: given, settings, supervision } = request;
  const home = makeHome(scratch);
  const { model, env: endpoint } = aiderModel(given, settings) ?? { model: null, env: {} };
  const env = { ...ownEnvironment(home), ...endpoint };
  const envFile = join(scratch, 'last.env');
  writePrivate(envFile, dotenv({ ...ownEnvironment(home), ...addresses({ ...given, ...endpoint }) }));
  const before = new Set(cachesIn(worktree));
  const requestSeconds =
    Math.ceil(Math.min(supervision.timeoutMs, supervision.stallMs) / 1_000) + AFTER_STALL_SECONDS;
  const args = [
    ...['--message-file', promptFile, '--yes-always', '--encoding', 'utf-8'],
    ...['--no-suggest-shell-commands', '--no-detect-urls', '--disable-playwright'],
    ...['--no-auto-commits', '--no-dirty-commits', '--no-gitignore', '--no-restore-chat-history'],
    ...['--no-check-update', '--no-show-release-notes', '--no-show-model-warnings', '--no-notifications'],
    ...['--no-analytics', '--analytics-log', join(scratch, EVENTS)],
    ...['--no-pretty', '--no-stream', '--no-fancy-input', '--timeout', String(requestSeconds)],
    ...['--chat-history-file', join(scratch, HISTORY), '--input-history-file', join(scratch, 'input.txt')],
    ...['--env-file', envFile],
    ...(model === null ? [] : ['--model', model, '--weak-model', model]),
    ...filesForChat(request).map((path) => `--file=${path}`),
    ...(settings.args ?? []),
  ];
  return { args, env, tidy: () => removeCaches(worktree, before) };
}

/** A home of its own: nothing of the user's is changed, and neither git's config nor a list of prices is missing. */
function makeHome(scratch: string): string {
  const home = join(scratch, 'home');
  const caches = join(home, '.aider', 'caches');
  failpoint('tools.scratch.write');
  mkdirSync(caches, { recursive: true, mode: 0o700 });
  // Where these are missing, aider writes some into the config of the repository.
  writePrivate(
    join(home, '.gitconfig'),
    '[user]\n\tname = orch\n\temail = orch@localhost\n[safe]\n\tdirectory = *\n',
  );
  // Below aider's own tries the library has some too: three times as many requests where a provider asks for fewer.
  const noTries = '- name: aider/extra_params\n  extra_params:\n    max_retries: 0\n';
  writePrivate(join(home, '.aider.model.settings.yml'), noTries);
  // A list that is there is not fetched; the one that came with aider is used.
  writePrivate(join(caches, 'model_prices_and_context_window.json'), '{"orch": {}}\n');
  return home;
}

const ownEnvironment = (home: string): Record<string, string> => ({
  HOME: home,
  XDG_CONFIG_HOME: join(home, '.config'),
  // Whatever it offers to open is opened by a program that does nothing.
  BROWSER: 'true',
  LITELLM_LOCAL_MODEL_COST_MAP: 'True',
  PYTHONUNBUFFERED: '1',
  PYTHONIOENCODING: 'utf-8',
});

function addresses(env: Readonly<Record<string, string>>): Record<string, string> {
  const names = [...Object.values(ENV), ...ENDPOINTS];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** As python-dotenv reads it: nothing is expanded in single quotes. */
function dotenv(env: Readonly<Record<string, string>>): string {
  const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  return Object.entries(env)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join('');
}

/** Its map of the repository, which it keeps at the top of the worktree. */
function cachesIn(worktree: string): string[] {
  try {
    return readdirSync(worktree).filter((name) => CACHE_NAME.test(name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Killed before this: the next attempt begins by salvaging what is in the worktree, the cache with it. */
function removeCaches(worktree: string, before: ReadonlySet<string>): void {
  for (const name of cachesIn(worktree)) {
    if (before.has(name)) continue;
    const path = join(worktree, name);
    if (lstatSync(path).isDirectory()) rmSync(path, { recursive: true, force: true });
  }
}

/** https://aider.chat: edits files by what a model answers, and needs no tools of the model. */
export const aider = cliAgent({
  name: 'aider',
  program: 'aider',
  preface: PREFACE,
  lack: (env, settings) =>
    aiderModel(env, settings) !== null
      ? null
      : {
          why: 'it has no model: neither "model" in the config, nor AIDER_MODEL, ORCH_LLM_MODEL or a key in the environment',
          hint: 'Set ANTHROPIC_API_KEY, OPENAI_API_KEY or ORCH_LLM_MODEL, in your shell or in the env_file.',
        },
  prepare,
  read: (end, { scratch }) =>
    aiderOutcome(end, { events: tailOf(join(scratch, EVENTS)), history: tailOf(join(scratch, HISTORY)) }),
});
