import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errnoOf } from '../errors.ts';

/**
 * The channel between an attached worker and its orchestrator: file descriptor 3 of the worker, lines of text. Not
 * node's own IPC, whose receiver holds a line of any length and is ended by one that is no JSON.
 */

/** Where a child has the channel, if it was started with one. */
const CHANNEL_FD = 3;
const NEWLINE = 0x0a;

/**
 * Hands over each line of at most `maxBytes` that comes, in order. Longer ones are passed over and never held. Keeps
 * nobody awake; an end or an error says nothing here.
 */
export function readLines(channel: Duplex, maxBytes: number, onLine: (line: string) => void): void {
  let held: Buffer[] = [];
  let size = 0;
  channel.on('data', (block: Buffer) => {
    for (let at = 0; at < block.length; ) {
      const newline = block.indexOf(NEWLINE, at);
      const end = newline === -1 ? block.length : newline;
      size += end - at;
      if (size <= maxBytes) held.push(block.subarray(at, end));
      else held = [];
      at = end + 1;
      if (newline === -1) break;
      if (size <= maxBytes && size > 0) onLine(Buffer.concat(held).toString('utf8'));
      held = [];
      size = 0;
    }
  });
  channel.on('error', () => undefined);
  channel.resume();
  if (channel instanceof Socket) channel.unref();
}

export type Teller = {
  /**
   * Sends a line, later or never. Nobody waits for it, and it holds at most one line of each `kind` back: while the
   * reader does not read, the newest takes the place of the one before.
   */
  tell(kind: string, line: string): void;
};

const NOBODY: Teller = { tell: () => undefined };

/** True if the descriptor is the socket that a launcher made, and not some other open file. */
function hasChannel(): boolean {
  try {
    return fstatSync(CHANNEL_FD).isSocket();
  } catch (error) {
    if (errnoOf(error) === 'EBADF') return false;
    throw error;
  }
}

/** For an attached worker, after the gate: calls `onLost` once the other end is closed. Keeps nobody awake. */
export function openChannel(onLost: () => void): Teller {
  if (!hasChannel()) return NOBODY;
  const channel = new Socket({ fd: CHANNEL_FD, readable: true, writable: true });
  const waiting = new Map<string, string>();
  let isBusy = false;
  let isLost = false;
  const lose = (): void => {
    if (isLost) return;
    isLost = true;
    waiting.clear();
    onLost();
  };
  const send = (): void => {
    const [next] = waiting;
    if (next === undefined || isBusy || isLost) return;
    waiting.delete(next[0]);
    isBusy = true;
    channel.write(`${next[1]}\n`, () => {
      isBusy = false;
      send();
    });
  };
  channel.on('error', lose).on('end', lose).on('close', lose);
  // Nothing is ever sent this way; only its end is heard.
  channel.resume();
  channel.unref();
  return {
    tell(kind, line) {
      if (isLost) return;
      waiting.delete(kind);
      waiting.set(kind, line);
      send();
    },
  };
}
