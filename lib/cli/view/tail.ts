import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import { maskSecrets } from '../../protocol/mask.ts';
import { escapeControls } from '../../protocol/text.ts';
import { type LogStream, logPath, openLog } from '../../store/log-files.ts';

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
 * The last lines of a log, harmless; null if nothing was written. Reads at most 64 KiB.
 * @throws OrchError as `openLog`.
 */
export async function readTail(root: string, id: string, stream: LogStream): Promise<string[] | null> {
  const log = await openLog(logPath(root, id, stream));
  if (log === null) return null;
  try {
    const start = Math.max(log.size - TAIL_BYTES, 0);
    const buffer = Buffer.alloc(log.size - start);
    const { bytesRead } = await log.handle.read(buffer, 0, buffer.length, start);
    const decoder = new StringDecoder('utf8');
    const text = decoder.write(buffer.subarray(0, bytesRead));
    // The first line of a tail is cut off at its head, where it may hide what masks a secret.
    const whole = start === 0 ? text : text.slice(text.indexOf('\n') + 1);
    return harmlessLines(whole);
  } finally {
    await log.handle.close();
  }
}
