import { applyEdits, modify } from 'jsonc-parser';
import { recordLockPath, recordPath } from '../protocol/layout.ts';
import { type ForeignRecord, parseRecord } from '../protocol/parse.ts';
import type { Reason } from '../protocol/status.ts';
import { writeDurably } from './durable.ts';
import { type Actor, audit } from './events.ts';
import { withLock } from './lock.ts';
import { type FileText, READ_MAX_BYTES, readOwnFile } from './open.ts';

/** The last word on a foreign worker that could not give one itself. */
export type ForeignEnd = { status: 'crashed' | 'stopped'; reason: Reason };

const TRIES = 3;

/**
 * Writes into the record of a foreign worker the end that `decideEnd` finds for it, under the record's lock, and
 * keeps every other byte of it. Returns what was written; null where `decideEnd` found none, the record is no
 * foreign one, says "status" twice or is too long for another line. Its program knows no lock: what it writes meanwhile wins.
 * @throws OrchError DISK_FULL, IO, UNSAFE_FOLDER: the record is as it was.
 */
export async function endForeign(
  root: string,
  id: string,
  actor: Actor,
  decideEnd: (record: ForeignRecord) => Promise<ForeignEnd | null>,
): Promise<ForeignEnd | null> {
  const path = recordPath(root, id);
  return withLock(recordLockPath(root, id), async () => {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const file = readOwnFile(path);
      const parsed = file === null ? null : parseRecord(file.text);
      if (file === null || parsed?.kind !== 'foreign') return null;
      const end = await decideEnd(parsed.record);
      if (end === null) return null;
      // Its last word may have come while we looked whether it lives.
      if (!isSame(file, readOwnFile(path))) continue;
      const text = withEnd(file.text, parsed.record, end);
      if (Buffer.byteLength(text) > READ_MAX_BYTES || !says(text, end)) return null;
      await writeDurably(path, text);
      const { status, reason } = end;
      const why = `${reason.code}: ${reason.message}`;
      const from = parsed.record.status;
      audit(root, actor, { event: 'state', workstream: id, why, from, to: status, foreign: true });
      return end;
    }
    return null;
  });
}

/** Where a key is there twice, the first is edited and the last counts: no edit makes such a record say it. */
function says(text: string, end: ForeignEnd): boolean {
  const parsed = parseRecord(text);
  return parsed.kind === 'foreign' && parsed.record.status === end.status;
}

const isSame = (before: FileText, now: FileText | null): boolean =>
  now?.text === before.text && now.mtimeMs === before.mtimeMs;

/** Edits the text instead of writing the parsed value: a number of 20 digits would come back as another one. */
function withEnd(text: string, record: ForeignRecord, { status, reason }: ForeignEnd): string {
  const changes = { status, last_update: Date.now() / 1000, reason };
  let edited = text;
  for (const [field, value] of Object.entries(changes))
    edited = applyEdits(edited, modify(edited, [field], value, {}));
  // Of a field that is there twice JSON.parse takes the last, and the edit the first.
  const after = parseRecord(edited);
  const isEdited = after.kind === 'foreign' && after.record.status === status;
  return isEdited ? edited : `${JSON.stringify({ ...record.fields, ...changes })}\n`;
}
