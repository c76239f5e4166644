import { createHash } from 'node:crypto';
import { isId } from '../protocol/ids.ts';

/**
 * Marks that a command cannot shed by clearing its environment, leaving its session or changing its folder: the
 * name of the systemd scope that it was started in, and the value of a resource limit that nothing else uses.
 */

export type ScopeMark = { root: string; workstream: string; attempt: number; token: string };

const UNIT = /^orch-([0-9a-f]{16})-(.+)-(\d+)-([0-9a-f]{32})-\d+\.scope$/;

/** The same for everybody who names this repository by this path. */
const hashOf = (root: string): string => createHash('sha256').update(root).digest('hex').slice(0, 16);

/** The name of the scope of the `number`th command of an attempt. At most 186 bytes. */
export function scopeUnit({ root, workstream, attempt, token }: ScopeMark, number: number): string {
  return `orch-${hashOf(root)}-${workstream}-${attempt}-${token}-${number}.scope`;
}

/** The unit in a cgroup path that was made for a worker of `root`, and whose it is; null if there is none. */
export function scopeOf(root: string, cgroup: string | null): { workstream: string; token: string } | null {
  if (cgroup === null) return null;
  for (const part of cgroup.split('/')) {
    const [, hash, workstream = '', , token = ''] = UNIT.exec(part) ?? [];
    if (hash !== undefined && hash === hashOf(root) && isId(workstream)) return { workstream, token };
  }
  return null;
}

/** The folder of the scope in a cgroup path: all up to the unit's name; null if there is none. */
export function scopeFolder(cgroup: string): string | null {
  const parts = cgroup.split('/');
  const at = parts.findIndex((part) => UNIT.test(part));
  return at === -1 ? null : parts.slice(0, at + 1).join('/');
}

const LIMIT_BASE = 1n << 61n;
const LIMIT_DIGITS = 15;

/**
 * The soft RLIMIT_RTTIME (µs) that marks the commands of a worker. It bounds realtime scheduling alone, and that by
 * more than 70,000 years; 60 bits of the token make it as good as unique. Children inherit it, whatever else they
 * throw away.
 */
export function limitMark(token: string): string | null {
  const digits = token.slice(0, LIMIT_DIGITS);
  return /^[0-9a-f]{15}$/.test(digits) ? String(LIMIT_BASE + BigInt(`0x${digits}`)) : null;
}

/** True for a soft limit that may be such a mark. */
export function mayBeMark(limit: string): boolean {
  return /^\d{19}$/.test(limit) && BigInt(limit) >= LIMIT_BASE && BigInt(limit) < 2n * LIMIT_BASE;
}
