import { type Config, readConfig } from '../config/read.ts';
import { OrchError } from '../errors.ts';
import { formatFault } from '../plan/fault.ts';

/**
 * The config of the repository, empty where there is none.
 * @throws OrchError CONFIG_INVALID with every fault.
 */
export async function configOf(root: string): Promise<Config> {
  const result = await readConfig(root, process.cwd());
  if (result.ok) return result.config;
  const hint = 'Mend the config and try again; `orch schema config` prints its JSON Schema.';
  const faults = result.faults.map(formatFault).join('\n');
  throw new OrchError('CONFIG_INVALID', `the config has faults\n${faults}`, { hint });
}
