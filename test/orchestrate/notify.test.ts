import fc from 'fast-check';
import { expect, it } from 'vitest';
import { newOccasions, occasionsOf, type Sight } from '../../lib/orchestrate/notify/due.ts';
import { messageOfOccasions, requestOf } from '../../lib/orchestrate/notify/message.ts';

const reason = (code: string): Sight['reason'] => ({ code, message: `because of ${code}`, hint: null });
const sight = (id: string, state: string, more: Partial<Sight> = {}): Sight => {
  const final = !['pending', 'starting', 'running', 'unknown', 'missing'].includes(state);
  return { id, run: 'r1', attempt: 1, state, final, reason: null, ...more };
};
const eventsOf = (sights: readonly Sight[], held = false): string[] =>
  occasionsOf(sights, 'run', held).map(({ event, about }) => `${event} ${about.map(({ id }) => id).join()}`);

it.each([
  ['nothing while all is at work', [sight('A', 'running'), sight('B', 'pending')], []],
  ['a failure at once', [sight('A', 'failed'), sight('B', 'running')], ['failed A']],
  ['a crash only once it is final', [sight('A', 'crashed', { final: false })], []],
  ['no failure where a person stopped it', [sight('A', 'stopped'), sight('B', 'running')], []],
  [
    'no failure of what waited for one',
    [sight('A', 'timed_out'), sight('B', 'blocked')],
    ['failed A', 'final A,B'],
  ],
  ['the end', [sight('A', 'completed'), sight('B', 'merged')], ['final A,B']],
  ['what cannot be judged', [sight('A', 'unknown')], ['attention A']],
  ['what its environment lacks', [sight('A', 'pending', { reason: reason('environment') })], ['attention A']],
  ['what cannot be started', [sight('A', 'pending', { reason: reason('spawn_failed') })], ['attention A']],
  ['a limit', [sight('A', 'running', { reason: reason('rate_limited') })], ['attention A']],
  ['no attention for what is over', [sight('A', 'completed', { reason: reason('quota') })], ['final A']],
  ['nothing of an empty plan', [], []],
] as const)('tells of %s', (_what, sights, events) => {
  expect(eventsOf(sights)).toEqual(events);
});

it('tells of a hold while something waits', () => {
  expect(eventsOf([sight('A', 'completed'), sight('B', 'pending')], true)).toEqual(['attention B']);
  expect(eventsOf([sight('A', 'completed')], true)).toEqual(['final A']);
});

it('tells of another attempt anew, and of a merge not', () => {
  const keys = (sights: Sight[]): string[] => occasionsOf(sights, 'run', false).map(({ key }) => key);
  const failed = keys([sight('A', 'failed')]);
  expect(keys([sight('A', 'failed', { attempt: 2 })]).some((key) => failed.includes(key))).toBe(false);
  expect(keys([sight('A', 'failed', { run: 'r2' })]).some((key) => failed.includes(key))).toBe(false);
  expect(keys([sight('A', 'merged')])).toEqual(keys([sight('A', 'completed')]));
  expect(new Set([...keys([sight('A', 'conflict')]), ...failed]).size).toBe(3);
});

const STATES = [
  'pending',
  'running',
  'completed',
  'failed',
  'crashed',
  'stopped',
  'unknown',
  'blocked',
  'missing',
];
const picture = fc.record({
  held: fc.boolean(),
  sights: fc.uniqueArray(
    fc.record({
      id: fc.constantFrom('A', 'B', 'C'),
      run: fc.constantFrom('r1', 'r2'),
      attempt: fc.integer({ min: 1, max: 3 }),
      state: fc.constantFrom(...STATES),
      code: fc.constantFrom(null, 'environment', 'quota', 'error'),
    }),
    { selector: ({ id }) => id },
  ),
});

it('is never told twice of the same thing, whatever happens, and through restarts of the orchestrator', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(picture, fc.boolean()), { maxLength: 30 }), (history) => {
      const disk = new Set<string>();
      let memory = new Set<string>();
      const told: string[] = [];
      for (const [{ sights, held }, isRestart] of history) {
        if (isRestart) memory = new Set(disk);
        const seen = sights.map(({ id, run, attempt, state, code }) =>
          sight(id, state, { run, attempt, reason: code === null ? null : reason(code) }),
        );
        for (const { key, event, about } of newOccasions(occasionsOf(seen, 'run', held), memory)) {
          // What the key stands for, spelled out.
          const what = about.map(({ id, run, attempt }) => `${id} ${run} ${attempt}`);
          told.push(JSON.stringify([event, key, event === 'failed' ? what : null]));
          memory.add(key);
          disk.add(key);
        }
        // And what holds is always told.
        expect(newOccasions(occasionsOf(seen, 'run', held), disk)).toEqual([]);
      }
      expect(new Set(told).size).toBe(told.length);
    }),
  );
});

it('makes one message of a hundred failures', () => {
  const sights = Array.from({ length: 100 }, (_, at) =>
    sight(`WS-${at}`, 'failed', { reason: reason('error') }),
  );
  const occasions = occasionsOf(sights, 'run', false).filter(({ event }) => event === 'failed');
  const message = messageOfOccasions('/r', 'run', 'failed', occasions, sights);
  expect(message).toMatchObject({
    title: 'WS-0, WS-1, WS-2 and 97 more failed',
    workstreams_total: 100,
    summary: { total: 100, failed: 100 },
  });
  expect(message.workstreams).toHaveLength(20);
  expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThan(16_384);
});

it('masks what looks like a secret: a message leaves the machine', () => {
  const secret = 'sk-ant-abcdefghijklmnop1234567890';
  const bad = { code: 'error', message: `the tool said ${secret}`, hint: null };
  const sights = [sight('A', 'failed', { reason: bad })];
  const message = messageOfOccasions('/r', 'run', 'failed', occasionsOf(sights, 'run', false), sights);
  for (const shape of ['json', 'slack', 'ntfy'] as const)
    expect(JSON.stringify(requestOf(message, shape))).not.toContain(secret);
  expect(message.text).toContain('the tool said sk-ant-');
});

it('lets no text of a workstream become a header, a mention or a link', () => {
  const bad = { code: 'error', message: '<!channel> <https://x|y>\r\nPriority: 5 \u001b[2J', hint: null };
  const sights = [sight('A', 'failed', { reason: bad })];
  const message = messageOfOccasions('/r', 'run', 'failed', occasionsOf(sights, 'run', false), sights);
  expect(JSON.parse(requestOf(message, 'slack').body).text).not.toMatch(/[<>]/);
  const { headers } = requestOf({ ...message, title: 'ü\r\nX-Evil: 1' }, 'ntfy');
  expect(headers['title']).toMatch(/^=\?UTF-8\?B\?[A-Za-z0-9+/=]+\?=$/);
  expect(requestOf(message, 'ntfy').body).not.toMatch(/[\u001b\r\n]/);
});
