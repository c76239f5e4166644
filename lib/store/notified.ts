import { OrchError } from '../errors.ts';
import { notifiedPath } from '../protocol/layout.ts';
import { NOTIFY_EVENTS, type NotifyEvent } from '../protocol/notify.ts';
import { writeDurably } from './durable.ts';
import { tryReadOwnFile } from './open.ts';

/** What notifiers were told, in `.status/_notified.json`. The caller holds the orchestrator's lock. */

export type Notified = {
  key: string;
  event: NotifyEvent;
  at: number;
  /** `sending`: whoever wrote it did not live to say what came of it. */
  state: 'sending' | 'sent' | 'failed';
  tries: number;
  /** ORCH_NOTIFY_BATCH of the commands that were told. */
  mark: string;
};

/** So many are remembered; what is older and told again would be of a plan that nobody works on any more. */
const KEPT = 1_000;
const MAX_BYTES = 1024 * 1024;

/** Those that are remembered, oldest first. A file that makes no sense remembers nothing. */
export function readNotified(root: string): Notified[] {
  const read = tryReadOwnFile(notifiedPath(root), MAX_BYTES);
  if (read === null || !('text' in read)) return [];
  try {
    const value: unknown = JSON.parse(read.text);
    const events = typeof value === 'object' && value !== null && 'events' in value ? value.events : null;
    return Array.isArray(events) ? events.filter(isNotified) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isNotified(value: unknown): value is Notified {
  if (typeof value !== 'object' || value === null) return false;
  const { key, event, at, state, tries, mark } = value as Record<string, unknown>;
  if (typeof key !== 'string' || typeof mark !== 'string' || !/^[0-9a-f]{32}$/.test(mark)) return false;
  if (typeof at !== 'number' || !Number.isSafeInteger(tries)) return false;
  const isEvent = NOTIFY_EVENTS.some((one) => one === event);
  return isEvent && (state === 'sending' || state === 'sent' || state === 'failed');
}

/** Remembers the last of `events`. False where the disk refuses: that costs a second word, not the first. */
export async function writeNotified(root: string, events: readonly Notified[]): Promise<boolean> {
  const text = JSON.stringify({ schema: 'orch.notified/1', events: events.slice(-KEPT) });
  try {
    await writeDurably(notifiedPath(root), `${text}\n`);
    return true;
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    return false;
  }
}
