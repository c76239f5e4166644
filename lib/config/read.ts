import { lstat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { errnoOf } from '../errors.ts';
import { limitsOf, parseBytes, sandboxOf } from '../plan/containment.ts';
import { type Document, faultAt } from '../plan/document.ts';
import { parseDuration } from '../plan/durations.ts';
import { type Fault, faultOfFile } from '../plan/fault.ts';
import { seenFrom } from '../plan/files.ts';
import { shapeFaults } from '../plan/issues.ts';
import { readDocument } from '../plan/parse.ts';
import { plain } from '../plan/raw.ts';
import { DEFAULT_LOG_LIMITS, type LogLimits } from '../protocol/log-parts.ts';
import type { PlanOptions } from '../protocol/plan.ts';
import { keyFaults } from './keys.ts';
import { notifiersOf } from './notify.ts';
import { ConfigSchema, LOG_LEAST_BYTES, type WrittenConfig } from './schema.ts';
import { toolFaults } from './tool-faults.ts';
import { toolsOf } from './tools.ts';

/** What the config says; what it does not say is not there. */
export type Config = {
  /** Absolute; null where there is none. */
  file: string | null;
  options: Partial<PlanOptions>;
  acceptancePrograms: readonly string[];
};

export type ConfigResult = { ok: true; config: Config } | { ok: false; faults: Fault[] };

const NAMES = ['orch.config.yaml', 'orch.config.json'] as const;
/** Names that a person may try: to pass them over would be to ignore what they say. */
const NEAR_NAMES = new Map([
  ['orch.config.yml', NAMES[0]],
  ['orch.config.jsonc', NAMES[1]],
]);
const MAX_BYTES = 1024 * 1024;

/**
 * The config at `root`, or every fault of it; file names are told as seen from `cwd`. Without a file it is empty.
 * Reads that one file and runs nothing.
 */
export async function readConfig(root: string, cwd: string): Promise<ConfigResult> {
  const found = await findConfig(root, cwd);
  if (!found.ok) return found;
  const { path } = found;
  if (path === null) return { ok: true, config: { file: null, options: {}, acceptancePrograms: [] } };
  const file = { path, file: seenFrom(cwd, path), source: seenFrom(root, path) };
  const read = await readDocument(file, MAX_BYTES);
  // A file of comments alone is a config that says nothing.
  const isEmpty = !read.ok && read.faults.every(({ code }) => code === 'empty');
  if (isEmpty) return { ok: true, config: { file: path, options: {}, acceptancePrograms: [] } };
  return read.ok ? judge(read.document, root) : read;
}

async function findConfig(
  root: string,
  cwd: string,
): Promise<{ ok: true; path: string | null } | { ok: false; faults: Fault[] }> {
  const present: string[] = [];
  for (const name of NAMES) if (await isThere(join(root, name))) present.push(name);
  const [first, second] = present;
  if (first !== undefined && second !== undefined) {
    const message = `both ${first} and ${second} are there, and either could be the config`;
    const file = seenFrom(cwd, join(root, first));
    return { ok: false, faults: [faultOfFile(file, 'ambiguous', message, 'Remove one of them.')] };
  }
  for (const [name, meant] of NEAR_NAMES) {
    if (!(await isThere(join(root, name)))) continue;
    const message = `${name} is not a name that orch reads`;
    const file = seenFrom(cwd, join(root, name));
    return { ok: false, faults: [faultOfFile(file, 'unsupported', message, `Rename it to ${meant}.`)] };
  }
  return { ok: true, path: first === undefined ? null : join(root, first) };
}

/** Whatever else than absence stands in the way counts as there, and is told when it is opened. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    if (errnoOf(error) === null) throw error;
    return true;
  }
}

function judge(document: Document, root: string): ConfigResult {
  if (document.root.kind !== 'map') {
    const hint = 'Write one object, such as {"max_parallel": 3}.';
    const message = 'the config must be an object of fields';
    return { ok: false, faults: [faultAt(document, [], 'wrong_type', message, hint)] };
  }
  const faults = [...keyFaults(document, document.root), ...toolFaults(document, document.root)];
  const checked = v.safeParse(ConfigSchema, plain(document.root));
  // Who takes "require_env" for the place of a key, or a URL for none, must not see the key in a log.
  const isShown = ([field, , inner]: readonly (string | number)[]): boolean =>
    field !== 'require_env' &&
    field !== 'notify' &&
    !(field === 'tools' && (inner === 'env' || inner === 'args'));
  if (!checked.success) faults.push(...shapeFaults(document, [], checked.issues, isShown));
  if (!checked.success || faults.length > 0) {
    return { ok: false, faults: faults.sort((a, b) => a.line - b.line || a.column - b.column) };
  }
  return { ok: true, config: configOf(document.path, checked.output, root) };
}

function configOf(file: string, written: WrittenConfig, root: string): Config {
  const options: Partial<PlanOptions> = {};
  if (written.max_parallel !== undefined) options.maxParallel = written.max_parallel;
  if (written.restart !== undefined) options.restart = written.restart;
  if (written.tool !== undefined) options.tool = [...new Set(written.tool)];
  if (written.tools !== undefined) options.tools = toolsOf(written.tools, (text) => pathOf(text, root));
  if (written.env_file !== undefined) options.envFile = pathOf(written.env_file, root);
  if (written.require_env !== undefined) options.requireEnv = [...new Set(written.require_env)];
  if (written.containment !== undefined) options.containment = written.containment;
  if (written.limits !== undefined) options.limits = limitsOf(written.limits);
  if (written.sandbox !== undefined) options.sandbox = sandboxOf(written.sandbox);
  if (written.logs !== undefined) options.logs = logLimitsOf(written.logs);
  if (written.notify !== undefined) options.notify = notifiersOf(written.notify);
  const durations = {
    timeoutMs: written.timeout,
    taskTimeoutMs: written.task_timeout,
    stallTimeoutMs: written.stall_timeout,
    stopGraceMs: written.stop_grace,
    heartbeatMs: written.heartbeat_interval,
  };
  for (const [name, value] of Object.entries(durations)) {
    const ms = value === undefined ? null : parseDuration(value);
    if (ms !== null) options[name as keyof typeof durations] = ms;
  }
  return { file, options, acceptancePrograms: written.acceptance_programs ?? [] };
}

function logLimitsOf(written: NonNullable<WrittenConfig['logs']>): LogLimits {
  const { maxBytes, keep, totalBytes } = DEFAULT_LOG_LIMITS;
  const bytes = (size: string | number | undefined): number | null =>
    size === undefined ? null : parseBytes(size, LOG_LEAST_BYTES);
  return {
    maxBytes: bytes(written.max_size) ?? maxBytes,
    keep: written.keep ?? keep,
    totalBytes: bytes(written.max_total) ?? totalBytes,
  };
}

/** Keys are often kept outside of the repository, so `~/` is read here as in a shell. */
function pathOf(text: string, root: string): string {
  return text.startsWith('~/') ? join(homedir(), text.slice(2)) : resolve(root, text);
}
