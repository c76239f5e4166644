import type { Actor } from '../store/events.ts';
import { endForeign, type ForeignEnd } from '../store/foreign.ts';
import { lookAtForeign } from './foreign.ts';

/**
 * Writes down the end of a foreign worker that is proved dead and had no last word; null where there is nothing to
 * write. Needs no role: the proof is given again under the record's lock.
 */
export async function settleForeign(root: string, id: string, actor: Actor): Promise<ForeignEnd | null> {
  return endForeign(root, id, actor, async (record) => (await lookAtForeign(root, id, record)).end);
}
