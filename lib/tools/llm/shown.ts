import { writeWhole } from './blocks.ts';
import { decodeText, TEXT_RULE, type TextFile } from './lines.ts';
import { MAX_FILE_BYTES } from './overlay.ts';
import { lookAt, pathRule, readBytes } from './place.ts';
import { holdsPrivateKey } from './secret.ts';

/** Reading for a model: what passes here may be sent, and nothing else is. */

export type Readable = { kind: 'text'; file: TextFile; bytes: number } | { kind: 'no'; why: string };

/**
 * The text of a file that a model may see. `visible` is what git would commit: whatever it ignores, secrets, links,
 * other repositories and what is no text are not sent, wherever the wish came from.
 */
export function readForModel(worktree: string, visible: ReadonlySet<string>, path: string): Readable {
  const no = (why: string): Readable => ({ kind: 'no', why });
  const rule = pathRule(path);
  if (rule !== null) return no(rule);
  if (!visible.has(path)) return no('there is no such file, or git ignores it');
  const spot = lookAt(worktree, path);
  if (spot.kind === 'no') return no(spot.why);
  if (spot.kind !== 'file') return no('there is no such file');
  const bytes = readBytes(worktree, path, MAX_FILE_BYTES);
  if (bytes === null) return no(`it is larger than ${MAX_FILE_BYTES} bytes, or cannot be read`);
  const file = decodeText(bytes);
  if (file === null) return no(TEXT_RULE);
  if (holdsPrivateKey(bytes.toString('utf8'))) return no('it holds a private key');
  return { kind: 'text', file, bytes: bytes.length };
}

/** Lines of a file (from 1, inclusive) with their numbers, at most `maxBytes` of them; `to` is the last one shown. */
export function numberedLines(
  { lines }: TextFile,
  { from, to }: { from: number; to: number },
  maxBytes: number,
): { text: string; to: number } {
  const shown: string[] = [];
  let used = 0;
  let at = from;
  for (; at <= Math.min(to, lines.length); at += 1) {
    const row = `${at}| ${lines[at - 1]?.text ?? ''}`;
    used += Buffer.byteLength(row) + 1;
    if (used > maxBytes) break;
    shown.push(row);
  }
  return { text: shown.join('\n'), to: at - 1 };
}

/** A whole file in the form of an edit, or its first lines with their numbers where it has more than `maxBytes`. */
export function showFile(path: string, file: TextFile, bytes: number, maxBytes: number): string {
  if (bytes <= maxBytes) {
    return writeWhole(
      path,
      file.lines.map(({ text }) => text),
    );
  }
  return showLines(path, file, { from: 1, to: file.lines.length }, maxBytes);
}

/** Some lines of a file with their numbers, and which they are. */
export function showLines(
  path: string,
  file: TextFile,
  range: { from: number; to: number },
  maxBytes: number,
): string {
  const { text, to } = numberedLines(file, range, maxBytes);
  const all = file.lines.length;
  if (text === '')
    return `Of ${path}, which has ${all} lines, those cannot be shown: too long, or not there.`;
  const rest = to < all || range.from > 1 ? `; \`READ: ${path} lines N-M\` shows others` : '';
  return [
    `Lines ${range.from} to ${to} of the ${all} in ${path} (the numbers are not part of it${rest}):`,
    text,
  ].join('\n');
}
