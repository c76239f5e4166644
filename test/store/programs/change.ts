import { changeRecord, leaseOf, readRecord, withRecordLock } from '../../../lib/store/records.ts';

/** argv: root, id, changes. Counts in the record's `progress`, half by compare-and-set, half under its lock. */
const [root = '', id = '', changes = '0'] = process.argv.slice(2);
const actor = { role: 'worker', pid: process.pid };
const next = (progress: string): string => `${Number(progress.split('/')[0]) + 1}/1000`;

for (let done = 0; done < Number(changes); done += 1) {
  if (done % 2 === 0) await compareAndSet();
  else await underLock();
}

async function compareAndSet(): Promise<void> {
  for (;;) {
    const read = readRecord(root, id);
    if (read.kind !== 'record') throw new Error(`a reader saw ${JSON.stringify(read)}`);
    const { progress } = read.record;
    const event = { type: 'progress', patch: { progress: next(progress) } } as const;
    const same = (current: { progress: string }): boolean => current.progress === progress;
    const changed = await changeRecord(root, id, leaseOf(read.record), 'worker', actor, event, same);
    if (changed.ok) return;
  }
}

async function underLock(): Promise<void> {
  await withRecordLock(root, id, async (current, commit) => {
    if (current.kind !== 'record') throw new Error(`a holder saw ${JSON.stringify(current)}`);
    const patch = { progress: next(current.record.progress) };
    await commit(current.record, { type: 'progress', patch }, 'worker', actor);
  });
}
