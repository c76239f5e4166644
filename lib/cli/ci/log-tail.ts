import { stripVTControlCharacters } from 'node:util';
import { cutText, escapeControls } from '../../protocol/text.ts';
import { copyLog, type LogStream, logPath, openLog, tailStart } from '../../store/log-files.ts';

const BYTES_MAX = 64 * 1024;
const LINE_BYTES = 1_000;

/** The last lines of a workstream's log, without colours, each harmless; none where there is no log. */
export async function logTail(root: string, id: string, stream: LogStream, lines: number): Promise<string[]> {
  const log = await openLog(logPath(root, id, stream));
  if (log === null) return [];
  const { handle, size } = log;
  try {
    const from = await tailStart(handle, Math.max(0, size - BYTES_MAX), size, lines);
    const blocks: Buffer[] = [];
    await copyLog(handle, from, size, async (bytes) => void blocks.push(bytes));
    const text = Buffer.concat(blocks).toString('utf8').replace(/\n$/, '');
    if (text === '') return [];
    return text
      .split('\n')
      .map((line) => escapeControls(cutText(stripVTControlCharacters(line), LINE_BYTES)));
  } finally {
    await handle.close();
  }
}
