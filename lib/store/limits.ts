import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { codedFault, errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { limitsLockPath, limitsPath } from '../protocol/layout.ts';
import { asWriteFault, writeDurably } from './durable.ts';
import { withLock } from './lock.ts';
import { tryReadOwnFile } from './open.ts';

/**
 * Limits of accounts of model providers, one small file for all workers of a user on this machine: what one of them
 * meets, all wait out. The file informs; where it cannot be read or written each worker knows its own limits only.
 */

export type Limit = {
  kind: 'rate_limited' | 'quota';
  /** Unix seconds: not to be used before. */
  until: number;
  /** Of this many hits in a row; each but the first was met after the limit before was over. */
  hits: number;
  why: string;
  /** Unix seconds: when it was met. */
  at: number;
};

export type Limits = ReadonlyMap<string, Limit>;

/** What a worker met. */
export type Hit = {
  account: string;
  kind: Limit['kind'];
  /** As the provider said; null where it did not. */
  retryAfterSeconds: number | null;
  why: string;
  /** Unix seconds: when the run that met it began. */
  begunAt: number;
};

/** Further ahead no time is believed: a provider says nonsense, or the clock was wrong when it was written. */
export const TRUST_SECONDS = 24 * 3_600;
const FIRST_WAIT_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 30 * 60;
const QUOTA_SECONDS = 3_600;
const LEAST_WAIT_SECONDS = 1;
/** Clocks of two processes of one machine differ by less. */
const SKEW_SECONDS = 60;
const MAX_BYTES = 256 * 1024;
const LOCK_BOUND_MS = 15_000;

/** Where state of a user is kept: `ORCH_STATE_HOME`, else `XDG_STATE_HOME`, else `~/.local/state`. */
export function stateHome(env: NodeJS.ProcessEnv = process.env): string {
  const named = [env['ORCH_STATE_HOME'], env['XDG_STATE_HOME']].find((path) => path && isAbsolute(path));
  return named ?? join(homedir(), '.local', 'state');
}

/** The limits that hold at `now`, and those that are over; none where the file is absent or cannot be read. */
export function readLimits(home: string, now: number): Limits {
  try {
    const read = load(home);
    return read === 'garbage' ? new Map() : believed(read, now);
  } catch (error) {
    if (error instanceof OrchError) return new Map();
    throw error;
  }
}

/** How long an account is left alone after this hit, given the limit that is known. Pure. */
export function limitAfter(known: Limit | null, hit: Hit, now: number): Limit {
  const { kind, why } = hit;
  // Met by a run that began before the other was known: the same limit, met by several at once.
  const isSame = known !== null && known.at >= hit.begunAt;
  const hits = known === null ? 1 : isSame ? known.hits : known.hits + 1;
  const said = hit.retryAfterSeconds;
  const wait = said !== null && Number.isFinite(said) ? said : waitOf(kind, hits);
  // Told to come back at once, and refused again and again: all night long that would start a tool each second.
  const least = Math.min(LEAST_WAIT_SECONDS * 2 ** Math.min(hits - 1, 10), FIRST_WAIT_SECONDS);
  const bounded = Math.min(Math.max(wait, least), TRUST_SECONDS);
  const until = isSame ? Math.max(known.until, now + bounded) : now + bounded;
  return { kind, until, hits, why: why.slice(0, 200), at: now };
}

function waitOf(kind: Limit['kind'], hits: number): number {
  if (kind === 'quota') return QUOTA_SECONDS;
  return Math.min(FIRST_WAIT_SECONDS * 2 ** Math.min(hits - 1, 10), LONGEST_WAIT_SECONDS);
}

/**
 * Writes down a limit and returns it. Where that cannot be done (a full disk, a lock that is held) it is told on
 * stderr, and the limit is returned as one that nobody else knows: to be given as `own` at the next hit, so that the
 * waits double there too.
 */
export async function noteLimit(
  home: string,
  hit: Hit,
  own: Limit | null = null,
): Promise<{ limit: Limit; isShared: boolean }> {
  const now = Date.now() / 1000;
  const { account } = hit;
  const alone = own === null ? null : (believed(new Map([[account, own]]), now).get(account) ?? null);
  let limit = limitAfter(alone, hit, now);
  const isShared = await change(home, (limits) => {
    const shared = limits.get(account) ?? null;
    const known = shared === null || (alone !== null && alone.at > shared.at) ? alone : shared;
    limit = limitAfter(known, hit, now);
    limits.set(account, limit);
    return true;
  });
  return { limit, isShared };
}

/** Takes back what is known of an account that answered a run which began at `begunAt`; a later limit stays. */
export async function clearLimit(home: string, account: string, begunAt: number): Promise<void> {
  const isOlder = (limit: Limit | undefined): boolean => limit !== undefined && limit.at < begunAt;
  if (!isOlder(readLimits(home, Date.now() / 1000).get(account))) return;
  await change(home, (limits) => isOlder(limits.get(account)) && limits.delete(account));
}

/** `edit` is given what is believed, under the lock, and returns whether it changed it. False: it is not written. */
async function change(home: string, edit: (limits: Map<string, Limit>) => boolean): Promise<boolean> {
  try {
    makeFolder(home);
    await withLock(
      limitsLockPath(home),
      async () => {
        const read = load(home);
        if (read === 'garbage') keepAside(limitsPath(home));
        const limits = new Map(read === 'garbage' ? [] : believed(read, Date.now() / 1000));
        if (!edit(limits)) return;
        failpoint('store.limits.change');
        await writeDurably(limitsPath(home), `${JSON.stringify(Object.fromEntries(limits), null, 1)}\n`);
        failpoint('store.limits.changed');
        sweep(dirname(limitsPath(home)));
      },
      LOCK_BOUND_MS,
    );
    return true;
  } catch (thrown) {
    const error = codedFault(thrown);
    if (!(error instanceof OrchError)) throw error;
    process.stderr.write(`orch: limits of accounts are not shared: ${error.message}\n`);
    return false;
  }
}

function makeFolder(home: string): void {
  const folder = dirname(limitsPath(home));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stats = lstatSync(folder);
    const isOurs = stats.isDirectory() && (process.getuid === undefined || stats.uid === process.getuid());
    if (isOurs && (stats.mode & 0o022) === 0) return;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    throw asWriteFault(folder, error);
  }
  const hint = `It must be a folder of your own that nobody else may write to: \`chmod 700 ${folder}\`.`;
  throw new OrchError('UNSAFE_FOLDER', `${folder} is not safe to keep state in`, { hint });
}

