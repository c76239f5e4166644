import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTCOMES, type Outcome } from '../../lib/protocol/status.ts';
import {
  type AccountLimit,
  boundsOf,
  fingerprintOf,
  nextStep,
  type PastRun,
  type Situation,
  type Step,
} from '../../lib/tools/policy.ts';

const NOW = 1_764_400_000;

function past(tool: string, outcome: Outcome, more: Partial<PastRun> = {}): PastRun {
  return { tool, outcome, fingerprint: 'the same', tree: null, ...more };
}

function stepAfter(runs: PastRun[], more: Partial<Situation> = {}): Step {
  const situation = { chain: ['aider', 'llm'], barred: new Map(), limits: new Map() };
  return nextStep({ runs, ...situation, bounds: boundsOf(null), now: NOW, ...more });
}

const limited = (
  seconds: number,
  kind: AccountLimit['kind'] = 'rate_limited',
  account = 'a',
): AccountLimit => ({
  account,
  kind,
  until: NOW + seconds,
});

/** Each outcome, how often in a row, and the step that follows. */
const TABLE: [string, PastRun[], Partial<Step>][] = [
  ['nothing yet', [], { step: 'next_tool', tool: 'aider' }],
  ['done', [past('aider', 'done')], { step: 'accept', run: 0 }],
  ['scope_violation', [past('aider', 'scope_violation')], { step: 'accept', run: 0 }],
  ['no_change', [past('aider', 'no_change')], { step: 'retry_with_feedback', tool: 'aider' }],
  ['no_change twice', Array(2).fill(past('aider', 'no_change')), { step: 'next_tool', tool: 'llm' }],
  [
    'no_change by all',
    [...Array(2).fill(past('aider', 'no_change')), ...Array(2).fill(past('llm', 'no_change'))],
    { step: 'accept', run: 3 },
  ],
  [
    'no_change by the last that can be used',
    [...Array(2).fill(past('aider', 'no_change')), past('llm', 'auth')],
    { step: 'accept', run: 1 },
  ],
  ['not_installed', [past('aider', 'not_installed')], { step: 'next_tool', tool: 'llm' }],
  ['auth', [past('aider', 'auth')], { step: 'next_tool', tool: 'llm' }],
  ['auth of all', [past('aider', 'auth'), past('llm', 'auth')], { step: 'fail', code: 'auth' }],
  ['context_overflow', [past('aider', 'context_overflow')], { step: 'next_tool', tool: 'llm' }],
  ['bad_edit', [past('aider', 'bad_edit')], { step: 'retry_with_feedback', tool: 'aider' }],
  ['bad_edit twice', Array(2).fill(past('aider', 'bad_edit')), { step: 'next_tool', tool: 'llm' }],
  ['timeout', [past('aider', 'timeout')], { step: 'next_tool', tool: 'llm' }],
  ['stalled', [past('aider', 'stalled')], { step: 'retry', tool: 'aider', afterMs: 0 }],
  ['stalled twice', Array(2).fill(past('aider', 'stalled')), { step: 'next_tool', tool: 'llm' }],
  ['error', [past('aider', 'error')], { step: 'retry', tool: 'aider', afterMs: 5_000 }],
  ['error twice', Array(2).fill(past('aider', 'error')), { step: 'next_tool', tool: 'llm' }],
  ['killed', [past('aider', 'killed')], { step: 'interrupted' }],
  ['verify_failed', [past('aider', 'verify_failed')], { step: 'retry_with_feedback', tool: 'aider' }],
  [
    'the same verify_failed three times',
    Array(3).fill(past('aider', 'verify_failed')),
    { step: 'next_tool', tool: 'llm' },
  ],
  [
    'the same verify_failed three times by each',
    [...Array(3).fill(past('aider', 'verify_failed')), ...Array(3).fill(past('llm', 'verify_failed'))],
    { step: 'fail', code: 'circuit_breaker', bound: 'max_error_repeats' },
  ],
  [
    'another verify_failed each time',
    ['a', 'b', 'c', 'd', 'e', 'f'].map((fingerprint) => past('aider', 'verify_failed', { fingerprint })),
    { step: 'fail', code: 'circuit_breaker', bound: 'max_attempts' },
  ],
];

