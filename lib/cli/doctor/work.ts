import { relative } from 'node:path';
import { readEnvFile } from '../../config/env-file.ts';
import { lackOf, readWorkerEnvironment } from '../../config/environment.ts';
import type { Config, ConfigResult } from '../../config/read.ts';
import { trackedUnder } from '../../git/repository.ts';
import { formatFault, formatFaults } from '../../plan/fault.ts';
import { type PlanResult, readPlan } from '../../plan/read.ts';
import { earlierWork } from '../earlier-work.ts';
import { unusableFromHere } from '../tool-sources.ts';
import { type Check, fail, ok, some, warn } from './check.ts';

const IS_MODEL_KEY =
  /(?:^|_)API_KEY$|^ANTHROPIC_AUTH_TOKEN$|^CLAUDE_CODE_OAUTH_TOKEN$|^GH_TOKEN$|^GITHUB_TOKEN$/;

/** Names of variables that hold keys, and never what they hold. */
export function checkKeys(config: Config | null): Check {
  const file = readWorkerEnvironment(config?.options ?? {});
  const names = [...Object.keys(process.env), ...Object.keys(file.values)].filter((name) => {
    return IS_MODEL_KEY.test(name) && (file.values[name] ?? process.env[name] ?? '') !== '';
  });
  return ok('keys', names.length === 0 ? 'none is set' : `set: ${some([...new Set(names)].sort(), 20)}`);
}

/** What the config says of the environment of workers. */
export async function checkEnvironment(root: string, { options }: Config): Promise<Check> {
  const { envFile = null } = options;
  const lack = lackOf(options, readWorkerEnvironment(options), {}, process.env);
  if (lack !== null) return warn('environment', `workstreams would be held: ${lack.message}`, lack.hint);
  if (envFile === null) return ok('environment', 'no env_file; nothing that is required is missing');
  const inside = relative(root, envFile);
  const isInside = !inside.startsWith('..') && inside !== '';
  if (isInside && (await trackedUnder(root, [inside])).length > 0) {
    const hint = 'Take it out of git (git rm --cached) and put it into .gitignore; renew the keys in it.';
    return warn('environment', `git tracks ${envFile}, which may hold keys`, hint);
  }
  const file = readEnvFile(envFile);
  if (file.kind === 'read' && (file.mode & 0o077) !== 0)
    return warn('environment', `others may read ${envFile}`, `Run \`chmod 600 ${envFile}\`.`);
  return ok('environment', `${envFile}; nothing that is required is missing`);
}

export function checkConfig(result: ConfigResult): Check {
  if (!result.ok) {
    const hint = '`orch schema config` prints its JSON Schema.';
    return fail('config', result.faults.map(formatFault).join('\n'), hint);
  }
  return ok('config', result.config.file ?? 'none; the defaults hold');
}

/** The default plan of the repository, where there is one. */
export async function readDefaultPlan(root: string, config: Config | null): Promise<PlanResult> {
  const extraPrograms = config?.acceptancePrograms ?? [];
  const tool = config?.options.tool ?? null;
  return readPlan(root, [], {
    cwd: process.cwd(),
    extraPrograms,
    satisfied: earlierWork(root),
    ...(tool === null ? {} : { toolChain: tool }),
  });
}

export function checkPlan(plan: PlanResult, config: Config | null): Check {
  const warnings = formatFaults(plan.warnings).join('\n');
  if (plan.ok) {
    const options = config?.options ?? {};
    const [unusable, ...others] = unusableFromHere(
      plan.workstreams,
      options.tool ?? null,
      options,
      plan.places,
    );
    const more = others.length === 0 ? '' : `, and so do ${others.length} more`;
    if (unusable !== undefined) return fail('plan', `${unusable.message}${more}`, unusable.hint);
    const count = plan.workstreams.length;
    const found = `${count} workstream${count === 1 ? '' : 's'}`;
    return warnings === '' ? ok('plan', found) : warn('plan', `${found}\n${warnings}`);
  }
  const [first] = plan.faults;
  if (plan.faults.length === 1 && first?.code === 'not_found' && first.message.startsWith('no plan'))
    return ok('plan', 'none in its usual places; name one when you launch');
  return fail('plan', formatFaults(plan.faults).join('\n'), 'A launch refuses it. Mend the plan.');
}
