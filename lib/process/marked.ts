import type { Kin } from './kin.ts';
import { isOwnUser } from './scene.ts';
import { isSameStart, listProcesses } from './system.ts';

export type Leader = { pid: number; startTime: number };

/**
 * Every live process that was started with `name=value` in its environment, those in their sessions, and what descends
 * from them. `name` begins with `ORCH_`. Without `/proc` no environment is seen, and only `leader`, the first of them,
 * and its descendants are found. Never this process. Throws as `listProcesses`.
 */
export async function findMarked(name: string, value: string, leader: Leader | null): Promise<Kin[]> {
  const all = (await listProcesses({ detail: true })).filter(
    (info) => !info.zombie && info.pid > 1 && info.pid !== process.pid && isOwnUser(info),
  );
  const isLeader = ({ pid, startTime }: Leader): boolean =>
    leader !== null && pid === leader.pid && isSameStart(startTime, leader.startTime);
  const first = all.filter((info) => info.environ?.[name] === value || isLeader(info));
  const found = new Map(first.map((info) => [info.pid, info]));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    // A session is inherited by fork alone, and its number is not reused while one of its members lives.
    const sessions = new Set(
      [...found.values()].map(({ session, pid }) => (session === leader?.pid ? session : pid)),
    );
    for (const info of all) {
      const isHeir = found.has(info.ppid) || (info.session !== null && sessions.has(info.session));
      // Whoever has another's mark is that one's.
      const mark = info.environ?.[name];
      if (isHeir && (mark === undefined || mark === value)) found.set(info.pid, info);
    }
  }
  return [...found.values()].map(({ pid, startTime, command }) => {
    return { pid, startTime, command, workstream: '', token: null, proof: 'marker', ofLiveWorker: false };
  });
}
