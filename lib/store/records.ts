import { constants, copyFileSync, lstatSync, readdirSync, renameSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { encodeRecord } from '../protocol/encode.ts';
import { isId } from '../protocol/ids.ts';
import { recordLockPath, recordPath, statusDir } from '../protocol/layout.ts';
import { type ParsedRecord, parseRecord } from '../protocol/parse.ts';
import type { StatusRecord } from '../protocol/status.ts';
import { advance, type RecordEvent, type Writer } from '../protocol/transitions.ts';
import { writeDurably } from './durable.ts';
import { type Actor, audit } from './events.ts';
import { withLock } from './lock.ts';
import { READ_MAX_BYTES, tryReadOwnFile } from './open.ts';

export type RecordRead = (ParsedRecord | { kind: 'missing' }) & { mtimeMs: number | null };

/** The right to write one record: a change is refused unless all three are those of the record. */
export type Lease = { run: string; attempt: number; token: string | null };

/** The lease under which `record` may be changed. */
export function leaseOf(record: StatusRecord): Lease {
  return { run: record.run, attempt: record.attempt, token: record.identity?.token ?? null };
}

/** True if `record` is still the one that `lease` was made for. */
export function holdsLease(record: StatusRecord, lease: Lease): boolean {
  const now = leaseOf(record);
  return now.run === lease.run && now.attempt === lease.attempt && now.token === lease.token;
}

/** What to do about a record that cannot be read. */
export const UNREADABLE_HINT = 'Repair it or move it away; a copy is kept before orch writes a new one.';

/** `FILE:LINE:COLUMN: MESSAGE` of a record that cannot be read. */
export function placeOf(root: string, id: string, read: Extract<RecordRead, { kind: 'unreadable' }>): string {
  return `${recordPath(root, id)}:${read.line}:${read.column}: ${read.message}`;
}

/** Ids that have a record, sorted; an absent folder holds none. */
export function listRecordIds(root: string): string[] {
  let names: string[];
  try {
    names = readdirSync(statusDir(root));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  return ids.filter(isId).sort();
}

/** What the record of `id` says now. An error while reading makes it `unreadable`, never `missing`. */
export function readRecord(root: string, id: string): RecordRead {
  const file = tryReadOwnFile(recordPath(root, id));
  if (file === null) return { kind: 'missing', mtimeMs: null };
  if ('why' in file) return { kind: 'unreadable', message: file.why, line: 1, column: 1, mtimeMs: null };
  return namedRight(parseRecord(file.text), id, file.mtimeMs);
}

function namedRight(parsed: ParsedRecord, id: string, mtimeMs: number): RecordRead {
  if (parsed.kind === 'record' && parsed.record.workstream !== id) {
    const message = `the record names workstream ${JSON.stringify(parsed.record.workstream)}`;
    return { kind: 'unreadable', message, line: 1, column: 1, mtimeMs };
  }
  return { ...parsed, mtimeMs };
}

async function write(
  root: string,
  actor: Actor,
  before: StatusRecord | null,
  after: StatusRecord,
): Promise<void> {
  await writeDurably(recordPath(root, after.workstream), encodeRecord(after));
  if (before?.status === after.status && before.attempt === after.attempt) return;
  const why = after.reason === null ? after.status : `${after.reason.code}: ${after.reason.message}`;
  const { run, attempt, pid } = after;
  const from = before?.status ?? null;
  audit(root, actor, {
    event: 'state',
    workstream: after.workstream,
    why,
    from,
    to: after.status,
    run,
    attempt,
    pid,
  });
}

export type Change = { ok: true; record: StatusRecord } | { ok: false; current: RecordRead };

/**
 * Applies `event` to the record of `id` if it still is the one that `lease` names. `guard` runs under the lock,
 * on what was read again: its `false` refuses the change.
 */
export async function changeRecord(
  root: string,
  id: string,
  lease: Lease,
  writer: Writer,
  actor: Actor,
  event: RecordEvent,
  guard: (current: StatusRecord) => boolean | Promise<boolean> = () => true,
): Promise<Change> {
  return withLock(recordLockPath(root, id), async () => {
    const current = readRecord(root, id);
    if (current.kind !== 'record' || !holdsLease(current.record, lease)) return { ok: false, current };
    if (!(await guard(current.record))) return { ok: false, current };
    const next = advance(current.record, event, writer, Date.now() / 1000);
    await write(root, actor, current.record, next);
    return { ok: true, record: next };
  });
}

/**
 * Writes a record where none can be read: none exists, or (`rebuild`) what is there cannot be parsed, of which a
 * copy is kept beside it first.
 */
export async function createRecord(
  root: string,
  actor: Actor,
  record: StatusRecord,
  options: { rebuild?: boolean } = {},
): Promise<Change> {
  const id = record.workstream;
  return withLock(recordLockPath(root, id), async () => {
    const current = readRecord(root, id);
    if (current.kind === 'unreadable' && options.rebuild === true) {
      const copy = keepCopy(root, id);
      audit(root, actor, { event: 'rebuilt', workstream: id, why: current.message, copy });
    } else if (current.kind !== 'missing') {
      return { ok: false, current };
    }
    await write(root, actor, null, record);
    return { ok: true, record };
  });
}

/** Holds the lock of a record while `work` runs: for `spawn`, which must not race with another writer. */
export async function withRecordLock<T>(
  root: string,
  id: string,
  work: (
    current: RecordRead,
    commit: (before: StatusRecord, event: RecordEvent, writer: Writer, actor: Actor) => Promise<StatusRecord>,
  ) => Promise<T>,
): Promise<T> {
  return withLock(recordLockPath(root, id), () =>
    work(readRecord(root, id), async (before, event, writer, actor) => {
      const next = advance(before, event, writer, Date.now() / 1000);
      await write(root, actor, before, next);
      return next;
    }),
  );
}

/**
 * Keeps a record that cannot be read as `<id>.json.unreadable-<n>`, and returns that path. A link, a pipe, a folder
 * or a huge file is moved there as it is: opening or copying it could block for ever.
 */
function keepCopy(root: string, id: string): string {
  const path = recordPath(root, id);
  const stats = lstatSync(path);
  const isCopied = stats.isFile() && stats.size <= READ_MAX_BYTES;
  failpoint('store.copy.keep');
  for (let number = 1; ; number += 1) {
    const copy = `${path}.unreadable-${number}`;
    try {
      if (isCopied) copyFileSync(path, copy, constants.COPYFILE_EXCL);
      else moveTo(path, copy);
      failpoint('store.copy.kept');
      return copy;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** The caller holds the record's lock, under which alone such names are made. */
function moveTo(path: string, copy: string): void {
  if (lstatSync(copy, { throwIfNoEntry: false }) !== undefined) {
    throw Object.assign(new Error(`${copy} exists`), { code: 'EEXIST' });
  }
  renameSync(path, copy);
}
