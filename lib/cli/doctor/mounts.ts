import { readFileSync } from 'node:fs';
import { errnoOf } from '../../errors.ts';

export type Mount = { place: string; type: string };

/** What is mounted where `path` (absolute, without links) is; null where the system does not tell. */
export function mountOf(path: string, table = '/proc/self/mountinfo'): Mount | null {
  let text: string;
  try {
    text = readFileSync(table, 'utf8');
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
  let best: Mount | null = null;
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const place = unescaped(before.split(' ')[4] ?? '');
    const type = after.split(' ')[0] ?? '';
    const holds = place === '/' || path === place || path.startsWith(`${place}/`);
    // Of two at one place, the later one lies on top.
    if (place !== '' && holds && place.length >= (best?.place.length ?? 0)) best = { place, type };
  }
  return best;
}

/** The kernel writes blanks and the like in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
