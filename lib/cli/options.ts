import type { Argv } from 'yargs';
import { OrchError } from '../errors.ts';
import { parseDuration } from '../plan/durations.ts';

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

/** `90s`, `30m`, `1h30m` → milliseconds. */
export function durationOption(name: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw new OrchError('USAGE', `--${name} needs a duration, not ${JSON.stringify(text)}`, {
    hint: 'Write it as 90s, 30m or 8h.',
  });
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
