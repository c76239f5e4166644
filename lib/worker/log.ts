import { fstatSync } from 'node:fs';
import { OrchError } from '../errors.ts';
import { ENV } from '../protocol/layout.ts';
import { type LogStream, logicalSize, readSince } from '../store/log-files.ts';
import type { Transcript } from '../tools/adapter.ts';
import type { Attempt } from './attempt.ts';

export type LogSizes = { out: number; err: number };

/**
 * How much this attempt's workstream has written so far to its two logs, which are this process's stdout and stderr.
 * Logical sizes: they mean the same after a rotation; `readSince` (`store/log-files.ts`) reads from them on.
 */
export function logSizes(): LogSizes {
  return { out: sizeOf('stdout', 1), err: sizeOf('stderr', 2) };
}

function sizeOf(stream: LogStream, descriptor: number): number {
  const { [ENV.root]: root, [ENV.workstream]: id } = process.env;
  if (root === undefined || id === undefined) return fstatSync(descriptor).size;
  try {
    return logicalSize(root, id, stream);
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    // A tool put something else in the place of its log. The work goes on; what is there is told by who reads it.
    return fstatSync(descriptor).size;
  }
}

const TRANSCRIPT_MAX_BYTES = 4 * 1024 * 1024;

/** What is printed from now on, read back whenever it is asked for: the last 4 MiB of each stream, or `maxBytes`. */
export function transcriptFromNow(attempt: Attempt, maxBytes = TRANSCRIPT_MAX_BYTES): Transcript {
  const { root, workstream } = attempt;
  const from = logSizes();
  const read = (stream: LogStream, start: number): string => {
    const end = logicalSize(root, workstream.id, stream);
    const { bytes } = readSince(root, workstream.id, stream, Math.max(start, end - maxBytes), maxBytes);
    return bytes.toString('utf8');
  };
  return { read: () => ({ out: read('stdout', from.out), err: read('stderr', from.err) }) };
}
