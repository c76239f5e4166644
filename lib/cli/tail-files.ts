import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import type { Writable } from 'node:stream';

const LOOK_MS = 200;
const CHUNK_BYTES = 64 * 1024;

/** Shows what is added to files from now on, until `end`, which shows the rest. */
export function tailFiles(files: readonly { path: string; to: Writable }[]): { end: () => void } {
  const tails = files.map(({ path, to }) => ({ path, to, at: existsSync(path) ? statSync(path).size : 0 }));
  const look = (): void => {
    for (const tail of tails) if (existsSync(tail.path)) tail.at = show(tail.path, tail.at, tail.to);
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    end: () => {
      clearInterval(timer);
      look();
    },
  };
}

function show(path: string, from: number, to: Writable): number {
  const descriptor = openSync(path, 'r');
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let at = from;
  try {
    for (;;) {
      const bytes = readSync(descriptor, buffer, 0, buffer.length, at);
      if (bytes === 0) return at;
      to.write(Buffer.from(buffer.subarray(0, bytes)));
      at += bytes;
    }
  } finally {
    closeSync(descriptor);
  }
}
