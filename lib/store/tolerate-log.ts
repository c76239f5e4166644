/**
 * Keeps this process alive when its stdout or stderr cannot be written: they are log files, and a full disk must
 * cost the words, not the work.
 */
export function tolerateLog(): void {
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}
