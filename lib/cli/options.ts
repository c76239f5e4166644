import type { Argv } from 'yargs';
import { OrchError } from '../errors.ts';

/** Options of every command. */
export type GlobalOptions = { root: string | undefined; json: boolean; quiet: boolean; color: boolean };

export function globalOptions<T>(yargs: Argv<T>): Argv<T & GlobalOptions> {
  return yargs
    .option('root', {
      type: 'string',
      describe: 'The repository (default: the one around this folder)',
      requiresArg: true,
    })
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'Machine output on stdout, nothing else there',
    })
    .option('quiet', { type: 'boolean', default: false, describe: 'Only what was asked for, no progress' })
    .option('color', {
      type: 'boolean',
      default: true,
      describe: 'Colour on a terminal (--no-color, NO_COLOR)',
    });
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `8h` → milliseconds. */
export function durationOption(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const ms = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  if (!(ms > 0) || ms > Number.MAX_SAFE_INTEGER) {
    throw new OrchError('USAGE', `--${name} needs a duration, not ${JSON.stringify(text)}`, {
      hint: 'Write it as 90s, 30m or 8h.',
    });
  }
  return ms;
}

/** A whole number of at least `least`. */
export function countOption(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new OrchError('USAGE', `--${name} needs a whole number of at least ${least}`, {
      hint: `For example: --${name} ${Math.max(least, 3)}`,
    });
  }
  return value;
}
