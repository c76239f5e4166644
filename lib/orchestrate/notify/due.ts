import { createHash } from 'node:crypto';
import type { NotifyEvent } from '../../protocol/notify.ts';
import type { Reason } from '../../protocol/status.ts';

/** What there is to tell, from a picture of the workstreams of a plan. Pure. */

/** One workstream as a notifier's eye sees it. */
export type Sight = {
  id: string;
  /** Of its record; null where there is none. */
  run: string | null;
  attempt: number;
  /** A state, `unknown` or `missing`. */
  state: string;
  final: boolean;
  reason: Reason | null;
};

/** `key` names the thing: equal for the same thing at another moment, and for nothing else. */
export type Occasion = { key: string; event: NotifyEvent; about: readonly Sight[] };

const FAILED: ReadonlySet<string> = new Set(['failed', 'timed_out', 'crashed', 'conflict']);
/** Why something that is not final waits for a person, or for an account's limit. */
const ATTENTION: ReadonlySet<string> = new Set([
  'environment',
  'containment',
  'spawn_failed',
  'rate_limited',
  'quota',
]);
const SUCCESS: ReadonlySet<string> = new Set(['completed', 'merged']);

const KEY_CHARACTERS = 20;

function keyOf(event: NotifyEvent, ...parts: readonly (string | number | null)[]): string {
  const text = JSON.stringify([event, ...parts]);
  return createHash('sha256').update(text).digest('hex').slice(0, KEY_CHARACTERS);
}

/** Everything that holds now and is worth a word, whether it was told or not. `held`: `orch stop --all` was given. */
export function occasionsOf(sights: readonly Sight[], run: string, held: boolean): Occasion[] {
  const occasions: Occasion[] = [];
  for (const sight of sights) {
    const { id, attempt, state, final, reason } = sight;
    if (final && FAILED.has(state)) {
      // Once `collect` meets a conflict, that is news about an attempt that had completed.
      const key = keyOf('failed', id, sight.run, attempt, state === 'conflict' ? state : 'failed');
      occasions.push({ key, event: 'failed', about: [sight] });
    }
    const code = state === 'unknown' ? 'unknown' : (reason?.code ?? '');
    if (!final && (state === 'unknown' || ATTENTION.has(code)))
      occasions.push({
        key: keyOf('attention', id, sight.run, attempt, code),
        event: 'attention',
        about: [sight],
      });
  }
  const waiting = sights.filter(({ final }) => !final);
  if (held && waiting.length > 0)
    occasions.push({ key: keyOf('attention', 'held', run), event: 'attention', about: waiting });
  if (sights.length > 0 && waiting.length === 0) {
    const ends = sights.map((sight) =>
      [sight.id, sight.run, sight.attempt, SUCCESS.has(sight.state)].join(' '),
    );
    occasions.push({ key: keyOf('final', ...ends), event: 'final', about: sights });
  }
  return occasions;
}

/** Those of `now` that are not in `told`. */
export function newOccasions(now: readonly Occasion[], told: ReadonlySet<string>): Occasion[] {
  return now.filter(({ key }) => !told.has(key));
}
