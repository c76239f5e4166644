import { hasObject } from '../git/repository.ts';
import { isId } from '../protocol/ids.ts';
import { isSuccess } from '../protocol/status.ts';
import { readRecord } from '../store/records.ts';

/** Tells whether an earlier run has done a workstream, and its commit is still there. */
export function earlierWork(root: string): (id: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  const look = async (id: string): Promise<boolean> => {
    if (!isId(id)) return false;
    const read = readRecord(root, id);
    if (read.kind !== 'record' || !isSuccess(read.record)) return false;
    const { head } = read.record;
    return head !== null && hasObject(root, head);
  };
  return (id) => {
    const answer = known.get(id) ?? look(id);
    known.set(id, answer);
    return answer;
  };
}
