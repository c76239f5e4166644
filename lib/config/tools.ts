import * as v from 'valibot';
import {
  isBuiltInTool,
  type OutcomeRule,
  PLACEHOLDERS,
  RULE_OUTCOMES,
  type ToolSettings,
} from '../protocol/tools.ts';

/** The field `tools` of a config: settings of the agents that orch knows, and tools that it registers. */

const isMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Before an object, since lists are objects too. */
const map = (expected: string) => v.custom<Record<string, unknown>>(isMap, expected);

const Text = v.pipe(v.string('a text'), v.regex(/\S/, 'must not be empty'));
const Argument = v.pipe(
  v.string('a text'),
  v.check((text) => !text.includes('\0'), 'must not hold NUL'),
);
const VariableName = v.pipe(
  v.string('the name of a variable'),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'),
);
const PATH = 'a dotted path such as "usage.input_tokens"';
const JsonPath = v.pipe(v.string(PATH), v.regex(/^[^.\s]+(?:\.[^.\s]+)*$/, `must be ${PATH}`));
const LONGEST_PATTERN = 1_000;

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

const RULE = 'an object such as {"outcome": "auth", "pattern": "^Error: 401"}';
const RULE_FIELDS = {
  outcome: v.picklist(RULE_OUTCOMES, `one of ${RULE_OUTCOMES.join(', ')}`),
  exit_code: v.optional(
    v.pipe(
      v.number('a whole number'),
      v.integer('must be whole'),
      v.minValue(0, 'must be 0 or more'),
      v.maxValue(255, 'must be 255 or less'),
    ),
  ),
  pattern: v.optional(
    v.pipe(
      v.string('a text'),
      v.maxLength(LONGEST_PATTERN, `must be at most ${LONGEST_PATTERN} characters`),
      v.check(isPattern, 'must be a regular expression of JavaScript'),
    ),
  ),
  json: v.optional(
    v.pipe(
      map('an object with "path" and "equals"'),
      v.object({
        path: JsonPath,
        equals: v.union([v.string(), v.number(), v.boolean()], 'a text, a number, true or false'),
      }),
    ),
  ),
};
const Rule = v.pipe(map(RULE), v.object(RULE_FIELDS));

const USAGE = 'an object of paths such as {"tokens_in": "usage.input_tokens"}';
const USAGE_FIELDS = {
  tokens_in: v.optional(JsonPath),
  tokens_out: v.optional(JsonPath),
  cost_usd: v.optional(JsonPath),
};

const TOOL = 'an object such as {"model": "openai/gpt-5"}';
const TOOL_FIELDS = {
  executable: v.optional(
    v.pipe(Text, v.description('A name on PATH, or a path; a relative one counts from the root')),
  ),
  model: v.optional(v.pipe(Text, v.description('As the tool spells it'))),
  args: v.optional(
    v.pipe(
      v.array(Argument, 'a list of texts'),
      v.description(
        `Of a known tool: more arguments. Of another: all, with ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}`,
      ),
    ),
  ),
  env: v.optional(
    v.pipe(
      map('an object of variables'),
      v.record(VariableName, Argument),
      v.description('More variables; keys belong into the env_file'),
    ),
  ),
  account: v.optional(
    v.pipe(Text, v.description('Whose rate limits it uses; tools of one account wait for each other')),
  ),
  prompt: v.optional(
    v.pipe(
      v.picklist(['stdin', 'file', 'argument'], 'one of stdin, file, argument'),
      v.description('How a tool that orch does not know gets the prompt (stdin)'),
    ),
  ),
  outcomes: v.optional(
    v.pipe(
      v.array(Rule, 'a list of rules'),
      v.description('What its end means; the first rule that holds decides'),
    ),
  ),
  usage: v.optional(
    v.pipe(map(USAGE), v.object(USAGE_FIELDS), v.description('Where its JSON output tells what was used')),
  ),
};

export const ToolsSchema = v.pipe(
  map('an object of tools by name'),
  v.record(v.string(), v.pipe(map(TOOL), v.object(TOOL_FIELDS))),
  v.description('Settings of tools by name, and tools of your own'),
);
export type WrittenTools = v.InferOutput<typeof ToolsSchema>;
type WrittenTool = WrittenTools[string];

/** The fields of each object below `tools`. */
export const TOOL_FIELD_NAMES = Object.keys(TOOL_FIELDS);
export const RULE_FIELD_NAMES = Object.keys(RULE_FIELDS);
export const USAGE_FIELD_NAMES = Object.keys(USAGE_FIELDS);

/** What is written, as it is frozen; `pathOf` makes absolute what is written as a path. */
export function toolsOf(
  written: WrittenTools,
  pathOf: (text: string) => string,
): Record<string, ToolSettings> {
  return Object.fromEntries(
    Object.entries(written).map(([name, tool]) => [name, settingsOf(name, tool, pathOf)]),
  );
}

function settingsOf(name: string, tool: WrittenTool, pathOf: (text: string) => string): ToolSettings {
  const { executable, model, args, env, account } = tool;
  const settings: ToolSettings = {
    ...(executable === undefined
      ? {}
      : { executable: executable.includes('/') ? pathOf(executable) : executable }),
    ...(model === undefined ? {} : { model }),
    ...(args === undefined ? {} : { args }),
    ...(env === undefined ? {} : { env }),
    ...(account === undefined ? {} : { account }),
  };
  if (isBuiltInTool(name)) return settings;
  const { prompt = 'stdin', outcomes = [], usage } = tool;
  const registered = {
    prompt,
    outcomes: outcomes.map(ruleOf),
    ...(usage === undefined ? {} : { usage: usageOf(usage) }),
  };
  return { ...settings, registered };
}

function ruleOf({
  outcome,
  exit_code,
  pattern,
  json,
}: NonNullable<WrittenTool['outcomes']>[number]): OutcomeRule {
  return {
    outcome,
    ...(exit_code === undefined ? {} : { exitCode: exit_code }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(json === undefined ? {} : { json }),
  };
}

function usageOf({ tokens_in, tokens_out, cost_usd }: NonNullable<WrittenTool['usage']>) {
  return {
    ...(tokens_in === undefined ? {} : { tokensIn: tokens_in }),
    ...(tokens_out === undefined ? {} : { tokensOut: tokens_out }),
    ...(cost_usd === undefined ? {} : { costUsd: cost_usd }),
  };
}
