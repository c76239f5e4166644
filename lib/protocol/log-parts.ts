/**
 * How logs are cut into parts. A log is one long text whose bytes are counted from its first one on: its logical
 * offsets, which records and histories hold. Its newest bytes are in the log itself, older ones in parts beside it,
 * whose names tell where they belong; the oldest are gone.
 */

export type LogLimits = {
  /** Of one file. */
  maxBytes: number;
  /** Parts beside each log. */
  keep: number;
  /** Of all files in the folder of logs. */
  totalBytes: number;
};

export const DEFAULT_LOG_LIMITS: LogLimits = { maxBytes: 50 * 1024 ** 2, keep: 3, totalBytes: 2 * 1024 ** 3 };

/** A log is rotated at this size, so that what is written meanwhile has room, too. */
export const rotatesAt = ({ maxBytes }: LogLimits): number => Math.floor((maxBytes * 3) / 4);

/** `start` and `end`: the logical offsets between which its bytes lie, as its name tells. */
export type PartName = { log: string; start: number; end: number; prepared: boolean };

const PART = /^(.+\.(?:log|err|ndjson))\.(\d{1,15})-(\d{1,15})(\.new)?$/;

/** What the name of a part says; null for any other name. A log's own name never ends in digits. */
export function readPartName(name: string): PartName | null {
  const [, log, from, to, suffix] = PART.exec(name) ?? [];
  if (log === undefined) return null;
  const [start, end] = [Number(from), Number(to)];
  return end > start ? { log, start, end, prepared: suffix !== undefined } : null;
}

/** The name of the part of `log` between two logical offsets. */
export const partName = (log: string, start: number, end: number): string => `${log}.${start}-${end}`;

/** Complete, but the log may still hold the same bytes: nobody knows yet whether it was cut. */
export const preparedName = (log: string, start: number, end: number): string =>
  `${partName(log, start, end)}.new`;

/** What is being copied; it means nothing once its maker is gone. */
export const copyingName = (log: string): string => `${log}.copying`;
