import type { WorkstreamStatus } from '../../orchestrate/verdict.ts';

/** Short texts of numbers, each in a bounded number of cells, and the numbers of a status, which may be a stranger's. */

const UNITS = ['', 'k', 'M', 'G', 'T'] as const;

function scaled(value: number, step: number): string {
  let rest = value;
  for (const unit of UNITS) {
    if (rest < 999.5 || unit === 'T') {
      const isShort = rest < 9.95 && unit !== '';
      return `${isShort ? rest.toFixed(1) : Math.round(rest)}${unit}`;
    }
    rest /= step;
  }
  return '-';
}

/** `44M`, `1.2G`: bytes in at most five cells; `-` where unknown. */
export function bytesText(bytes: number | null): string {
  return bytes === null ? '-' : scaled(Math.max(bytes, 0), 1024);
}

/** `950`, `12k`, `1.2M`: a count in at most five cells; `-` where unknown. */
export function countText(count: number | null): string {
  return count === null ? '-' : scaled(Math.max(count, 0), 1000);
}

/** `$0.31`, `$12.40`, `$310`; `-` where unknown. */
export function costText(usd: number | null): string {
  if (usd === null) return '-';
  return usd < 100 ? `$${usd.toFixed(2)}` : `$${Math.round(usd)}`;
}

/** `12%`; 100 is one core. */
export function percentText(percent: number | null): string {
  return percent === null ? '-' : `${Math.round(percent)}%`;
}

/** A finite number, else null: a foreign record may hold anything. */
export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The texts of a list; none where it is no list. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The objects of a list. */
export function objectsOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

export type Progress = { done: number; total: number };

/** `"3/10"` as numbers; null for what says something else. */
export function progressOf({ progress }: Pick<WorkstreamStatus, 'progress'>): Progress | null {
  const [, done, total] = /^(\d{1,6})\/(\d{1,6})$/.exec(progress ?? '') ?? [];
  if (done === undefined || total === undefined) return null;
  return { done: Math.min(Number(done), Number(total)), total: Number(total) };
}

/** Tokens in and out together, and the cost; null where no tool has told. */
export function spentOf(status: WorkstreamStatus): { tokens: number | null; cost: number | null } {
  const usage = fieldsOf(status['usage']);
  const tokensIn = numberOf(usage['tokens_in']);
  const tokensOut = numberOf(usage['tokens_out']);
  const tokens = tokensIn === null && tokensOut === null ? null : (tokensIn ?? 0) + (tokensOut ?? 0);
  return { tokens, cost: numberOf(usage['cost_usd']) };
}

/** Seconds of the attempt so far, or until it ended; null before it began. */
export function elapsedOf(status: WorkstreamStatus, at: number): number | null {
  const began = numberOf(status['started_at']);
  if (began === null) return null;
  const ended = numberOf(status['ended_at']);
  if (ended !== null && status.alive !== true) return ended - began;
  return status.alive === true ? at - began : null;
}
