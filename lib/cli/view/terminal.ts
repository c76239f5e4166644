import { emitKeypressEvents } from 'node:readline';
import { errnoOf } from '../../errors.ts';
import { type Guard, startGuard, terminalSettings } from './guard.ts';
import type { Key } from './keys.ts';
import { openLine } from './line.ts';
import { patch, scrollAway, wipe } from './paint.ts';

/**
 * The thin edge: keys in, frames out. The view neither uses the alternate screen nor hides the cursor, so that a
 * connection that drops, or a kill, leaves nothing behind on the screen that only an escape sequence could undo. What
 * is left is the raw mode of the keyboard: it is reset whenever this process ends by itself, by the guard when it was
 * killed.
 */
export type Terminal = {
  size(): { columns: number; rows: number };
  /** Writes what differs from the last frame; false where the line is still at that: then it is to be tried later. */
  draw(lines: readonly string[]): boolean;
  /** The next frame is written as a whole. */
  forget(): void;
  /** Stops this process group, as Ctrl+Z does elsewhere; goes on when somebody continues it. */
  suspend(): void;
  /** Gives the terminal back, empty; what others wrote on stderr meanwhile comes now. Never throws. */
  close(): void;
};

type Listeners = {
  onKey: (key: Key) => void;
  onResize: () => void;
  /** The terminal is gone: nobody looks any more. */
  onGone: () => void;
  /** Somebody wrote a line on stderr, which would have torn the frame. */
  onNote: (text: string) => void;
};

/** Lines of others that are kept for later. */
const HELD_MAX = 50;

/** Errors of a terminal that has been hung up. */
const GONE = new Set(['EIO', 'EPIPE', 'ENXIO', 'EBADF']);

function setRaw(raw: boolean): void {
  try {
    process.stdin.setRawMode(raw);
  } catch (error) {
    // libuv's error, with its own code: the terminal is gone, and so are its settings.
    if (!GONE.has(errnoOf(error) ?? '')) throw error;
  }
}

/** Both settings are known before the guard starts, and the guard runs before the terminal is changed for good. */
function guardTerminal(): Guard | null {
  const before = terminalSettings();
  setRaw(true);
  const during = before === null ? null : terminalSettings();
  setRaw(false);
  return before === null || during === null ? null : startGuard(before, during);
}

/** Holds back what anybody writes on stderr, which is the same screen, until `end`. */
function holdStderr(onNote: (text: string) => void): { end: () => void } {
  const { stderr } = process;
  if (stderr.isTTY !== true) return { end: () => undefined };
  const own = stderr.write;
  const held: string[] = [];
  stderr.write = ((chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    held.push(text);
    if (held.length > HELD_MAX) held.shift();
    onNote(text.trimEnd());
    const done = rest.find((one) => typeof one === 'function');
    if (done !== undefined) process.nextTick(done as () => void);
    return true;
  }) as typeof stderr.write;
  return {
    end: () => {
      stderr.write = own;
      for (const text of held.splice(0)) stderr.write(text);
    },
  };
}

/** Opens the view's terminal; stdin and stdout are one. The caller closes it. */
export function openTerminal({ onKey, onResize, onGone, onNote }: Listeners): Terminal {
  const { stdin, stdout } = process;
  const guard = guardTerminal();
  const cooked = (): void => setRaw(false);
  // First of all: the program leaves its terminals there.
  process.prependListener('exit', cooked);
  let before: readonly string[] | null = null;
  let isOpen = true;
  const gone = (): void => {
    isOpen = false;
    onGone();
  };
  const line = openLine(gone);
  const keypress = (_text: string | undefined, key: Key): void => onKey(key);
  const resized = (): void => {
    before = null;
    onResize();
  };
  let isSuspended = false;
  const continued = (): void => {
    isSuspended = false;
    setRaw(true);
    if (!line.isBusy()) line.write(scrollAway(stdout.rows));
    resized();
  };
  const held = holdStderr(onNote);
  emitKeypressEvents(stdin);
  stdin.on('keypress', keypress);
  stdin.on('end', gone);
  stdin.on('error', gone);
  stdout.on('resize', resized);
  process.on('SIGCONT', continued);
  setRaw(true);
  stdin.resume();
  line.write(scrollAway(stdout.rows));
  return {
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    draw(lines) {
      if (!isOpen) return true;
      if (line.isBusy()) return false;
      const bytes = patch(before, lines);
      before = [...lines];
      if (bytes !== '') line.write(bytes);
      return true;
    },
    forget: () => {
      before = null;
    },
    suspend() {
      line.write(wipe());
      setRaw(false);
      // The group, as the kernel would: a program that started this one, such as npm, waits with it.
      isSuspended = true;
      process.kill(0, 'SIGTSTP');
      // Where no shell could continue it (the first program of a terminal), the kernel stops nobody.
      setImmediate(() => {
        if (isSuspended && isOpen) continued();
      });
    },
    close() {
      stdin.off('keypress', keypress);
      stdout.off('resize', resized);
      process.off('SIGCONT', continued);
      setRaw(false);
      process.off('exit', cooked);
      stdin.pause();
      // 'end' and 'error' keep their listeners: a hang-up may still come, and is nothing to fail of.
      stdin.unref();
      const rest = line.close();
      // What was cut off is completed, so that the terminal takes the next sequence for one.
      if (isOpen) stdout.write(Buffer.concat([rest, Buffer.from(wipe())]));
      isOpen = false;
      held.end();
      guard?.dismiss();
    },
  };
}
