import type { StatusRecord } from '../../lib/protocol/status.ts';
import { advance, type RecordEvent, type Writer } from '../../lib/protocol/transitions.ts';
import { plainRecord } from '../protocol/arbitraries.ts';

/** What lies on the model's disk. Records are the real ones; a state holds their numbers. */

/** `seen`: what a reader finds; `kept`: what a power cut leaves of it. */
export type OnDisk = { readonly seen: number; readonly kept: number };

const records: StatusRecord[] = [];
const numbers = new Map<string, number>();

/** The number of this record: one for all that are equal. */
function numberOf(record: StatusRecord): number {
  const key = JSON.stringify(record);
  const known = numbers.get(key);
  if (known !== undefined) return known;
  const number = records.push(record) - 1;
  numbers.set(key, number);
  return number;
}

export function recordAt(number: number): StatusRecord {
  const record = records[number];
  if (record === undefined) throw new Error(`there is no record ${number}`);
  return record;
}

export const FIRST_RECORD = numberOf(plainRecord({ last_update: 0 }));

const followers = new Map<string, number>();

/** The number of what the real state machine makes of a record. The model's clock stands still. */
export function follower(before: number, event: RecordEvent, writer: Writer): number {
  const key = `${before} ${writer} ${JSON.stringify(event)}`;
  const known = followers.get(key);
  if (known !== undefined) return known;
  const after = numberOf(advance(recordAt(before), event, writer, 0));
  followers.set(key, after);
  return after;
}
