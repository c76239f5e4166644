import { resolve } from 'node:path';
import { type ConfigResult, readConfig } from '../../config/read.ts';
import { OrchError } from '../../errors.ts';
import { openRepository, type Repository } from '../../git/repository.ts';
import { type Check, fail, ok } from './check.ts';
import { checkMachine } from './machine.ts';
import { checkRepository } from './repository.ts';
import { checkContainment, checkLogout } from './session.ts';
import { checkTools } from './tools.ts';
import { checkConfig, checkEnvironment, checkKeys, checkPlan, readDefaultPlan } from './work.ts';

/**
 * Everything that could keep a run in `dir` from going well. Writes nothing; runs git, loginctl, `--version` of
 * each tool, and `true` in each kind of container.
 */
export async function examine(dir: string): Promise<Check[]> {
  const opened = await open(dir);
  if (opened.repository === null) {
    return [
      ...opened.checks,
      ...checkMachine(resolve(dir), null),
      await checkLogout(),
      ...(await checkContainment({})),
      ...(await checkTools(null)),
      checkKeys(null),
    ];
  }
  const { repository } = opened;
  const { root } = repository;
  const read: ConfigResult = await readConfig(root, process.cwd());
  const config = read.ok ? read.config : null;
  const plan = await readDefaultPlan(root, config);
  const ids = plan.ok ? plan.workstreams.map(({ id }) => id) : [];
  return [
    ...opened.checks,
    ...(await checkRepository(repository, ids)),
    checkConfig(read),
    checkPlan(plan, config),
    ...(config === null ? [] : [await checkEnvironment(root, config)]),
    checkKeys(config),
    ...(await checkTools(config)),
    ...checkMachine(root, repository.commonDir),
    await checkLogout(),
    ...(await checkContainment(config?.options ?? {})),
  ];
}

/** The repository, or as a finding why it cannot be used. */
async function open(dir: string): Promise<{ repository: Repository | null; checks: Check[] }> {
  try {
    const repository = await openRepository(dir);
    return { repository, checks: [ok('git', repository.gitVersion)] };
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    const name = error.code === 'GIT_TOO_OLD' ? 'git' : 'repository';
    return { repository: null, checks: [fail(name, error.message, error.hint)] };
  }
}
