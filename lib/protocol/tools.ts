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
  /** Which outcome its end means; the first rule that matches decides. */
  outcomes: OutcomeRule[];
  /** Where its JSON output says what was used; paths such as `usage.input_tokens`. */
  usage?: { tokensIn?: string; tokensOut?: string; costUsd?: string };
};

/** All conditions that are given must hold. */
export type OutcomeRule = {
  outcome: string;
  exitCode?: number;
  /** A regular expression, tried on each line of stdout and stderr. */
  pattern?: string;
  /** A dotted path in a JSON object that it prints (whole output or one line), and the value there. */
  json?: { path: string; equals: string | number | boolean };
};
