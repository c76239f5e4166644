import { errnoOf } from '../errors.ts';
import { isZombie, listStats, readStat, type Stat, TICKS_PER_SECOND, uptime } from './proc.ts';
import { backend } from './system.ts';

/** `cpuPercent`: 100 is one core. */
export type Usage = { cpuPercent: number; memoryBytes: number };

type Sample = { ticks: number; at: number };

/** What pidusage tells of one process; CPU time in ms. */
type Stats = { pid: number; cpu: number; memory: number; ctime: number };

/** By PID and start; of the last call alone, so it holds no more than what was last seen. */
let samples = new Map<string, Sample>();

/** Shorter than this a difference in ticks of 10 ms says little. */
const SHORTEST_SECONDS = 0.2;

let page = 0;

/** Bytes of a memory page: what Node knows in bytes and the kernel in pages, to the nearest power of two. */
function pageBytes(self: Stat | undefined): number {
  if (page === 0 && self !== undefined && self.residentPages > 0) {
    page = 2 ** Math.round(Math.log2(process.memoryUsage.rss() / self.residentPages));
  }
  return page === 0 ? 4_096 : page;
}

/** Members of the tree of each root: its session, if it leads one, and descendants, less those of other roots. */
function treesOf(stats: readonly Stat[], roots: ReadonlySet<number>): Map<number, number> {
  const rootOf = new Map<number, number>();
  for (const stat of stats) if (roots.has(stat.pid) && !isZombie(stat)) rootOf.set(stat.pid, stat.pid);
  for (let before = -1; before !== rootOf.size; ) {
    before = rootOf.size;
    for (const { pid, ppid, session } of stats) {
      if (rootOf.has(pid)) continue;
      const root = rootOf.get(ppid) ?? (roots.has(session) ? rootOf.get(session) : undefined);
      if (root !== undefined) rootOf.set(pid, root);
    }
  }
  return rootOf;
}

function usageLinux(pids: readonly number[]): Map<number, Usage> {
  const stats = listStats();
  const now = uptime();
  const size = pageBytes(stats.find(({ pid }) => pid === process.pid));
  const rootOf = treesOf(stats, new Set(pids));
  const usage = new Map<number, Usage>();
  const seen = new Map<string, Sample>();
  for (const stat of stats) {
    const root = rootOf.get(stat.pid);
    if (root === undefined) continue;
    const key = `${stat.pid}:${stat.startTime}`;
    const known = samples.get(key);
    const earlier =
      known !== undefined && now - known.at >= SHORTEST_SECONDS
        ? known
        : { ticks: 0, at: stat.startTime / TICKS_PER_SECOND };
    const seconds = Math.max(now - earlier.at, 1 / TICKS_PER_SECOND);
    const cpuPercent = ((stat.cpuTicks - earlier.ticks) / TICKS_PER_SECOND / seconds) * 100;
    seen.set(key, known !== undefined && earlier !== known ? known : { ticks: stat.cpuTicks, at: now });
    const sum = usage.get(root) ?? { cpuPercent: 0, memoryBytes: 0 };
    usage.set(root, {
      cpuPercent: sum.cpuPercent + cpuPercent,
      memoryBytes: sum.memoryBytes + stat.residentPages * size,
    });
  }
  samples = seen;
  return usage;
}

/** More at once overflow the command line of `ps` on some systems. */
const BATCH = 200;

/** No history: pidusage's would outlive the process and its number. */
async function readPortableStats(pids: readonly number[]): Promise<Stats[]> {
  const { default: pidusage } = await import('pidusage');
  const found: Stats[] = [];
  for (let at = 0; at < pids.length; at += BATCH) {
    try {
      const batch = await pidusage(pids.slice(at, at + BATCH), { usePs: true, maxage: 0 });
      found.push(...Object.values(batch));
    } catch (error) {
      // What pidusage throws when nobody of the batch is alive.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return found;
}

/**
 * CPU and memory now, by PID; who is gone is absent. On Linux of the whole tree, CPU since the last call of this
 * process, else since its start; elsewhere of the process alone since its start. The caller has verified the PIDs.
 */
export async function usageOf(pids: readonly number[]): Promise<Map<number, Usage>> {
  if (pids.length === 0) return new Map();
  if (backend() === 'linux') return usageLinux(pids);
  const stats = await readPortableStats(pids);
  return new Map(stats.map(({ pid, cpu, memory }) => [pid, { cpuPercent: cpu, memoryBytes: memory }]));
}

/**
 * CPU seconds that the given processes have used so far, summed, on Linux with those of ended children that they waited
 * for; who is gone counts as nothing.
 */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  if (backend() === 'linux') {
    let ticks = 0;
    for (const pid of pids) {
      const stat = readStat(pid);
      if (stat !== null) ticks += stat.cpuTicks + stat.childTicks;
    }
    return ticks / TICKS_PER_SECOND;
  }
  const stats = await readPortableStats(pids);
  return stats.reduce((sum, { ctime }) => sum + ctime / 1_000, 0);
}
