import { fstatSync } from 'node:fs';
import { readLogTail } from '../store/log-tail.ts';
import type { Transcript } from '../tools/adapter.ts';
import type { Attempt } from './attempt.ts';

export type LogSizes = { out: number; err: number };

/** Bytes so far in the two logs, which are this process's stdout and stderr. */
export function logSizes(): LogSizes {
  return { out: fstatSync(1).size, err: fstatSync(2).size };
}

const TRANSCRIPT_MAX_BYTES = 4 * 1024 * 1024;

/** What is printed from now on, read back whenever it is asked for: the last 4 MiB of each stream, or `maxBytes`. */
export function transcriptFromNow(attempt: Attempt, maxBytes = TRANSCRIPT_MAX_BYTES): Transcript {
  const { root, workstream } = attempt;
  const from = logSizes();
  return {
    read: () => ({
      out: readLogTail(root, workstream.id, 'stdout', from.out, maxBytes),
      err: readLogTail(root, workstream.id, 'stderr', from.err, maxBytes),
    }),
  };
}
