import { historyPath } from '../protocol/layout.ts';
import { type CheckResult, isCheckResult } from '../protocol/status.ts';
import { linesOf } from './open.ts';

/** Reading of `.status/<id>.history.ndjson`, which may be large; a line that says nothing is passed over. */

/** A result of an acceptance test, and the commit that it judged. */
export type KnownCheck = { commit: string; check: CheckResult };

/**
 * Each result of an acceptance test that names its commit, of all attempts, the oldest first.
 * @throws OrchError IO, UNSAFE_FOLDER where the history cannot be read.
 */
export function* checksIn(root: string, id: string): Generator<KnownCheck> {
  for (const line of linesOf(historyPath(root, id))) {
    if (!line.includes('"check"')) continue;
    const entry = parseEntry(line);
    const commit = entry?.['commit'];
    if (entry?.['entry'] !== 'check' || typeof commit !== 'string' || !isCheckResult(entry)) continue;
    const { text, kind, passed, seconds } = entry;
    yield { commit, check: { text, kind, passed, seconds } };
  }
}

/** What a line of a history holds, or null for one that a power cut left cut off: the others still count. */
export function parseEntry(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
