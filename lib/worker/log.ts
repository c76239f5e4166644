import { fstatSync } from 'node:fs';
import { OrchError } from '../errors.ts';
import { ENV } from '../protocol/layout.ts';
import { type LogStream, logicalSize } from '../store/log-files.ts';

/**
 * How much this attempt's workstream has written so far to its two logs, which are this process's stdout and stderr.
 * Logical sizes: they mean the same after a rotation; `readSince` (`store/log-files.ts`) reads from them on.
 */
export function logSizes(): { out: number; err: number } {
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
