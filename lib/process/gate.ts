import { closeSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { errnoOf, OrchError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';

/** The child's side of the gate; `spawn.ts` is the other. The byte tells how the child was launched. */
export const GATE_BYTE = { attached: 'a', detached: 'd' } as const;

const RETRY_MS = 5;

/** One byte from fd 0, or null at its end, however long that takes. */
function readByte(): string | null {
  const byte = Buffer.alloc(1);
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return readSync(0, byte, 0, 1, null) === 0 ? null : byte.toString('latin1');
    } catch (error) {
      const errno = errnoOf(error);
      // ECONNRESET: the other end died with something unread, as dead as an end of file.
      if (errno === 'ECONNRESET' || errno === 'EOF') return null;
      if (errno !== 'EAGAIN' && errno !== 'EINTR') throw error;
      Atomics.wait(clock, 0, 0, RETRY_MS);
    }
  }
}

/** A detached child must not hold the dead launcher's pipe, where a tool would read and wait for ever. */
function pointStdinAtNull(): void {
  closeSync(0);
  const fd = openSync('/dev/null', 'r');
  if (fd !== 0) throw new OrchError('INTERNAL', `/dev/null was opened as ${fd} in place of stdin`);
}

/**
 * Blocks until the launcher has written the record and lets this process run (`passed`), or is gone (`closed`):
 * then nothing may be touched, just exit. Call it first, before anything opens stdin. A signal that has a listener
 * is heard only once this returns; any other has its default effect.
 */
export function passGate(): 'passed' | 'closed' {
  failpoint('process.gate.wait');
  const byte = readByte();
  if (byte === null) return 'closed';
  failpoint('process.gate.passed');
  if (byte === GATE_BYTE.detached) pointStdinAtNull();
  return 'passed';
}

/** For attached mode, after the gate: calls `onLost` once when the parent is gone. Keeps nobody awake. */
export function watchParent(onLost: () => void): void {
  const socket = new Socket({ fd: 0, readable: true, writable: false });
  let isLost = false;
  const lose = (): void => {
    if (isLost) return;
    isLost = true;
    onLost();
  };
  // An error on the pipe says as much as its end does.
  socket.on('error', lose).on('end', lose).on('close', lose);
  socket.resume();
  socket.unref();
}
