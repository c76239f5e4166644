import { OrchError } from '../errors.ts';
import type { StatusRecord } from '../protocol/status.ts';
import { advance, type Progress, type RecordEvent } from '../protocol/transitions.ts';
import type { Actor } from '../store/events.ts';
import { type Change, changeRecord, createRecord, type Lease } from '../store/records.ts';

export type Reporter = {
  /** The record as this worker last told it: `tool_runs` and `checks` whole, also where the disk holds a part. */
  record(): StatusRecord;
  /** Writes progress. A full disk, or somebody who is stopped with the lock in hand, costs the news, not the work. */
  progress(patch: Progress): Promise<void>;
  /** Writes the last word; tries again for ten minutes while the disk is full. */
  end(event: Extract<RecordEvent, { type: 'end' | 'complete' }>): Promise<void>;
};

type ReportEvent = Extract<RecordEvent, { type: 'progress' | 'end' | 'complete' }>;

/** True for what keeps a record from being written for a while, and says nothing about the work. */
function isPassing(error: unknown): error is OrchError {
  return error instanceof OrchError && ['DISK_FULL', 'IO', 'LOCK_HELD', 'UNSAFE_FOLDER'].includes(error.code);
}

const LAST_WORD_TRIES = 120;
const LAST_WORD_PAUSE_MS = 5_000;

/**
 * Reports for one attempt. Whenever the record turns out to be another attempt's, `onLost` is called and nothing
 * is written any more. `onWritten` is told each record that is on disk.
 */
export function makeReporter(
  root: string,
  first: StatusRecord,
  lease: Lease,
  actor: Actor,
  onLost: () => void,
  onWritten: (record: StatusRecord) => void = () => undefined,
): Reporter {
  const id = first.workstream;
  let mine = first;
  /** What could not be written: it goes with whatever is written next. */
  let untold: Progress = {};

  const write = async (reported: ReportEvent): Promise<void> => {
    // The disk holds what fits of the lists that grow: read back and added to, they would forget the rest.
    const { tool_runs, checks } = mine;
    const event: RecordEvent = {
      ...reported,
      patch: { tool_runs, checks, ...untold, ...reported.patch },
    };
    let change: Change = await changeRecord(root, id, lease, 'worker', actor, event);
    if (!change.ok && (change.current.kind === 'missing' || change.current.kind === 'unreadable')) {
      // Somebody deleted or damaged the record of a live worker, who alone knows what it said.
      const next = advance(mine, event, 'worker', Date.now() / 1000);
      change = await createRecord(root, actor, next, { rebuild: true });
    }
    if (!change.ok) {
      onLost();
      throw new OrchError('LEASE_LOST', `the record of ${id} now belongs to another attempt`);
    }
    mine = change.record;
    untold = {};
    onWritten(mine);
  };

  return {
    record: () => mine,
    async progress(patch) {
      try {
        await write({ type: 'progress', patch });
      } catch (error) {
        if (!isPassing(error)) throw error;
        process.stderr.write(`orch: ${error.message}\n`);
        untold = { ...untold, ...patch };
        mine = { ...mine, ...patch } as StatusRecord;
      }
    },
    async end(event) {
      for (let tries = 1; ; tries += 1) {
        try {
          await write(event);
          return;
        } catch (error) {
          if (!isPassing(error) || tries === LAST_WORD_TRIES) throw error;
          process.stderr.write(`orch: ${error.message}; trying again\n`);
          await new Promise((resolve) => setTimeout(resolve, LAST_WORD_PAUSE_MS));
        }
      }
    },
  };
}
