import type { Violation } from '../../lib/proof/evidence.ts';

/** What `strace -f -y -e trace=%desc,rename…` tells of durable writes. */

const CALL = /^(?:\[pid\s+\d+\]\s+|\d+\s+)?(rename|renameat|renameat2|link|linkat|fsync|fdatasync)\((.*)$/;
const SYNCED = /^\d+<([^>]*)>/;
const QUOTED = /"([^"]*)"/g;

/** Whether a name stands for something that must survive a power cut once it is there. */
export type Durable = (path: string) => boolean;

/**
 * Each rename (or link) onto a durable name must come after an fsync of what is renamed; where `folderOf` names a
 * folder for it, an fsync of that folder must come after it.
 */
export function durabilityFaults(
  trace: string,
  isDurable: Durable,
  folderOf: (path: string) => string | null,
): { faults: Violation[]; renames: number } {
  const synced = new Set<string>();
  const waiting = new Map<string, string[]>();
  const faults: Violation[] = [];
  let renames = 0;
  for (const line of trace.split('\n')) {
    const [, call, rest = ''] = CALL.exec(line) ?? [];
    if (call === undefined) continue;
    if (call === 'fsync' || call === 'fdatasync') {
      const path = SYNCED.exec(rest)?.[1] ?? '';
      synced.add(path);
      waiting.delete(path);
      continue;
    }
    const [from = '', to = ''] = [...rest.matchAll(QUOTED)].map((match) => match[1] ?? '');
    if (!isDurable(to) || /= -1 /.test(rest)) continue;
    renames += 1;
    if (![...synced].some((path) => path === from || path.endsWith(`/${from}`)))
      faults.push({ guarantee: 6, workstream: null, what: `${to} was put in place before it was synced` });
    const folder = folderOf(to);
    if (folder !== null) waiting.set(folder, [...(waiting.get(folder) ?? []), to]);
  }
  for (const [folder, names] of waiting) {
    const what = `${folder} was not synced after ${names.join(', ')} came there`;
    faults.push({ guarantee: 6, workstream: null, what });
  }
  return { faults, renames };
}
