import { createHash } from 'node:crypto';
import type { ToolSettings } from '../protocol/tools.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Tools that use the endpoint of `ORCH_LLM_*`, and so one account. */
const SHARING: ReadonlySet<string> = new Set(['aider', 'llm']);

/**
 * Whose rate limits and quota a run of `tool` uses: what the config says, else for `aider` and `llm` a name made of the
 * endpoint and key that they share, else the tool's name. It tells nothing of the key.
 */
export function accountOf(tool: string, settings: ToolSettings, env: Environment): string {
  if (settings.account !== undefined) return settings.account;
  const { ORCH_LLM_BASE_URL: url = '', ORCH_LLM_API_KEY: key = '' } = env;
  if (!SHARING.has(tool) || (url === '' && key === '')) return tool;
  return `llm-${createHash('sha256').update(`${url}\0${key}`).digest('hex').slice(0, 8)}`;
}