/** Temporary files of writers that were killed. Under the lock nobody writes another one. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (/^limits\.json\.\d{1,10}$/.test(name)) rmSync(join(folder, name), { force: true });
  }
}

/**
 * All entries that have the right shape.
 * @throws OrchError IO where the disk, or a permission, is in the way.
 */
function load(home: string): Map<string, Limit> | 'garbage' {
  const path = limitsPath(home);
  const file = tryReadOwnFile(path, MAX_BYTES);
  if (file === null) return new Map();
  if ('why' in file) {
    if (file.fault !== 'disk') return 'garbage';
    throw new OrchError('IO', `cannot read ${path}: ${file.why}`, { cause: file.cause });
  }
  try {
    const value: unknown = JSON.parse(file.text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'garbage';
    return new Map(Object.entries(value).flatMap(([account, one]) => (isLimit(one) ? [[account, one]] : [])));
  } catch (error) {
    if (error instanceof SyntaxError) return 'garbage';
    throw error;
  }
}

function isLimit(value: unknown): value is Limit {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, until, hits, why, at } = value as Record<string, unknown>;
  const numbers = [until, hits, at].every((number) => Number.isFinite(number));
  return numbers && typeof why === 'string' && (kind === 'rate_limited' || kind === 'quota');
}

/** Without what the clock, as it is now, cannot have seen, and what is long over. */
function believed(limits: ReadonlyMap<string, Limit>, now: number): Limits {
  const isSane = ({ at, until }: Limit): boolean =>
    at <= now + SKEW_SECONDS && until <= now + TRUST_SECONDS + SKEW_SECONDS && until > now - TRUST_SECONDS;
  return new Map([...limits].filter(([, limit]) => isSane(limit)));
}

/** Nothing is thrown away: what stands there may be somebody's. */
function keepAside(path: string): void {
  for (let number = 1; ; number += 1) {
    const aside = `${path}.unreadable-${number}`;
    // Under the lock, so nobody else makes such a name meanwhile.
    if (lstatSync(aside, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      failpoint('store.limits.aside');
      renameSync(path, aside);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw asWriteFault(path, error);
    }
    process.stderr.write(`orch: ${path} could not be read; it is kept as ${aside}\n`);
    return;
  }
}
