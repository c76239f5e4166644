import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { taskText, withDigests } from '../../lib/protocol/plan.ts';

const run = (command: string) => ({ kind: 'run' as const, run: command, timeoutMs: null, step: null });
const prompt = (words: string) => ({
  kind: 'prompt' as const,
  prompt: words,
  tool: null,
  timeoutMs: null,
  step: null,
});

const task = fc.oneof(
  fc.constantFrom('a', 'b', 'a\0', '0', '').map(run),
  fc.constantFrom('a', 'b', 'run').map(prompt),
);

describe('withDigests', () => {
  it('names each task once, and the same list alike', () => {
    fc.assert(
      fc.property(fc.array(task, { maxLength: 20 }), (tasks) => {
        const digests = withDigests(tasks).map(({ digest }) => digest);
        expect(new Set(digests).size).toBe(tasks.length);
        expect(withDigests(tasks).map(({ digest }) => digest)).toEqual(digests);
        for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the names of tasks when others are put before, behind or between', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(task, { selector: taskKey, maxLength: 8 }),
        fc.array(task),
        (tasks, others) => {
          const added = others.filter((one) => !tasks.some((kept) => taskKey(kept) === taskKey(one)));
          const before = withDigests(tasks).map(({ digest }) => digest);
          const mixed = [...added, ...tasks.flatMap((one, at) => [one, ...added.slice(at, at + 1)])];
          const after = withDigests(mixed).map(({ digest }) => digest);
          for (const digest of before) expect(after).toContain(digest);
        },
      ),
    );
  });

  it('does not take a prompt for a command, and ignores tool, step and timeout', () => {
    const [a, b] = withDigests([run('x'), prompt('x')]);
    expect(a?.digest).not.toBe(b?.digest);
    const [changed] = withDigests([{ ...run('x'), timeoutMs: 5, step: 's' }]);
    expect(changed?.digest).toBe(a?.digest);
  });
});

function taskKey(one: ReturnType<typeof run> | ReturnType<typeof prompt>): string {
  return `${one.kind} ${taskText(one)}`;
}
