import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { errnoOf } from '../../errors.ts';

/**
 * The way to the terminal. Node writes to terminals with blocking calls: a line that stalls (a connection that is dead
 * and not yet found out, a frozen terminal) would hold up whoever draws, which in an attached run is the orchestrator.
 * So this is a file description of our own, on which no write waits. Not shared with the shell, it may be left behind.
 */
export type Line = {
  /** Writes what the line takes now; the rest later. */
  write(bytes: string): void;
  /** Something is left to be written: whoever draws waits with the next frame. */
  isBusy(): boolean;
  /** What was never written. */
  close(): Buffer;
};

const RETRY_MS = 50;
const NOTHING = Buffer.alloc(0);
/** The line takes nothing now. */
const FULL = 'EAGAIN';

/** Null where the terminal cannot be opened once more: after `su`, or without `/proc`. */
function openAgain(): number | null {
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** A line to the terminal at stdout; `onGone` where it takes nothing ever again. */
export function openLine(onGone: () => void): Line {
  const descriptor = openAgain();
  let left: Buffer = NOTHING;
  let timer: NodeJS.Timeout | null = null;
  const flush = (): void => {
    timer = null;
    try {
      while (descriptor !== null && left.length > 0) left = left.subarray(writeSync(descriptor, left));
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      if (errnoOf(error) !== FULL) {
        left = NOTHING;
        onGone();
      }
    }
    if (left.length > 0) timer = setTimeout(flush, RETRY_MS);
  };
  return {
    write(bytes) {
      if (descriptor === null) {
        process.stdout.write(bytes);
        return;
      }
      left = Buffer.concat([left, Buffer.from(bytes)]);
      if (timer === null) flush();
    },
    isBusy: () => left.length > 0,
    close() {
      if (timer !== null) clearTimeout(timer);
      if (descriptor !== null) closeSync(descriptor);
      return left;
    },
  };
}
