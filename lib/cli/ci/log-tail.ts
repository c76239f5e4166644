import { stripVTControlCharacters } from 'node:util';
import { maskSecrets } from '../../protocol/mask.ts';
import { cutText, escapeControls } from '../../protocol/text.ts';
import { type LogStream, readEnd } from '../../store/log-files.ts';

const BYTES_MAX = 64 * 1024;
const LINE_BYTES = 1_000;

/** The last lines of a workstream's log, without colours and secrets, each harmless; none where there is no log. */
export function logTail(root: string, id: string, stream: LogStream, lines: number): string[] {
  const text = readEnd(root, id, stream, BYTES_MAX)?.bytes.toString('utf8').replace(/\n$/, '') ?? '';
  if (text === '') return [];
  return maskSecrets(stripVTControlCharacters(text))
    .split('\n')
    .slice(-lines)
    .map((line) => escapeControls(cutText(line, LINE_BYTES)));
}
