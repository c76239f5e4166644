import { describe, expect, it } from 'vitest';
import { readAnswer } from '../../lib/tools/llm/answer.ts';
import { applyEdits } from '../../lib/tools/llm/apply.ts';
import { judgeFailure } from '../../lib/tools/llm/failure.ts';
import { fingerprintOf } from '../../lib/tools/policy.ts';
import { outcomeOfProviderError, retryAfterIn } from '../../lib/tools/provider-error.ts';

/**
 * What models, providers and programs say is read in the worker itself: while it reads it has no heartbeat, and hears
 * neither a stop nor its own bounds. Patterns that take the square of a long line would hold it up for an hour.
 */

const MANY = 100_000;
const BLANKS = ' '.repeat(MANY);
const BLOCK = '<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n';
/** The square of it takes half a minute and more; linear is a few milliseconds. */
const BOUND_US = 5_000_000;

function expectQuick(act: () => unknown): void {
  // Of its own time: the machine may be busy.
  const begun = process.cpuUsage();
  act();
  expect(process.cpuUsage(begun).user).toBeLessThan(BOUND_US);
}

describe('what takes a long line to read', () => {
  it.each([
    ['a wish for nothing', `READ: ${BLANKS}\n`],
    ['a wish with blanks inside', `READ: x${BLANKS}y line ${BLANKS}`],
    ['a command with blanks behind', `DELETE: x${BLANKS}\n`],
    ['a marker with blanks behind', `<<< SEARCH${BLANKS}x\n`],
    ['a fence with blanks behind', `\`\`\`${BLANKS}!\n${BLOCK}`],
    ['a fence with a long word', `\`\`\`${'a'.repeat(MANY)}!\n${BLOCK}`],
    ['asterisks', `**${'*'.repeat(MANY)}x\n${BLOCK}`],
  ])('of an answer: %s', (_, text) => {
    expectQuick(() => readAnswer(text));
  });

  it('of a path that is all slashes', () => {
    const { edits } = readAnswer(`DELETE: ${'/'.repeat(MANY)}x\nMOVE: ${'/'.repeat(MANY)}x -> y\n`);
    const desk = { worktree: '/nowhere', files: [], isInside: () => true, isSeen: () => true };
    expect(edits).toHaveLength(2);
    expectQuick(() => expect(applyEdits(edits, desk).ok).toBe(false));
  });

  it('of what a provider says', () => {
    expectQuick(() => retryAfterIn('retry'.repeat(MANY)));
    for (const word of ['quota ', 'invalid ', 'input ', 'exceeds the ', 'model ']) {
      const text = word.repeat(5 * MANY);
      expectQuick(() => outcomeOfProviderError({ status: null, text }));
      expectQuick(() =>
        judgeFailure({ status: 400, headers: {}, text, errno: null }, { model: 'm', host: 'h', now: 0 }),
      );
    }
  });

  it('of what a failed test prints', () => {
    for (const word of ['a', 'a.', 'ab1', '0x1', '1.', '/'])
      expectQuick(() => fingerprintOf(word.repeat(MANY)));
  });
});
