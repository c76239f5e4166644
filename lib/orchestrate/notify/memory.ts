import { type Notified, readNotified, writeNotified } from '../../store/notified.ts';
import type { Occasion } from './due.ts';

/** What was told, by this orchestrator and by those before it. */
export type NotifyMemory = {
  /** Keys that are not to be told (again). */
  known: Set<string>;
  /** The mark of the commands that an orchestrator began to tell this and did not live to say more; else null. */
  markLeftBy(key: string): string | null;
  /** Writes down what becomes of them. */
  note(occasions: readonly Occasion[], mark: string, state: Notified['state']): Promise<void>;
};

/** One that its orchestrator did not live to tell of is tried once more: rather twice than never. */
const TRIES_MAX = 2;

export function recallNotified(root: string): NotifyMemory {
  const remembered = new Map(readNotified(root).map((one) => [one.key, one]));
  const isOver = ({ state, tries }: Notified): boolean => state !== 'sending' || tries >= TRIES_MAX;
  return {
    known: new Set([...remembered.values()].filter(isOver).map(({ key }) => key)),
    markLeftBy(key) {
      const before = remembered.get(key);
      return before?.state === 'sending' ? before.mark : null;
    },
    async note(occasions, mark, state) {
      for (const { key, event } of occasions) {
        const tries = (remembered.get(key)?.tries ?? 0) + (state === 'sending' ? 1 : 0);
        // To the end of the list: the latest are kept.
        remembered.delete(key);
        remembered.set(key, { key, event, at: Date.now() / 1000, state, tries, mark });
      }
      await writeNotified(root, [...remembered.values()]);
    },
  };
}
