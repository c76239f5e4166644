import { ENV } from '../protocol/layout.ts';

/** Variables that hold keys of model providers. Commands of a plan have no use for them and get none. */
const MODEL_KEY =
  /(^|_)API_KEY$|^(ANTHROPIC_AUTH_TOKEN|CLAUDE_CODE_OAUTH_TOKEN|COPILOT_GITHUB_TOKEN|AWS_BEARER_TOKEN_BEDROCK)$/;

export type Marks = { root: string; workstream: string; run: string; attempt: number; token: string };

/** The variables by which every process of a worker is found again. */
export function marksOf(marks: Marks): Record<string, string> {
  return {
    [ENV.root]: marks.root,
    [ENV.workstream]: marks.workstream,
    [ENV.run]: marks.run,
    [ENV.attempt]: String(marks.attempt),
    [ENV.token]: marks.token,
  };
}

/** `environment` without what would point git at another repository. */
function withoutGit(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !name.startsWith('GIT_')) kept[name] = value;
  }
  return kept;
}

/** What `setup`, `run` tasks and acceptance tests get: the worker's environment, the plan's, the marks; no keys. */
export function commandEnvironment(marks: Marks, planned: Record<string, string>): Record<string, string> {
  const kept = withoutGit(process.env);
  for (const name of Object.keys(kept)) if (MODEL_KEY.test(name)) delete kept[name];
  return { ...kept, ...planned, ...marksOf(marks) };
}

/** What an agent gets for a prompt task: the worker's environment with its keys, the tool's, the plan's, the marks. */
export function agentEnvironment(
  marks: Marks,
  planned: Record<string, string>,
  own: Record<string, string> = {},
): Record<string, string> {
  return { ...withoutGit(process.env), ...own, ...planned, ...marksOf(marks) };
}

/** What a notifier's command gets: nothing of orch but `told`, nothing of git, and no model keys. */
export function notifierEnvironment(
  environment: NodeJS.ProcessEnv,
  told: Record<string, string>,
): Record<string, string> {
  const kept = withoutGit(environment);
  for (const name of Object.keys(kept))
    if (MODEL_KEY.test(name) || name.startsWith('ORCH_')) delete kept[name];
  return { ...kept, ...told };
}

/** What a background orchestrator gets: nobody's marks, so that it is nobody's orphan. */
export function orchestratorEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = withoutGit(environment);
  for (const name of [ENV.workstream, ENV.attempt, ENV.token, ENV.run]) delete kept[name];
  return kept;
}
