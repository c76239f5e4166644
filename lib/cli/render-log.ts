import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import { errnoOf } from '../errors.ts';
import { lineMask } from '../protocol/mask.ts';
import { escapeControls, jsonLine, spellControls } from '../protocol/text.ts';
import type { Screen } from './render.ts';

/**
 * Where the bytes of a log go. `rest` shows what is held back of a line that may not be over. `gap`: what follows is
 * not what came next, so the line is over. `end` shows what is held, and resets colours.
 */
export type LogSink = {
  write: (bytes: Buffer) => Promise<void>;
  rest: () => Promise<void>;
  gap: () => Promise<void>;
  end: () => Promise<void>;
};

/** Colours and other looks (SGR) are harmless; all other escape sequences can move, hide or forge. */
const KEPT = /(\u001b\[[\d;:]*m|\r?\n|\t)/;
const COLOR = /^\u001b/;
const RESET = '\u001b[0m';

type Outlet = NodeJS.WriteStream;

/** Writes, and waits while the reader is slow; whoever interrupts does not wait, nor does anybody for no reader. */
async function emit(chunk: Buffer | string, signal: AbortSignal, to: Outlet = process.stdout): Promise<void> {
  if (signal.aborted || to.write(chunk)) return;
  try {
    await once(to, 'drain', { signal });
  } catch (error) {
    if (!signal.aborted && errnoOf(error) !== 'EPIPE') throw error;
  }
}

/** The bytes as they are, unmasked. */
export function rawSink(signal: AbortSignal): LogSink {
  const nothing = async (): Promise<void> => undefined;
  return { write: (bytes) => emit(bytes, signal), rest: nothing, gap: nothing, end: nothing };
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

/** Control sequences (CSI), and titles, links and the like (OSC and its kin) with what they hold. */
const SEQUENCE =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)|\u001b[ -/]*[0-Z\\`-~]/g;

/** `text` without the escape sequences of terminals; what only looks like the beginning of one stays. */
export function withoutSequences(text: string): string {
  return text.includes('\u001b') || text.includes('\u009b') ? text.replace(SEQUENCE, '') : text;
}

/** What begins a sequence that is not over, and may go on in the next line: a pipe mostly ends in a terminal, too. */
const BEGINNING = /[\u001b\u0080-\u009f]/g;

const forPipe = (text: string): string => withoutSequences(text).replace(BEGINNING, spellControls);

/** A piece of a line; `ends` is false where more of the same line may follow. */
type Piece = { text: string; ends: boolean };

/** A tool that prints for hours without a newline must not fill the memory of who looks. */
const LINE_MAX_LENGTH = 64 * 1024;
/** A long line is cut at a blank near there, so that no word is torn that a mask would know. */
const BLANK_WITHIN = 4096;

/** Puts lines together from blocks; a line over 65,536 characters comes in several pieces. */
function lineCutter(): { take(bytes: Buffer): Piece[]; rest(): Piece[]; end(): Piece[]; gap(): Piece[] } {
  const decoder = new StringDecoder('utf8');
  let held = '';
  const cut = (text: string): Piece[] => {
    const pieces: Piece[] = [];
    const lines = text.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) {
      const parts = partsOf(line);
      const last = parts.pop() ?? '';
      for (const part of parts) pieces.push({ text: part, ends: false });
      pieces.push({ text: last.endsWith('\r') ? last.slice(0, -1) : last, ends: true });
    }
    const parts = partsOf(held);
    held = parts.pop() ?? '';
    for (const part of parts) pieces.push({ text: part, ends: false });
    return pieces;
  };
  const rest = (): Piece[] => {
    const text = held;
    held = '';
    return text === '' ? [] : [{ text, ends: false }];
  };
  return {
    take: (bytes) => cut(held + decoder.write(bytes)),
    rest,
    end: () => [...cut(held + decoder.end()), ...rest()],
    gap: () => [...cut(held + decoder.end()), ...rest()].map((piece) => ({ ...piece, ends: true })),
  };
}

function partsOf(line: string): string[] {
  const parts: string[] = [];
  let rest = line;
  while (rest.length > LINE_MAX_LENGTH) {
    const blank = rest.lastIndexOf(' ', LINE_MAX_LENGTH - 1);
    const at = blank >= LINE_MAX_LENGTH - BLANK_WITHIN ? blank + 1 : LINE_MAX_LENGTH;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  parts.push(rest);
  return parts;
}

/** What the shared end of several sinks has to know: whether the last line on the screen is whole. */
export type Sheet = { owner: object | null };
export const newSheet = (): Sheet => ({ owner: null });

/**
 * Lines for people, masked. On a terminal they are made harmless and keep their colours; in a pipe they lose all
 * escape sequences. With a `prefix` only whole lines are shown, so that those of several workstreams do not mix.
 */
export function textSink(
  screen: Screen,
  signal: AbortSignal,
  {
    prefix = '',
    sheet = newSheet(),
    to = process.stdout,
  }: { prefix?: string; sheet?: Sheet; to?: Outlet } = {},
): LogSink {
  const cutter = lineCutter();
  const mask = lineMask();
  const self = {};
  let painted = false;
  const shown = ({ text, ends }: Piece): string => {
    // In a pipe, masked after it: a colour in the middle of a secret must not bring it through.
    const safe = screen.width === null ? mask(forPipe(text)) : harmless(mask(text), screen.color);
    const isPainted = safe.includes('\u001b');
    painted ||= isPainted;
    const lead = sheet.owner === self ? '' : `${sheet.owner === null ? '' : '\n'}${prefix}`;
    sheet.owner = ends ? null : self;
    // A colour must not run on into the lines of others.
    const reset = isPainted && prefix !== '' ? RESET : '';
    return `${lead}${safe}${reset}${ends ? '\n' : ''}`;
  };
  const show = async (pieces: readonly Piece[]): Promise<void> => {
    if (pieces.length > 0) await emit(pieces.map(shown).join(''), signal, to);
  };
  return {
    write: (bytes) => show(cutter.take(bytes)),
    rest: async () => (prefix === '' ? show(cutter.rest()) : undefined),
    gap: () => show(cutter.gap()),
    async end() {
      const last = cutter.end().map((piece) => (prefix === '' ? piece : { ...piece, ends: true }));
      await show(last);
      // Whoever interrupts must not be left with it, either.
      if (painted && prefix === '') to.write(RESET);
    },
  };
}

/** One JSON object for each line, masked; a line over 65,536 characters comes in several. */
export function jsonSink(workstream: string, stream: string, signal: AbortSignal): LogSink {
  const cutter = lineCutter();
  const mask = lineMask();
  const show = async (pieces: readonly Piece[]): Promise<void> => {
    const lines = pieces.map(({ text }) =>
      jsonLine({ schema: 'orch.log/1', workstream, stream, line: mask(text) }),
    );
    if (lines.length > 0) await emit(lines.join(''), signal);
  };
  return {
    write: (bytes) => show(cutter.take(bytes)),
    rest: async () => undefined,
    gap: () => show(cutter.gap()),
    end: () => show(cutter.end()),
  };
}
