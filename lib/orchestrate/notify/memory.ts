import { type Notified, readNotified, writeNotified } from '../../store/notified.ts';
import type { Occasion } from './due.ts';

/** What was told, by this orchestrator and by those before it. */
export type NotifyMemory = {
  /** Keys that are not to be told (again). */
  known: Set<string>;
  /** Marks of the commands that orchestrators before began and did not live to say more of. */
  left: readonly string[];
  /** Writes down that nothing of them is left, where they are not to be told again. */
  noteEnded(): Promise<void>;
  /** Writes down what becomes of them. */
  note(occasions: readonly Occasion[], mark: string, state: Notified['state']): Promise<void>;
};

/** One that its orchestrator did not live to tell of is tried once more: rather twice than never. */
const TRIES_MAX = 2;

export function recallNotified(root: string): NotifyMemory {
  const remembered = new Map(readNotified(root).map((one) => [one.key, one]));
  const isLeft = ({ state }: Notified): boolean => state === 'sending';
  const isOver = ({ state, tries }: Notified): boolean => state !== 'sending' || tries >= TRIES_MAX;
  return {
    known: new Set([...remembered.values()].filter(isOver).map(({ key }) => key)),
    left: [...new Set([...remembered.values()].filter(isLeft).map(({ mark }) => mark))],
    async noteEnded() {
      const over = [...remembered.values()].filter((one) => isLeft(one) && isOver(one));
      for (const one of over) remembered.set(one.key, { ...one, state: 'failed' });
      if (over.length > 0) await writeNotified(root, [...remembered.values()]);
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
