import type { OrchError } from '../errors.ts';
import { isLasting } from '../process/spawn.ts';
import type { Reason } from '../protocol/status.ts';

/** Why a worker could not be started, where only a person can mend that; null for what may pass by itself. */
export function reasonToHold(error: OrchError): Reason | null {
  if (error.code !== 'SPAWN_FAILED' || !isLasting(error)) return null;
  const hint = `${error.hint ?? 'Mend that.'} Then run \`orch reattach\`.`;
  return { code: 'spawn_failed', message: error.message, hint };
}
