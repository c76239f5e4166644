import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTCOMES } from '../../lib/protocol/status.ts';
import { aiderOutcome } from '../../lib/tools/aider-outcome.ts';
import { claudeOutcome } from '../../lib/tools/claude.ts';
import type { End, Reading } from '../../lib/tools/cli-agent.ts';
import { codexOutcome } from '../../lib/tools/codex.ts';
import { copilotOutcome } from '../../lib/tools/copilot.ts';
import { geminiOutcome } from '../../lib/tools/gemini.ts';
import { opencodeOutcome } from '../../lib/tools/opencode.ts';
import { safeMessage } from '../../lib/tools/redact.ts';
import { registeredOutcome } from '../../lib/tools/registered.ts';

/** Whatever a tool prints, it is read without an error, in bounded time, and no success comes of rubbish. */

const READERS: Record<string, (end: End, files: string) => Reading> = {
  aider: (end, files) => aiderOutcome(end, { events: files, history: end.out }),
  claude: claudeOutcome,
  codex: codexOutcome,
  opencode: opencodeOutcome,
  gemini: geminiOutcome,
  copilot: copilotOutcome,
};
const OWN = {
  prompt: 'stdin' as const,
  outcomes: [{ outcome: 'done' as const, json: { path: 'a.b', equals: true } }],
  usage: { tokensIn: '__proto__.x', tokensOut: 'hasOwnProperty.arity', costUsd: 'a.0' },
};

/** Words of their formats, put together anyhow. */
const word = fc.constantFrom(
  ...[
    'type',
    'result',
    'turn.completed',
    'turn.failed',
    'error',
    'message_send_starting',
    'message_send',
    'exit',
  ],
  ...[
    'event',
    'is_error',
    'usage',
    'data',
    'statusCode',
    'step_finish',
    'part',
    'tokens',
    'stats',
    'models',
    'response',
  ],
  ...[
    'session.error',
    'exitCode',
    'modelMetrics',
    '__proto__',
    'constructor',
    'toString',
    '> litellm.X: ',
    'properties',
  ],
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(word, fc.double(), fc.constant(null), fc.boolean(), fc.constant(1e308)),
    fc.dictionary(word, tie('value'), { maxKeys: 5 }),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
})).value;
const line = fc.oneof(
  json.map((value) => JSON.stringify(value)),
  fc.string(),
  word,
  fc.constantFrom('{', '}', '[', '{"a":'),
);
const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n'));
const ends = fc.record({
  exitCode: fc.oneof(fc.constant(null), fc.constant(0), fc.integer({ min: 0, max: 255 })),
  signal: fc.constant(null),
  out: text,
  err: text,
});

describe.each(Object.entries(READERS))('%s', (_, read) => {
  it('reads anything, counts nothing that is no number, and finds no success without exit code 0', () => {
    fc.assert(
      fc.property(ends, text, (end, files) => {
        const { outcome, message, usage, retryAfterSeconds } = read(end, files);
        expect(OUTCOMES).toContain(outcome);
        expect(typeof message).toBe('string');
        if (outcome === 'done') expect(end.exitCode).toBe(0);
        for (const count of [
          usage?.tokensIn ?? 0,
          usage?.tokensOut ?? 0,
          usage?.costUsd ?? 0,
          retryAfterSeconds ?? 0,
        ])
          expect(count >= 0 && !Number.isNaN(count)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('finds no success in what says nothing', () => {
    fc.assert(
      fc.property(fc.string(), (out) => {
        expect(read({ exitCode: 0, signal: null, out, err: out }, out).outcome).not.toBe('done');
      }),
    );
  });

  it('reads four mebibytes of anything in bounded time', () => {
    // Of its own time: the machine may be busy.
    const begun = process.cpuUsage();
    for (const piece of [
      '{',
      '}',
      '{\n',
      '}\n',
      '{"a":',
      '[',
      '> litellm.X: ',
      '} \t',
      '{"type":"result"}\n',
      '"\\',
    ]) {
      const out = piece.repeat(Math.floor((4 * 1024 * 1024) / piece.length));
      read({ exitCode: 1, signal: null, out, err: out }, out);
    }
    expect(process.cpuUsage(begun).user).toBeLessThan(60_000_000);
  });
});

it('a registered tool reads anything, and nothing of the prototypes', () => {
  fc.assert(
    fc.property(ends, (end) => {
      const { outcome, usage } = registeredOutcome(end, OWN);
      expect(OUTCOMES).toContain(outcome);
      expect(usage?.tokensOut ?? 0).toBe(0);
    }),
    { numRuns: 300 },
  );
});

describe('a message', () => {
  it('is one line, short, and holds no key of the environment', () => {
    const key = fc.stringMatching(/^[A-Za-z0-9_-]{8,40}$/);
    fc.assert(
      fc.property(fc.string(), key, fc.string(), (before, secret, after) => {
        const message = safeMessage(`${before}\n${secret} ${after}`, {
          OPENAI_API_KEY: secret,
          HOME: '/root',
        });
        expect(message).not.toContain(secret);
        expect(message).not.toContain('\n');
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(300);
      }),
    );
    const begun = process.cpuUsage();
    safeMessage('sk-a1 '.repeat(1_000_000), {});
    expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000);
  });
});
