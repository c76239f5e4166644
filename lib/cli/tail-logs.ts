import type { Writable } from 'node:stream';
import { type LogStream, logicalSize, readSince } from '../store/log-files.ts';

const LOOK_MS = 200;
const CHUNK_BYTES = 64 * 1024;

/** Shows what is added to the logs of a workstream from now on, across rotations, until `end`, which shows the rest. */
export function tailLogs(
  root: string,
  id: string,
  streams: readonly { stream: LogStream; to: Writable }[],
): { end: () => void } {
  const tails = streams.map(({ stream, to }) => ({ stream, to, at: logicalSize(root, id, stream) }));
  const look = (): void => {
    for (const tail of tails) {
      for (;;) {
        const { from, bytes } = readSince(root, id, tail.stream, tail.at, CHUNK_BYTES);
        if (bytes.length === 0) break;
        tail.to.write(bytes);
        tail.at = from + bytes.length;
      }
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    end: () => {
      clearInterval(timer);
      look();
    },
  };
}
