import * as v from 'valibot';
import { LimitsSchema, parseBytes, SandboxSchema } from '../plan/containment.ts';
import { parseDuration } from '../plan/durations.ts';
import { WISHES } from '../protocol/containment.ts';
import { NotifySchema } from './notify.ts';
import { ToolsSchema } from './tools.ts';

/**
 * What a config file may say: types and JSON Schema come from here. As in plans, the message of a schema is what was
 * expected, that of a check the rule.
 */

const HOUR_MS = 3_600_000;
const DURATION = 'a duration such as "90s", "30m" or "8h", or a number of seconds';

/** `mostMs` keeps a timer of Node (at most 24 days, else it fires at once) from being what ends a worker. */
function duration(describe: string, leastMs = 1, mostMs = 365 * 24 * HOUR_MS, bounds = 'at most a year') {
  return v.optional(
    v.pipe(
      v.union([v.string(), v.number()], DURATION),
      v.check((value) => {
        const ms = parseDuration(value);
        return ms !== null && ms >= leastMs && ms <= mostMs;
      }, `must be ${DURATION}, more than 0 and ${bounds}`),
      v.description(describe),
    ),
  );
}

function count(least: number, describe: string) {
  return v.optional(
    v.pipe(
      v.number('a whole number'),
      v.safeInteger('must be a whole number'),
      v.minValue(least, `must be ${least} or more`),
      v.description(describe),
    ),
  );
}

/** Smaller files would be rotated all the time. */
export const LOG_LEAST_BYTES = 64 * 1024;
const SIZE = 'a size such as "50MB" or "2GB" (K, M and G count by 1024), or a number of bytes';
const size = (describe: string) =>
  v.optional(
    v.pipe(
      v.union([v.string(), v.number()], SIZE),
      v.check((value) => parseBytes(value, LOG_LEAST_BYTES) !== null, `must be ${SIZE}, and at least 64KB`),
      v.description(describe),
    ),
  );
const LOGS = 'an object such as {"max_size": "50MB", "keep": 3, "max_total": "2GB"}';
const LOG_FIELDS = ['max_size', 'keep', 'max_total'];
const LogsSchema = v.pipe(
  v.custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    LOGS,
  ),
  v.check(
    (value) => Object.keys(value).every((key) => LOG_FIELDS.includes(key)),
    `may hold ${LOG_FIELDS.join(', ')} and nothing else`,
  ),
  v.object(
    {
      max_size: size('Of one file of a log; before it is reached, the log is rotated (50MB)'),
      keep: v.optional(
        v.pipe(
          v.number('a whole number'),
          v.safeInteger('must be a whole number'),
          v.minValue(0, 'must be 0 or more'),
          v.maxValue(100, 'must be 100 or less'),
          v.description('Older parts that stay beside each log (3)'),
        ),
      ),
      max_total: size('Of all logs; beyond it the oldest parts go first (2GB)'),
    },
    LOGS,
  ),
  v.description('How large logs may grow'),
);

const Text = v.pipe(v.string('a text'), v.regex(/\S/, 'must not be empty'));
const Program = v.pipe(
  v.string('a text'),
  v.regex(/^[A-Za-z0-9_][A-Za-z0-9._+-]*$/, 'must be one command word, without path, options or blanks'),
);
const VariableName = v.pipe(
  v.string('the name of a variable'),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable alone, never with its value'),
);

const entries = {
  $schema: v.optional(v.pipe(v.string('a text'), v.description('For editors; orch does not read it'))),
  max_parallel: count(1, 'How many workers at once (--max-parallel; 3)'),
  timeout: duration('For one attempt of a workstream (--timeout; 8h)'),
  task_timeout: duration('For one task (--task-timeout; 2h)'),
  stall_timeout: duration('Without output, CPU use and file changes (--stall-timeout; 30m)'),
  stop_grace: duration('Between SIGTERM and SIGKILL (10s)', 1, HOUR_MS, 'at most an hour'),
  heartbeat_interval: duration(
    'How often a worker touches its heartbeat (5s)',
    100,
    HOUR_MS / 6,
    'from 100ms to 10m',
  ),
  restart: count(0, 'Automatic restarts after a crash (--restart; 2)'),
  tool: v.optional(
    v.pipe(
      v.array(Text, 'a list of names of tools'),
      v.minLength(1, 'must not be empty'),
      v.description('Tools to try for a prompt, first choice first (--tool)'),
    ),
  ),
  tools: v.optional(ToolsSchema),
  acceptance_programs: v.optional(
    v.pipe(
      v.array(Program, 'a list of command words'),
      v.description('Words that begin an acceptance test which is a command, beside those orch knows'),
    ),
  ),
  env_file: v.optional(
    v.pipe(
      Text,
      v.description('File of NAME=value lines that workers get; a relative path counts from the root'),
    ),
  ),
  require_env: v.optional(
    v.pipe(
      v.array(VariableName, 'a list of names of variables'),
      v.description('No worker is started while one of these is missing'),
    ),
  ),
  containment: v.optional(
    v.pipe(
      v.picklist(WISHES, `one of ${WISHES.join(', ')}`),
      v.description('How the processes of a command are kept together (auto)'),
    ),
  ),
  limits: v.optional(LimitsSchema),
  logs: v.optional(LogsSchema),
  sandbox: v.optional(
    v.pipe(
      SandboxSchema,
      v.description('What commands may see and change: bwrap, none, or an object (none)'),
    ),
  ),
  notify: v.optional(NotifySchema),
};

export const ConfigSchema = v.object(entries, 'an object');
export type WrittenConfig = v.InferOutput<typeof ConfigSchema>;

/** The names of all fields. */
export const CONFIG_FIELDS: readonly string[] = Object.keys(entries);

/** As `ConfigSchema`, and other fields are faults: for editors. Orch itself finds those with a better message. */
export const StrictConfigSchema = v.strictObject(entries);
