import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText, escapeControls } from '../../lib/protocol/text.ts';
import { text } from './arbitraries.ts';

describe('cutText', () => {
  it.each([
    ['a'.repeat(256), 'a'.repeat(256)],
    ['a'.repeat(257), `${'a'.repeat(253)}…`],
    ['é'.repeat(128), 'é'.repeat(128)],
    [`${'é'.repeat(128)}a`, `${'é'.repeat(126)}…`],
    [`${'a'.repeat(252)}😀bcd`, `${'a'.repeat(252)}…`],
    ['😀'.repeat(65), `${'😀'.repeat(63)}…`],
    ['', ''],
  ])('cuts at a border of characters: %j', (whole, cut) => {
    expect(cutText(whole, 256)).toBe(cut);
  });

  it('stays within the limit, keeps a prefix and adds no broken character', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 3, max: 300 }), (whole, limit) => {
        const cut = cutText(whole, limit);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
        if (cut === whole) return;
        expect(Buffer.byteLength(whole)).toBeGreaterThan(limit);
        expect(cut.endsWith('…')).toBe(true);
        const kept = cut.slice(0, -1);
        expect(whole.startsWith(kept)).toBe(true);
        // A pair of surrogates is never cut in two.
        const next = whole.slice(kept.length);
        expect(/[\ud800-\udbff]$/.test(kept) && /^[\udc00-\udfff]/.test(next)).toBe(false);
        // Nor is more cut than needed: the next character would not have fitted.
        const [character = ''] = next;
        expect(Buffer.byteLength(kept + character)).toBeGreaterThan(limit - 3);
      }),
      { numRuns: 300 },
    );
  });
});

describe('escapeControls', () => {
  it('leaves nothing that moves a cursor, rings, reorders or breaks the line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (hostile) => {
        expect(escapeControls(hostile)).not.toMatch(
          /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/,
        );
      }),
      {
        numRuns: 2000,
        examples: [['\u001b]0;x\u0007'], ['\u009b31m'], ['\u202egnp.exe'], ['a\r\nb'], ['a\u2028b']],
      },
    );
  });

  it('leaves plain text alone', () => {
    expect(escapeControls('Grüße, 世界 😀 "quoted" \\n')).toBe('Grüße, 世界 😀 "quoted" \\n');
  });
});
