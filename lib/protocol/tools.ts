import type { Outcome } from './status.ts';

/** The agents that orch knows by itself, most wanted first. */
export const BUILT_IN_TOOLS = ['aider', 'llm', 'claude', 'codex', 'opencode', 'gemini', 'copilot'] as const;
export type BuiltInTool = (typeof BUILT_IN_TOOLS)[number];

export const isBuiltInTool = (name: string): name is BuiltInTool =>
  BUILT_IN_TOOLS.some((one) => one === name);

/** What a config says of one tool. Pure: it is frozen with the plan, and so holds no key. */
export type ToolSettings = {
  /** Program to run, a name on PATH or an absolute path; absent: the adapter's own. */
  executable?: string;
  /** Passed as the tool spells it, such as `openai/gpt-5`. */
  model?: string;
  /** Of a built-in tool: more arguments, after orch's own. Of a registered one: all, with placeholders. */
  args?: string[];
  /** More variables; values may not be secrets, which belong into `env_file`. */
  env?: Record<string, string>;
  /** Whose rate limits and quota it uses; tools of one account wait for each other. Absent: the tool's name. */
  account?: string;
  /** Present: the tool is a registered one, run by these rules. */
  registered?: RegisteredTool;
};

/** A tool that orch does not know by itself. */
export type RegisteredTool = {
  /** How it gets the prompt. `file`: by the placeholder `{prompt_file}`; `argument`: by `{prompt}`. */
  prompt: 'stdin' | 'file' | 'argument';
  /** Which outcome its end means; the first rule that matches decides. Without one, exit code 0 is `done`. */
  outcomes: OutcomeRule[];
  /** Where its JSON output says what was used; paths such as `usage.input_tokens`. */
  usage?: { tokensIn?: string; tokensOut?: string; costUsd?: string };
};

/** All conditions that are given must hold. */
export type OutcomeRule = {
  outcome: RuleOutcome;
  exitCode?: number;
  /** A regular expression, tried on each line of stdout and stderr. */
  pattern?: string;
  /** A dotted path in a JSON object that it prints (whole output or one line), and the value there. */
  json?: { path: string; equals: string | number | boolean };
};

/** The outcomes that a rule may name: the others are for orch itself to see. */
export const RULE_OUTCOMES = [
  'done',
  'no_change',
  'not_installed',
  'auth',
  'rate_limited',
  'quota',
  'context_overflow',
  'bad_edit',
  'error',
] as const satisfies readonly Outcome[];
type RuleOutcome = (typeof RULE_OUTCOMES)[number];

/** What may stand in an argument of a registered tool, in braces. */
export const PLACEHOLDERS = ['worktree', 'prompt_file', 'prompt', 'files', 'model'] as const;

/** `{{name}}` is the text `{name}`; other braces mean nothing. */
const BRACED = /\{\{([a-z_]+)\}\}|\{([a-z_]+)\}/g;

/** The names in braces in an argument, known or not. */
export function placeholdersIn(argument: string): string[] {
  return [...argument.matchAll(BRACED)].flatMap(([, , name]) => (name === undefined ? [] : [name]));
}

/** The argument with each `{name}` replaced; what has no value is left as it is. */
export function fillPlaceholders(argument: string, values: Readonly<Record<string, string>>): string {
  return argument.replace(BRACED, (whole, escaped: string | undefined, name: string | undefined) => {
    if (escaped !== undefined) return `{${escaped}}`;
    return name !== undefined && Object.hasOwn(values, name) ? (values[name] ?? whole) : whole;
  });
}
