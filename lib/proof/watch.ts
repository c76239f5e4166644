import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessInfo } from '../process/info.ts';
import { isSameStart, listProcesses, probe } from '../process/system.ts';
import { ENV, recordPath } from '../protocol/layout.ts';
import { parseRecord } from '../protocol/parse.ts';
import { tryReadOwnFile } from '../store/open.ts';
import type { Together, TornRead } from './evidence.ts';
import { isWorker } from './processes.ts';

/** What somebody who looks all the time saw. */
export type Sightings = {
  tornReads: TornRead[];
  together: Together[];
  /** How often the records and the process table were looked at. */
  looks: { records: number; processes: number };
};

export type WatchOptions = {
  /** True for a text that a test itself put in the place of a record. */
  isPlanted?: (text: string) => boolean;
  recordsEveryMs?: number;
  processesEveryMs?: number;
};

/**
 * Reads the records of `ids` and the process table again and again until `stop`, which resolves with what was seen.
 * A fault of the watch itself rejects there.
 */
export function watch(
  root: string,
  ids: readonly string[],
  options: WatchOptions = {},
): { stop(): Promise<Sightings> } {
  const { isPlanted = () => false, recordsEveryMs = 5, processesEveryMs = 100 } = options;
  const end = new AbortController();
  const sightings: Sightings = { tornReads: [], together: [], looks: { records: 0, processes: 0 } };
  const again = async (everyMs: number, look: () => Promise<void>): Promise<void> => {
    while (!end.signal.aborted) {
      await look();
      await sleep(everyMs);
    }
  };
  const records = again(recordsEveryMs, async () => {
    sightings.looks.records += 1;
    for (const id of ids) sightings.tornReads.push(...tornRead(root, id, isPlanted));
  });
  const workers = again(processesEveryMs, async () => {
    sightings.looks.processes += 1;
    sightings.together.push(...(await togetherNow(root)));
  });
  const both = Promise.all([records, workers]);
  // Whoever stops the watch hears of it.
  both.catch(() => end.abort());
  return {
    stop: async () => {
      end.abort();
      await both;
      return sightings;
    },
  };
}

function tornRead(root: string, id: string, isPlanted: (text: string) => boolean): TornRead[] {
  const file = tryReadOwnFile(recordPath(root, id));
  if (file === null || 'why' in file || isPlanted(file.text)) return [];
  const parsed = parseRecord(file.text);
  return parsed.kind === 'unreadable' ? [{ workstream: id, text: file.text, why: parsed.message }] : [];
}

/**
 * Workers of one workstream with different tokens that live at one moment: all of them lived when the list was
 * done, since those that were listed are looked at once more after it.
 */
async function togetherNow(root: string): Promise<Together[]> {
  const byId = new Map<string, ProcessInfo[]>();
  for (const info of await listProcesses({ detail: true })) {
    const id = info.environ?.[ENV.workstream];
    if (id === undefined || !isWorker(root, info)) continue;
    byId.set(id, [...(byId.get(id) ?? []), info]);
  }
  const found: Together[] = [];
  for (const [workstream, listed] of byId) {
    if (listed.length < 2) continue;
    const living: ProcessInfo[] = [];
    for (const info of listed) if (await isStillThere(info)) living.push(info);
    const tokens = [...new Set(living.map(({ environ }) => environ?.[ENV.token] ?? ''))];
    if (tokens.length > 1) found.push({ workstream, pids: living.map(({ pid }) => pid), tokens });
  }
  return found;
}

async function isStillThere({ pid, startTime }: ProcessInfo): Promise<boolean> {
  const info = await probe(pid);
  return info !== 'gone' && info !== 'unknown' && isSameStart(info.startTime, startTime);
}
