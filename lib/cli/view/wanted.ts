import { readStat } from '../../process/proc.ts';
import { backend } from '../../process/system.ts';

type Output = { json: boolean; quiet: boolean };

/** Set, and not to a word for no, as CI systems and people write it. */
function isSet(name: string): boolean {
  return !['', '0', 'false', 'no'].includes((process.env[name] ?? '').toLowerCase());
}

/** A job in the background of a shell is stopped by the kernel as soon as it changes the terminal. */
function isInForeground(): boolean {
  if (backend() !== 'linux') return true;
  const stat = readStat(process.pid);
  return stat === null || stat.foreground === stat.pgrp;
}

/**
 * True where the live view can be shown: stdin and stdout are one person's terminal, which can move its cursor, and
 * nobody asked for JSON or silence. Everywhere else (pipes, CI, `TERM=dumb`, a background job) there are plain lines.
 */
export function isViewWanted({ json, quiet }: Output): boolean {
  if (json || quiet || isSet('CI')) return false;
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) return false;
  return !['', 'dumb'].includes(process.env['TERM'] ?? '') && isInForeground();
}
