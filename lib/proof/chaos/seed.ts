import { createHash } from 'node:crypto';

/** The seed of one round, or of one part of it: 32 bits that the parts alone decide. */
export function seedOf(...parts: readonly (string | number)[]): number {
  return createHash('sha256').update(parts.join('/')).digest().readUInt32LE(0);
}
