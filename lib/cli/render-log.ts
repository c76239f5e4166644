import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import { escapeControls, jsonLine } from '../protocol/text.ts';
import type { Screen } from './render.ts';

/** Where the bytes of a log go. `end` shows what was held back, and resets colours. */
export type LogSink = { write: (bytes: Buffer) => Promise<void>; end: () => Promise<void> };

/** Colours and other looks (SGR) are harmless; all other escape sequences can move, hide or forge. */
const KEPT = /(\u001b\[[\d;:]*m|\r?\n|\t)/;
const COLOR = /^\u001b/;
/** The start of a colour, or of a line end, that the next bytes may complete. */
const CUT_OFF = /(\u001b(\[[\d;:]{0,32})?|\r)$/;
const RESET = '\u001b[0m';

async function emit(chunk: Buffer | string): Promise<void> {
  if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
}

/** The bytes as they are: for pipes and files. */
export function rawSink(): LogSink {
  return { write: emit, end: async () => undefined };
}

/** Text whose control characters are visible, colours and line ends excepted. Safe for a terminal. */
export function harmless(text: string, color: boolean): string {
  const parts = text.split(KEPT).map((part, at) => {
    if (at % 2 === 0) return escapeControls(part);
    if (part === '\r\n') return '\n';
    return COLOR.test(part) && !color ? '' : part;
  });
  return parts.join('');
}

/** Decoded and made harmless, across the borders of chunks. */
export function terminalSink(screen: Screen): LogSink {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let painted = false;
  const show = async (text: string): Promise<void> => {
    const shown = harmless(text, screen.color);
    painted ||= shown.includes('\u001b');
    if (shown !== '') await emit(shown);
  };
  return {
    async write(bytes) {
      const text = rest + decoder.write(bytes);
      rest = CUT_OFF.exec(text)?.[0] ?? '';
      await show(text.slice(0, text.length - rest.length));
    },
    async end() {
      await show(rest + decoder.end());
      if (painted) await emit(RESET);
    },
  };
}

/** A tool that prints for hours without a newline must not fill the memory of who looks. */
const LINE_MAX_LENGTH = 64 * 1024;

/** One JSON object for each line; a line over 65,536 characters comes in several. */
export function jsonSink(workstream: string, stream: string): LogSink {
  const decoder = new StringDecoder('utf8');
  let held: string[] = [];
  let length = 0;
  const take = (): string => {
    const line = held.join('');
    held = [];
    length = 0;
    return jsonLine({ schema: 'orch.log/1', workstream, stream, line });
  };
  const hold = (text: string): void => {
    held.push(text);
    length += text.length;
  };
  return {
    async write(bytes) {
      const [first = '', ...more] = decoder.write(bytes).split('\n');
      hold(first);
      const out: string[] = [];
      for (const text of more) {
        out.push(take());
        hold(text);
      }
      if (length > LINE_MAX_LENGTH) out.push(take());
      if (out.length > 0) await emit(out.join(''));
    },
    async end() {
      hold(decoder.end());
      if (length > 0) await emit(take());
    },
  };
}
