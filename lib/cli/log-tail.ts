import { stripVTControlCharacters } from 'node:util';
import { maskSecrets } from '../protocol/mask.ts';
import { escapeControls } from '../protocol/text.ts';
import { type LogStream, readEnd } from '../store/log-files.ts';

/** However large a log is, and however fast it grows: no more of it is read at a look. */
const TAIL_BYTES = 64 * 1024;
const LINE_MAX = 4_096;

/** What a line shows at its end: a progress bar writes its states over each other. */
function lastState(line: string): string {
  const states = line.split('\r').filter((state) => state !== '');
  return states.at(-1) ?? '';
}

/**
 * Text of a log as lines that are safe to show: no escape sequences, no control characters, secrets masked. A line
 * is cut at 4,096 characters.
 */
export function harmlessLines(text: string): string[] {
  const plain = maskSecrets(stripVTControlCharacters(text.replaceAll('\r\n', '\n')));
  const lines = plain.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => escapeControls(lastState(line.replaceAll('\t', '    ')).slice(0, LINE_MAX)));
}

/**
 * The last lines that a workstream wrote, rotated or not, harmless; null if nothing was written. Reads at most 64 KiB.
 * @throws OrchError as `readEnd`.
 */
export function readTail(root: string, id: string, stream: LogStream): string[] | null {
  const end = readEnd(root, id, stream, TAIL_BYTES);
  if (end === null) return null;
  const text = end.bytes.toString('utf8');
  // The first line of a tail is cut off at its head, where it may hide what masks a secret.
  return harmlessLines(end.from === 0 ? text : text.slice(text.indexOf('\n') + 1));
}
