import {
  fillPlaceholders,
  type OutcomeRule,
  placeholdersIn,
  type RegisteredTool,
} from '../protocol/tools.ts';
import type { Adapter, ToolRequest, ToolUsage } from './adapter.ts';
import { cliAgent, type End, lastWords, type Reading, readingOf } from './cli-agent.ts';
import { countAt, type JsonObject, jsonLines, lastJson, valueAt } from './json-output.ts';
import { retryAfterIn } from './provider-error.ts';
import { matchesSome, ownMs } from './slow-pattern.ts';

/** The system takes no longer argument than 128 KiB. */
const LONGEST_ARGUMENT = 120 * 1024;
/** For all patterns of one end, of this process's own time. */
const PATTERNS_MS = 2_000;

const NOTHING: RegisteredTool = { prompt: 'stdin', outcomes: [] };

/** The outcome of a registered tool by its rules; where none matches, exit code 0 is `done` and all else `error`. */
export function registeredOutcome(end: End, rules: RegisteredTool): Reading {
  const objects = objectsIn(end);
  const usage = usageOf(objects, rules);
  const until = ownMs() + PATTERNS_MS;
  for (const rule of rules.outcomes) {
    const holds = ruleHolds(rule, end, objects, until);
    if (holds === null) {
      const why = `a pattern of its outcomes took too long: ${rule.pattern}`;
      return readingOf('error', why, usage);
    }
    if (!holds) continue;
    const retryAfterSeconds =
      rule.outcome === 'rate_limited' || rule.outcome === 'quota' ? waitOf(end) : null;
    return { outcome: rule.outcome, message: lastWords(end), usage, retryAfterSeconds };
  }
  return end.exitCode === 0
    ? readingOf('done', 'exit code 0', usage)
    : readingOf('error', lastWords(end), usage);
}

/** Null: could not be found out. */
function ruleHolds(
  rule: OutcomeRule,
  end: End,
  objects: readonly JsonObject[],
  until: number,
): boolean | null {
  if (rule.exitCode !== undefined && rule.exitCode !== end.exitCode) return false;
  const { json, pattern } = rule;
  if (json !== undefined && !objects.some((one) => valueAt(one, json.path) === json.equals)) return false;
  if (pattern === undefined) return true;
  const leftMs = Math.ceil(until - ownMs());
  return leftMs <= 0 ? null : matchesSome(pattern, `${end.out}\n${end.err}`, leftMs);
}

/** What it prints as JSON: whole, or a line. */
function objectsIn({ out, err }: End): JsonObject[] {
  return [out, err].flatMap((text) => {
    const whole = lastJson(text);
    return [...jsonLines(text), ...(whole === null ? [] : [whole])];
  });
}

const waitOf = ({ out, err }: End): number | null =>
  retryAfterIn(err.slice(-4_000)) ?? retryAfterIn(out.slice(-4_000));

function usageOf(objects: readonly JsonObject[], { usage }: RegisteredTool): ToolUsage | null {
  if (usage === undefined) return null;
  const last = (path: string | undefined): number | null =>
    path === undefined
      ? null
      : (objects.map((one) => countAt(one, path)).findLast((value) => value !== null) ?? null);
  const [tokensIn, tokensOut, costUsd] = [last(usage.tokensIn), last(usage.tokensOut), last(usage.costUsd)];
  if (tokensIn === null && tokensOut === null && costUsd === null) return null;
  return { tokensIn: Math.round(tokensIn ?? 0), tokensOut: Math.round(tokensOut ?? 0), costUsd };
}

/** An argument that holds `{files}` is there once for each file; a name that looks like an option is no option. */
function argumentsFor({ settings, worktree, prompt, files }: ToolRequest, promptFile: string): string[] {
  const values = { worktree, prompt, prompt_file: promptFile, model: settings.model ?? '' };
  const paths = [...files.present, ...files.toCreate].map((path) =>
    path.startsWith('-') ? `./${path}` : path,
  );
  return (settings.args ?? []).flatMap((argument) =>
    placeholdersIn(argument).includes('files')
      ? paths.map((path) => fillPlaceholders(argument, { ...values, files: path }))
      : [fillPlaceholders(argument, values)],
  );
}

/** The adapter of a tool that a config registers; its rules are in the settings of each request. */
export function registeredTool(name: string): Adapter {
  const rulesOf = ({ settings }: ToolRequest): RegisteredTool => settings.registered ?? NOTHING;
  const adapter = cliAgent({
    name,
    program: name,
    preface: '',
    refuse: (request) => {
      const bytes = Buffer.byteLength(request.prompt);
      if (rulesOf(request).prompt !== 'argument' || bytes <= LONGEST_ARGUMENT) return null;
      const why = `the prompt has ${bytes} bytes, too many for an argument: register the tool with prompt "file" or "stdin"`;
      return readingOf('error', why);
    },
    prepare: (request, promptFile) => ({
      args: argumentsFor(request, promptFile),
      env: {},
      ...(rulesOf(request).prompt === 'stdin' ? { stdinFile: promptFile } : {}),
    }),
    read: (end, request) => registeredOutcome(end, rulesOf(request)),
  });
  // What it would make of `--version` is not known.
  return { ...adapter, version: async () => null };
}
