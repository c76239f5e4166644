import { createHash } from 'node:crypto';
import type { ToolSettings } from '../protocol/tools.ts';
import { aiderModel } from './aider-model.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whose rate limits and quota a run of `tool` uses: what the config says, else for `llm`, and for `aider` where it is
 * led there too, a name made of the endpoint and key of `ORCH_LLM_*`, else the tool's name. It tells nothing of the key.
 */
export function accountOf(tool: string, settings: ToolSettings, env: Environment): string {
  if (settings.account !== undefined) return settings.account;
  const { ORCH_LLM_BASE_URL: url = '', ORCH_LLM_API_KEY: key = '' } = env;
  if ((url === '' && key === '') || !isLedThere(tool, settings, env)) return tool;
  return `llm-${createHash('sha256').update(`${url}\0${key}`).digest('hex').slice(0, 8)}`;
}

/** Aider with a key of its own is not held up by what `llm` met, nor the other way round. */
function isLedThere(tool: string, settings: ToolSettings, env: Environment): boolean {
  if (tool === 'llm') return true;
  return tool === 'aider' && Object.keys(aiderModel(env, settings)?.env ?? {}).length > 0;
}
