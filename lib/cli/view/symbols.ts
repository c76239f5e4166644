import type { Verdict } from '../../orchestrate/verdict.ts';
import type { Progress } from './figures.ts';

/** Signs for a terminal that shows Unicode, and for one that may not. All take one cell. */

const SIGNS: Record<Verdict, readonly [unicode: string, ascii: string]> = {
  pending: ['·', '.'],
  starting: ['○', 'o'],
  running: ['●', '*'],
  completed: ['✔', '+'],
  merged: ['✔', '+'],
  blocked: ['■', '='],
  stopped: ['■', '='],
  failed: ['✖', 'x'],
  timed_out: ['✖', 'x'],
  crashed: ['✖', 'x'],
  conflict: ['✖', 'x'],
  unknown: ['?', '?'],
};

export function signOf(verdict: Verdict, unicode: boolean): string {
  return SIGNS[verdict][unicode ? 0 : 1];
}

/** A bar of `width` cells. It is full only when everything is done, and empty only when nothing is. */
export function barOf({ done, total }: Progress, width: number, unicode: boolean): string {
  const share = total === 0 ? 1 : done / total;
  const least = done > 0 ? 1 : 0;
  const most = done < total ? width - 1 : width;
  const full = Math.min(Math.max(Math.floor(share * width), least), most);
  const [on, off] = unicode ? ['█', '░'] : ['#', '-'];
  return on.repeat(full) + off.repeat(width - full);
}

/** Whether the locale says that the terminal shows Unicode. */
export function showsUnicode(env: NodeJS.ProcessEnv): boolean {
  // An empty one counts as absent, as it does for setlocale(3).
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((one) => (one ?? '') !== '') ?? '';
  return /utf-?8/i.test(locale) && env['TERM'] !== 'linux';
}
