import type { Outcome } from '../../protocol/status.ts';
import { MODES, type Mode } from '../model-server/modes.ts';
import { SUBJECTS } from './subjects.ts';

/**
 * What each mode of the server must come to (contract 8), after the look with git. Two words where both are true: a
 * tool that tells of an empty answer ends in `error`, of one that does not git says `no_change`; neither is a success.
 * Of a server that never answers it is `stalled`, unless a tool is at work while it waits: then its time ends it.
 */
export const RIGHT: Record<Mode, readonly Outcome[]> = {
  text: ['no_change'],
  edit: ['done'],
  '401': ['auth'],
  '404': ['error'],
  '429': ['rate_limited'],
  quota: ['quota'],
  '5xx': ['error'],
  context_overflow: ['context_overflow'],
  empty: ['no_change', 'error'],
  dropped: ['error'],
  never: ['stalled', 'timeout'],
  // A run of one tool may repair its edit by itself, or say that it could not.
  wrong_then_right: ['done', 'bad_edit'],
};

/** A cell that is not as the contract wants it, and why: shown with a footnote. */
type Deviation = { outcome: Outcome; why: string };

/** By subject. There is none for aider and llm, and there must be none. */
const DEVIATIONS: Readonly<Record<string, Partial<Record<Mode, Deviation>>>> = {
  opencode: {
    quota: {
      outcome: 'stalled',
      why: 'opencode obeys a `retry-after` of an hour in silence, and tells nobody why; `stall_timeout` ends it.',
    },
  },
};

/** Where `RIGHT` leaves a choice, what is true of a subject. */
const CHOICES: Readonly<Record<string, Partial<Record<Mode, Outcome>>>> = {
  aider: { empty: 'error' },
  llm: { empty: 'error' },
  'llm (anthropic)': { empty: 'error' },
  gemini: { empty: 'error' },
  copilot: { empty: 'error' },
};

export type Expected = { outcome: Outcome; why: string | null };

/** What the cell was found to be. */
export function expectedOf(subject: string, mode: Mode): Expected {
  const deviation = DEVIATIONS[subject]?.[mode];
  if (deviation !== undefined) return deviation;
  const [first] = RIGHT[mode];
  return { outcome: CHOICES[subject]?.[mode] ?? first ?? 'done', why: null };
}

/** Every cell of the matrix. */
export function allExpected(): { subject: string; mode: Mode; expected: Expected }[] {
  return SUBJECTS.flatMap(({ name }) =>
    MODES.map((mode) => ({ subject: name, mode, expected: expectedOf(name, mode) })),
  );
}
