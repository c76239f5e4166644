import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allExpected, RIGHT } from '../../lib/proof/agents/expected.ts';
import { cellsOf } from '../agents/page.ts';

describe('the matrix of tools', () => {
  it('is in the docs as it is expected', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/tools-matrix.md'), 'utf8');
    const expected = allExpected().map(({ subject, mode, expected: { outcome } }) => ({
      subject,
      mode,
      outcome,
    }));
    const order = (one: { subject: string; mode: string }): string => `${one.subject} ${one.mode}`;
    const sorted = <T extends { subject: string; mode: string }>(cells: T[]): T[] =>
      cells.sort((a, b) => order(a).localeCompare(order(b)));
    expect(sorted(cellsOf(page))).toEqual(sorted(expected));
  });

  it('has no wrong cell for aider and llm, and a reason for each other one', () => {
    for (const { subject, mode, expected } of allExpected()) {
      const isRight = RIGHT[mode].includes(expected.outcome);
      if (subject === 'aider' || subject.startsWith('llm'))
        expect([subject, mode, isRight]).toEqual([subject, mode, true]);
      expect([subject, mode, expected.why === null]).toEqual([subject, mode, isRight]);
    }
  });
});
