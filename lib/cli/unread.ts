/**
 * Goes on to its end though nobody reads any more (`orch wait | head -1`): an exit code that is a verdict is told to
 * whoever started the command, too. Before, the end of the reader ended the command.
 */
export function goOnUnread(): void {
  isGoingOn = true;
}

let isGoingOn = false;

/** The reader of a pipe has gone; the terminal is hung up. */
const NOBODY_READS: ReadonlySet<unknown> = new Set(['EPIPE', 'EIO']);

/** Ends the command where its stdout cannot be written. `onTerminal`: stdout is a terminal. */
export function endUnwritable(onTerminal: boolean): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isUnread = error.code === 'EPIPE';
    if (isUnread && isGoingOn) return;
    // A reader that has enough (`orch logs | head`) is no fault, and a terminal that is hung up is an interruption.
    const isHungUp = error.code === 'EIO' && onTerminal;
    process.exit(isUnread ? 0 : isHungUp ? 130 : 70);
  });
  // What is said beside costs the words alone: a hang-up has a signal of its own.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!NOBODY_READS.has(error.code)) throw error;
  });
}
