import ansiEscapes from 'ansi-escapes';

const { cursorTo, eraseEndLine, eraseDown } = ansiEscapes;

/**
 * The bytes that turn one frame into the next on a terminal whose first line is the frame's: only the lines that
 * differ. `before` null: nothing is known of the screen. The cursor ends below the frame, where a shell would go on
 * if this process died now. Never clears first: a line is written over and its rest erased, so that nothing flickers.
 */
export function patch(before: readonly string[] | null, after: readonly string[]): string {
  let bytes = '';
  for (const [row, line] of after.entries()) {
    if (before !== null && before[row] === line) continue;
    bytes += cursorTo(0, row) + line + eraseEndLine;
  }
  const isShorter = before === null || before.length > after.length;
  if (isShorter) bytes += cursorTo(0, after.length) + eraseDown;
  else if (bytes !== '') bytes += cursorTo(0, after.length);
  return bytes;
}

/** Takes the screen over: what was on it goes up into the history of the terminal. */
export function scrollAway(rows: number): string {
  return '\n'.repeat(Math.max(rows - 1, 0)) + cursorTo(0, 0);
}

/** Gives the screen back, empty, with the cursor at its top. */
export function wipe(): string {
  // Not from the very first cell: there tmux takes it for a clear, and keeps the last frame in its history.
  return cursorTo(0, 0) + eraseEndLine + cursorTo(0, 1) + eraseDown + cursorTo(0, 0);
}
