import { fstatSync } from 'node:fs';

/** Bytes so far in the two logs, which are this process's stdout and stderr. */
export function logSizes(): { out: number; err: number } {
  return { out: fstatSync(1).size, err: fstatSync(2).size };
}