describe('the step after', () => {
  it.each(TABLE)('%s', (_name, runs, step) => {
    expect(stepAfter(runs)).toMatchObject(step);
  });

  it('a rate limit is to wait where it is short, to walk around it where not, and else the earliest', () => {
    const runs = [past('aider', 'rate_limited')];
    const limits = (aider: number, llm?: number) =>
      new Map([
        ['aider', limited(aider)],
        ...(llm === undefined ? [] : ([['llm', limited(llm, 'rate_limited', 'b')]] as const)),
      ]);
    expect(stepAfter(runs, { limits: limits(60) })).toMatchObject({
      step: 'wait',
      tool: 'aider',
      account: 'a',
    });
    expect(stepAfter(runs, { limits: limits(61) })).toEqual({ step: 'next_tool', tool: 'llm' });
    expect(stepAfter(runs, { limits: limits(600, 300) })).toMatchObject({ step: 'wait', account: 'b' });
    expect(stepAfter(runs, { limits: limits(0, 0) })).toMatchObject({
      step: 'retry',
      tool: 'aider',
      afterMs: 0,
    });
  });

  it('a quota is the next tool, however soon it is over; where none is left, to wait', () => {
    const limits = new Map([['aider', limited(10, 'quota')]]);
    expect(stepAfter([past('aider', 'quota')], { limits })).toEqual({ step: 'next_tool', tool: 'llm' });
    const failed = [past('aider', 'quota'), past('llm', 'auth')];
    expect(stepAfter(failed, { limits })).toMatchObject({ step: 'wait', tool: 'aider', kind: 'quota' });
  });

  it('is not to wait where a tool has said twice that there is nothing to change', () => {
    const runs = Array(2).fill(past('llm', 'no_change')) as PastRun[];
    const limits = new Map([['aider', limited(900)]]);
    expect(stepAfter(runs, { limits })).toEqual({ step: 'accept', run: 1 });
  });

  it('heeds a limit that another worker met', () => {
    expect(stepAfter([], { limits: new Map([['aider', limited(900)]]) })).toEqual({
      step: 'next_tool',
      tool: 'llm',
    });
  });

  it('never is a tool that cannot be used in this attempt', () => {
    const barred = new Map<string, Outcome>([['aider', 'auth']]);
    expect(stepAfter([], { barred })).toEqual({ step: 'next_tool', tool: 'llm' });
    expect(stepAfter([], { barred: new Map([...barred, ['llm', 'not_installed' as const]]) })).toEqual({
      step: 'fail',
      code: 'not_installed',
      bound: null,
    });
  });

  it('a tree that came back too often is another tool', () => {
    const run = (tree: string, at: number): PastRun =>
      past('aider', 'verify_failed', { tree, fingerprint: String(at) });
    const runs = ['A', 'B', 'A', 'B', 'A'].map(run);
    expect(stepAfter(runs.slice(0, 4))).toMatchObject({ step: 'retry_with_feedback' });
    expect(stepAfter(runs)).toEqual({ step: 'next_tool', tool: 'llm' });
    expect(stepAfter(runs, { chain: ['aider'] })).toEqual({
      step: 'fail',
      code: 'circuit_breaker',
      bound: 'oscillation_threshold',
    });
  });

  it('does not count what an earlier attempt did', () => {
    const runs = Array(9).fill(past('aider', 'verify_failed', { isEarlier: true })) as PastRun[];
    expect(stepAfter(runs)).toMatchObject({ step: 'retry_with_feedback' });
  });
});

describe('whatever tools say', () => {
  const outcome = fc.constantFrom(...OUTCOMES);
  const world = fc.record({
    chain: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 5 }),
    max: fc.option(fc.integer({ min: 1, max: 9 }), { nil: null }),
    repeats: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
    oscillation: fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }),
    script: fc.array(
      fc.record({
        outcome,
        fingerprint: fc.constantFrom('x', 'y', 'z'),
        tree: fc.constantFrom('A', 'B', 'C'),
        until: fc.integer({ min: 1, max: 5_000 }),
      }),
      { minLength: 1, maxLength: 60 },
    ),
  });

  it('it ends, within its attempts, and runs nothing but the chain', () => {
    fc.assert(
      fc.property(world, ({ chain, max, repeats, oscillation, script }) => {
        const bounds = boundsOf({
          max_attempts: max,
          max_error_repeats: repeats,
          oscillation_threshold: oscillation,
        });
        const barred = new Map<string, Outcome>();
        const limits = new Map<string, AccountLimit>();
        const runs: PastRun[] = [];
        let now = NOW;
        let waits = 0;
        // Limits are counted apart: only so many are in the script, and then no account is limited any more.
        for (let at = 0; ; ) {
          const step = nextStep({ runs, chain, barred, limits, bounds, now });
          if (step.step === 'wait') {
            expect(chain).toContain(step.tool);
            expect(step.until).toBeGreaterThan(now);
            now = step.until;
            waits += 1;
            expect(waits).toBeLessThanOrEqual(script.length);
            continue;
          }
          if (!('tool' in step)) {
            if (step.step === 'accept') expect(runs[step.run]).toBeDefined();
            break;
          }
          expect(chain).toContain(step.tool);
          expect(barred.has(step.tool)).toBe(false);
          const said = script[at] ?? { outcome: 'error' as const, fingerprint: 'x', tree: 'A', until: 0 };
          at += 1;
          expect(at).toBeLessThanOrEqual(script.length + bounds.max_attempts + chain.length);
          runs.push({
            tool: step.tool,
            outcome: said.outcome,
            fingerprint: said.fingerprint,
            tree: said.outcome === 'verify_failed' ? said.tree : null,
          });
          if (said.outcome === 'auth' || said.outcome === 'not_installed')
            barred.set(step.tool, said.outcome);
          if (said.outcome === 'rate_limited' || said.outcome === 'quota')
            limits.set(step.tool, { account: step.tool, kind: said.outcome, until: now + said.until });
        }
        const counted = runs.filter(
          (run) => !['rate_limited', 'quota', 'not_installed'].includes(run.outcome),
        );
        expect(counted.length).toBeLessThanOrEqual(bounds.max_attempts);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a fingerprint', () => {
  it('is the same where only numbers, times, ids and paths differ', () => {
    const one = 'at 2026-11-25T03:10:05Z /tmp/a1/x.py:12: commit 0badc0ffee failed in 1.25s';
    const other = 'at 2026-11-26T13:11:07Z /var/b/y.py:7: commit deadbeef01 failed in 33.5s';
    expect(fingerprintOf(one)).toBe(fingerprintOf(other));
    expect(fingerprintOf('expected true')).not.toBe(fingerprintOf('expected false'));
  });
});
